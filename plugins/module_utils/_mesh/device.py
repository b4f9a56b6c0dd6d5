# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a live WireGuard device of this host through ip(8) and wg(8).

WireGuard in user space hands out all of a device whatever is asked, so it is asked once. ``wg show INTERFACE dump``
prints the secrets too: they end in the pipe, and this process never has them.
"""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from .._common.commands import Run, must
from .interface import InterfaceState, current_device, destination

# ip(8) shows it where none was given.
USUAL_METRIC = {"-4": 0, "-6": 1024}
# wg(8): the private key is the first field of the interface, the pre-shared key the second one of each peer.
_WITHOUT_SECRETS = """\
wg show "$1" dump | awk -F '\\t' -v OFS='\\t' 'NR == 1 {print $2, $3; next} {print $1, $3, $4, $8} END {exit NR == 0}'
"""


def link(run: Run, name: str) -> dict[str, Any] | None:
    """The link with its addresses as ``ip -json -details address`` shows it, or None where there is none."""
    status, output, _unused = run(["ip", "-json", "-details", "address", "show", "dev", name])
    if status != 0:
        return None
    found: list[dict[str, Any]] = json.loads(output or "[]")
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


def read(
    run: Run, name: str, expected_public_key: str | None, found: dict[str, Any] | None = None
) -> InterfaceState | None:
    """The live state of the interface, or None where it does not exist.

    ``public_key`` is None where it differs from ``expected_public_key``. ``found`` is what `link` gave, if it was asked.
    """
    found = found or link(run, name)
    if found is None:
        return None
    own = frozenset(
        f"{address['local']}/{address['prefixlen']}"
        for address in found.get("addr_info", [])
        if address.get("scope") == "global"
    )
    shown = must(run, ["sh", "-c", _WITHOUT_SECRETS, "sh", name], f"The interface {name} of this host cannot be read")
    public_key, listen_port, peers = current_device(shown)
    return InterfaceState(
        listen_port=listen_port,
        mtu=int(found["mtu"]),
        addresses=own,
        routes=_routes(run, name),
        peers=peers,
        public_key=public_key if public_key == expected_public_key else None,
        up="UP" in found.get("flags", ["UP"]),
    )
