# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a live WireGuard device of this host through ip(8) and wg(8).

``wg show INTERFACE dump`` is never used: it prints the private key.
"""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from .._common.commands import Run, must
from .interface import InterfaceState, current_peers, destination

# ip(8) shows it where none was given.
USUAL_METRIC = {"-4": 0, "-6": 1024}


def link(run: Run, name: str) -> dict[str, Any] | None:
    """The link as ``ip -json -details link`` shows it, or None where there is none."""
    status, output, _unused = run(["ip", "-json", "-details", "link", "show", "dev", name])
    if status != 0:
        return None
    found: list[dict[str, Any]] = json.loads(output)
    return found[0] if found else None


def backend_of(found: dict[str, Any]) -> str:
    """``kernel`` or ``userspace``, by the kind of the link."""
    return "kernel" if found.get("linkinfo", {}).get("info_kind") == "wireguard" else "userspace"


def kernel_has_wireguard(run: Run) -> bool:
    """Whether this kernel makes WireGuard links, found out by making one."""
    probe = "bocage-probe"
    # left by a run that was interrupted here, it would make the next one fail
    run(["ip", "link", "delete", "dev", probe])
    status, _output_text, _error = run(["ip", "link", "add", "dev", probe, "type", "wireguard"])
    if status == 0:
        run(["ip", "link", "delete", "dev", probe])
    return status == 0


def _routes(run: Run, name: str) -> dict[str, str | None]:
    routes: dict[str, str | None] = {}
    for family in ("-4", "-6"):
        for route in json.loads(
            must(run, ["ip", "-json", family, "route", "show", "table", "all", "dev", name]) or "[]"
        ):
            # the kernel's own routes follow the addresses, and a routing protocol's are its own
            if route.get("protocol", "boot") not in ("boot", "static") or route.get("type", "unicast") != "unicast":
                continue
            prefix = route["dst"]
            if prefix == "default":
                prefix = "0.0.0.0/0" if family == "-4" else "::/0"
            metric = route.get("metric")
            if metric == USUAL_METRIC[family]:
                metric = None
            table = route.get("table")
            table = int(table) if str(table).isdigit() else None
            routes[destination(str(ipaddress.ip_network(prefix)), metric, table)] = route.get("prefsrc")
    return routes


def read(run: Run, name: str, expected_public_key: str | None) -> InterfaceState | None:
    """The live state of the interface, or None where it does not exist.

    ``public_key`` is None where it differs from ``expected_public_key``.
    """
    found = link(run, name)
    if found is None:
        return None
    addresses = json.loads(must(run, ["ip", "-json", "address", "show", "dev", name]))
    own = frozenset(
        f"{address['local']}/{address['prefixlen']}"
        for entry in addresses
        for address in entry.get("addr_info", [])
        if address.get("scope") == "global"
    )
    shown = {
        what: must(run, ["wg", "show", name, what])
        for what in ("public-key", "listen-port", "allowed-ips", "endpoints", "persistent-keepalive")
    }
    public_key = shown["public-key"].strip()
    return InterfaceState(
        listen_port=int(shown["listen-port"].strip() or 0),
        mtu=int(found["mtu"]),
        addresses=own,
        routes=_routes(run, name),
        peers=current_peers(shown["allowed-ips"], shown["endpoints"], shown["persistent-keepalive"]),
        public_key=public_key if public_key == expected_public_key else None,
        up="UP" in found.get("flags", ["UP"]),
    )
