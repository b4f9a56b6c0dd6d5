# SPDX-License-Identifier: GPL-3.0-or-later
"""The section `gateway`: whether this host forwards, and whether its rules are those that were applied.

The rules are read and compared by the same code that applies them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bocage_core._common.commands import Run
from bocage_core._gateway import confirm
from bocage_core._gateway.places import HEALTH_FILE

_SYSCTL = Path("/proc/sys/net")


def collect_gateway(
    run: Run,
    lan_interface: str,
    mesh_interface: str | None,
    directory: Path,
    sysctl: Path = _SYSCTL,
    health_file: Path = HEALTH_FILE,
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
    digest = confirm.live_digest(run)
    expected = confirm.read_state(confirm.Paths(directory)).get("live_digest")
    if digest is None:
        problems.append("The table inet bocage is not loaded.")
    elif expected is not None and digest != expected:
        problems.append("The rules in the table inet bocage are not those that were applied.")
    section = {
        "lan_interface": lan_interface,
        "forwarding": forwarding,
        "ruleset_digest": digest,
        "drift": problems,
    }
    health = _health(health_file)
    if health is not None:
        section["health"] = health
        if not health["healthy"] and not health["drained"]:
            side = "nobody on its LAN answers" if not health["lan"] else "no path to a host lives"
            why = "it has just begun to do well again" if health["lan"] and health["wan"] else side
            problems.append(f"The gateway does not do well: {why}.")
    return section


def _health(path: Path) -> dict[str, Any] | None:
    """What the gateway's health is, or None where another gateway could not take over anyway."""
    try:
        found = json.loads(path.read_text())
        return {
            **{name: found[name] is True for name in ("healthy", "drained", "lan", "wan")},
            "since": int(found["since"]),
        }
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return {"healthy": False, "drained": False, "lan": False, "wan": False, "since": 0}


def _is_on(path: Path) -> bool:
    try:
        return path.read_text().strip() == "1"
    except OSError:
        return False
