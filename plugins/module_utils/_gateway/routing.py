# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host tells its gateways by BGP and hears from them (RFC 4271), and how the paths are watched (BFD, RFC 5880).

Sessions run inside the overlay between overlay addresses, which WireGuard vouches for. A gateway announces its LAN
with a metric (MULTI_EXIT_DISC) that says how well it does, and a host adds its own order of the gateways to it, so
that health comes before order. A host announces its own addresses with the same order, so that an answer goes back by
the gateway that took the question. Gateways of a site tell each other their hosts: one that lost its way to a host
sends by another one that has it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from .._common.estate import Estate, Host
from .._common.exits import Exits
from .._common.links import DIRECT_TABLE

# Private numbers of four bytes (RFC 6996).
GATEWAY_AS = 4_200_000_000
HOST_AS = 4_200_100_000
# What a gateway's metric says; a host's order adds at most ORDER_STEP for each place.
HEALTHY, UNHEALTHY, DRAINED = 100, 10_000, 20_000
ORDER_STEP = 10


def as_number(host: Host) -> int:
    return (GATEWAY_AS if host.is_gateway else HOST_AS) + host.site.index


def router_id(host: Host) -> str:
    """A number of its own for each host, in the form of an address."""
    number = (host.site.index << 16) + host.index
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _number(host: Host) -> int:
    return int(ipaddress.ip_address(host.address6))


def sibling_entries(siblings: Iterable[Host]) -> list[dict[str, Any]]:
    """The other gateways of a site, as plans name them: over the overlay and on the LAN."""
    return [
        {
            "name": one.name,
            "address": one.address6,
            "lan_address": one.lan_endpoint,
        }
        for one in siblings
    ]


def plan_routing(estate: Estate, host_name: str, exits: Exits | None = None) -> dict[str, Any] | None:
    """The routing of one host, or None where it needs none: no gateways that stand in for one another.

    ``neighbors`` are gateways into whose LAN the host goes, with the place that each has in its order (0 first);
    ``siblings`` are the other gateways of a gateway's site; ``listen`` are prefixes whose hosts may begin a session;
    ``watched`` are the addresses of neighbours with whom this host begins a session again where it stands at one end
    alone: a host does so with its gateways, of two gateways the one with the lower address, so that never both ends do.
    """
    host = estate.hosts[host_name]
    ways = exits or Exits(estate)
    siblings = ways.siblings(host)
    ranked = ways.ranked(host)
    if not siblings and not ranked:
        return None
    own_sites = estate.sites_by_tenant[host.site.tenant or ""]
    with_ipv4 = host.address4 is not None
    return {
        "as_number": as_number(host),
        "router_id": router_id(host),
        "metrics": {"healthy": HEALTHY, "unhealthy": UNHEALTHY, "drained": DRAINED, "order_step": ORDER_STEP},
        "direct_table": DIRECT_TABLE,
        "address": host.address6,
        "address4": host.address4,
        # a route's next hop must be another address than the route's own; nobody has this one
        "next_hop": host.site.prefix6.split("/")[0],
        "neighbors": [
            {
                "name": gateway.name,
                "address": gateway.address6,
                "as_number": as_number(gateway),
                "place": place,
                "prefixes": [one for one in gateway.site.reached_prefixes if with_ipv4 or ":" in one],
            }
            for _site, gateways in sorted(ranked.items())
            for place, gateway in enumerate(gateways)
        ],
        "siblings": sibling_entries(siblings),
        "watched": sorted(
            one.address6
            for one in (*siblings, *(gateway for gateways in ranked.values() for gateway in gateways))
            if not siblings or _number(one) > _number(host)
        ),
        "lan_prefixes": list(host.site.reached_prefixes) if siblings else [],
        "listen": sorted(site.prefix6 for site in own_sites) if siblings else [],
        "host_prefixes": (
            sorted(prefix for site in own_sites for prefix in (site.prefix6, site.prefix4) if prefix)
            if siblings
            else []
        ),
    }
