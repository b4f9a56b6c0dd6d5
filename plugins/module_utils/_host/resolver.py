# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that systemd-resolved asks for over one link. It forgets them when it restarts, so they are read each time."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from .._common.commands import Run, must
from .._common.errors import BadInput, BocageError


def read_link(run: Run, what: str, interface: str) -> list[str] | None:
    """What resolvectl tells of a link for `what` (dns or domain), or None where link or resolver do not answer."""
    status, output, _error = run(["resolvectl", what, interface])
    if status != 0:
        return None
    # Link 5 (bocage0): fd7b:4c1e:90a2::1 fd7b:4c1e:90a2::2
    return [_canonical(word) for word in output.strip().partition("):")[2].split()]


def ensure_link(
    interface: str, servers: Sequence[str], domains: Sequence[str], run: Run, check_mode: bool
) -> dict[str, Any]:
    """Set servers and domains of a running link where they differ, in their order; raises BocageError."""
    if not interface or interface.startswith("-"):
        raise BadInput(f"'{interface}' is no name of an interface.")
    wanted = {"dns": [_canonical(server) for server in servers], "domain": list(domains)}
    found = {what: read_link(run, what, interface) for what in wanted}
    if not check_mode and None in found.values():
        raise BocageError(
            f"The resolver does not know the interface {interface}; start systemd-resolved and the interface first."
        )
    differing = [what for what, value in wanted.items() if found[what] != value]
    if not check_mode:
        for what in differing:
            # an empty text takes away what is set
            must(run, ["resolvectl", what, interface, *(wanted[what] or [""])])
    return {
        "changed": bool(differing),
        "found": None if None in found.values() else found,
        "diff": {
            "before_header": f"resolver of {interface}",
            "after_header": f"resolver of {interface}",
            "before": _shown({what: value or [] for what, value in found.items()}),
            "after": _shown(wanted),
        },
    }


def _canonical(word: str) -> str:
    try:
        return str(ipaddress.ip_address(word))
    except ValueError:
        # a domain, or a server with a port or a name
        return word


def _shown(values: dict[str, list[str]]) -> str:
    return "".join(f"{what}: {' '.join(value)}\n" for what, value in values.items())
