# SPDX-License-Identifier: GPL-3.0-or-later
"""The section `routing`: which paths to gateways and hosts live, and by which gateway each LAN is entered."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

from bocage_core._common.commands import Run
from bocage_core._common.links import main_interface
from bocage_core._gateway.sessions import paths_of
from bocage_core._state.sections import MAX_EXITS, MAX_SESSIONS

from .gateway_probe import FRR_DIRECTORY, Daemon
from .overlay_peers import overlay_peers


def collect_routing(run: Run, directory: Path = FRR_DIRECTORY) -> dict[str, Any] | None:
    """The section, or None on a host that enters no LAN; what is wrong is said in `drift`, never raised."""
    exits = _single_exits(run)
    section: dict[str, Any] = {"session_count": 0, "sessions_up": 0, "sessions": [], "exits": [], "drift": []}
    section["exits"] = exits[:MAX_EXITS]
    if not directory.is_dir():
        return section if exits else None
    daemon = Daemon(directory / "bfdd.vty")
    try:
        (answer,) = daemon.ask(["show bfd peers brief json"])
        sessions = paths_of(answer)
    except (OSError, ValueError):
        section["drift"].append("FRR does not say which paths live; see the unit frr.service.")
        return section
    finally:
        daemon.close()
    found = sorted(sessions.items())
    section.update(
        session_count=len(found),
        sessions_up=sum(up for _address, up in found),
        # those that are down first: of a large gateway not all fit
        sessions=[{"address": address, "up": up} for address, up in sorted(found, key=lambda one: (one[1], one[0]))][
            :MAX_SESSIONS
        ],
        exits=[*_exits(run), *exits][:MAX_EXITS],
    )
    section["drift"] = [f"The path to {address} is down." for address, up in found if not up][:MAX_EXITS]
    return section


def _exits(run: Run) -> list[dict[str, str]]:
    """Prefixes that a protocol routed into the overlay, each with the address that it goes by."""
    exits = []
    for family in ("-4", "-6"):
        status, output, _error = run(["ip", "-json", family, "route", "show", "proto", "bgp"])
        for route in json.loads(output or "[]") if status == 0 else []:
            by = route.get("gateway") or (route.get("via") or {}).get("host")
            prefix = str(route.get("dst"))
            # single addresses are hosts, and no LAN
            if by and "/" in prefix:
                exits.append({"prefix": prefix, "gateway": str(by)})
    return exits


def _single_exits(run: Run) -> list[dict[str, str]]:
    """LANs with one gateway: they are entered by the main interface, as prefixes of that peer, and no protocol knows."""
    mains = {main_interface(epoch) for epoch in (0, 1)}
    found = {
        (prefix, peer.address)
        for peer in overlay_peers(run) or ()
        if peer.interface in mains and not peer.relays
        for prefix in peer.prefixes
        if ipaddress.ip_network(prefix).num_addresses > 1
    }
    return [{"prefix": prefix, "gateway": address} for prefix, address in sorted(found)]
