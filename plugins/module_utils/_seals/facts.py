# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a host that a role may declare as inputs, and how the host itself finds them.

They are few on purpose: a fact that changes by itself would break a seal for nothing.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._common.commands import Run
from .._common.errors import BadInput, BocageError

# name: whether it takes an argument after a colon
FACTS = {"kernel": False, "machine": False, "distribution": False, "python": False, "addresses": True}
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")


def check_name(name: str) -> None:
    """Raise BadInput for anything that no host can tell."""
    fact, colon, argument = name.partition(":")
    if fact not in FACTS or FACTS[fact] != bool(colon) or (colon and not _INTERFACE.fullmatch(argument)):
        known = ", ".join(f"{one}:<interface>" if takes else one for one, takes in FACTS.items())
        raise BadInput(f"There is no fact {name[:60]!r}; a role can declare {known}.")


def gather(names: Iterable[str], run: Run, root: Path = Path("/")) -> dict[str, Any]:
    """The facts by name: texts, and lists of texts for addresses; `root` is where the host's files are."""
    wanted = sorted(set(names))
    for name in wanted:
        check_name(name)
    addresses = _addresses(run) if any(name.startswith("addresses:") for name in wanted) else {}
    found: dict[str, Any] = {}
    for name in wanted:
        fact, _colon, argument = name.partition(":")
        if fact == "kernel":
            found[name] = os.uname().release
        elif fact == "machine":
            found[name] = os.uname().machine
        elif fact == "python":
            found[name] = ".".join(map(str, sys.version_info[:3]))
        elif fact == "distribution":
            found[name] = _distribution(root / "etc" / "os-release")
        else:
            found[name] = addresses.get(argument, [])
    return found


def _distribution(release_file: Path) -> str:
    """ID and VERSION_ID of os-release(5), for example "debian 12"."""
    try:
        text = release_file.read_text(errors="replace")
    except FileNotFoundError:
        return "unknown"
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    words = [values.get(name, "").strip(" \"'") for name in ("ID", "VERSION_ID")]
    return " ".join(filter(None, words)) or "unknown"


def _addresses(run: Run) -> dict[str, list[str]]:
    """Global addresses with their prefix by interface, without those that the kernel invents for privacy."""
    status, output, error = run(["ip", "-json", "address", "show"])
    if status != 0:
        raise BocageError(f"The addresses of this host cannot be read: {error.strip() or 'ip failed'}.")
    return {
        link["ifname"]: sorted(
            f"{one['local']}/{one['prefixlen']}"
            for one in link.get("addr_info", [])
            if one.get("scope") == "global"
            and not one.get("temporary")
            # an address that floats between hosts is whole, and today's holder is nobody's property
            and one.get("prefixlen") != (128 if one.get("family") == "inet6" else 32)
        )
        for link in json.loads(output)
        if "ifname" in link
    }
