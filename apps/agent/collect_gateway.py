# SPDX-License-Identifier: GPL-3.0-or-later
"""The section `gateway`: whether this host forwards, and which rules it does it by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bocage_core._common.errors import BocageError
from bocage_core._gateway.ruleset_digest import ruleset_digest
from bocage_core._mesh.device import Run

from .commands import sentence

_SYSCTL = Path("/proc/sys/net")
_TABLE = ["nft", "-j", "list", "table", "inet", "bocage"]


def collect_gateway(
    run: Run, lan_interface: str, mesh_interface: str | None, directory: Path, sysctl: Path = _SYSCTL
) -> dict[str, Any]:
    # IPv4 forwards by the interface a packet came in on, IPv6 by one switch for all.
    problems = [
        f"IPv4 is not forwarded from the interface {interface}."
        for interface in filter(None, (lan_interface, mesh_interface))
        if not _is_on(sysctl / "ipv4" / "conf" / interface / "forwarding")
    ]
    if not _is_on(sysctl / "ipv6" / "conf" / "all" / "forwarding"):
        problems.append("IPv6 is not forwarded.")
    forwarding = not problems
    digest = _digest(run, problems)
    expected = _expected(directory / "active.digest")
    if digest is not None and expected is not None and digest != expected:
        problems.append("The rules in the table inet bocage are not those that were applied.")
    return {
        "lan_interface": lan_interface,
        "forwarding": forwarding,
        "ruleset_digest": digest,
        "drift": [sentence(problem) for problem in problems],
    }


def _digest(run: Run, problems: list[str]) -> str | None:
    status, output, error = run(_TABLE)
    if status != 0:
        problems.append(
            f"The table inet bocage cannot be listed: {error.strip().splitlines()[0] if error else status}."
        )
        return None
    try:
        return ruleset_digest(output)
    except BocageError as unreadable:
        problems.append(str(unreadable))
        return None


def _is_on(path: Path) -> bool:
    try:
        return path.read_text().strip() == "1"
    except OSError:
        return False


def _expected(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return None
