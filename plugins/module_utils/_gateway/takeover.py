# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds which floating address on a LAN, with whom a gateway shares its connections, and what tests it.

Each gateway may have floating addresses, by which the LAN answers and sends to it. All gateways of the site stand by
for each of them (VRRP version 3, RFC 5798). Connections are shared in pairs, in the order of indexes, so that the
partner of a gateway takes over its addresses first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._common.errors import BadInput
from .._common.estate import Estate, Host
from .._common.exits import Exits
from .._common.links import link_interface
from .._common.takeover_needs import no_lan_endpoint
from .routing import sibling_entries

OWN_PRIORITY, PARTNER_PRIORITY, FIRST_OTHER_PRIORITY = 200, 150, 140
# Identifiers of virtual routers (RFC 5798, section 5.2.3) that are left to others on the LAN.
FIRST_IDENTIFIER, IDENTIFIERS = 20, 200
MOST_TARGETS = 4


def partner(exits: Exits, host: Host) -> Host | None:
    """The gateway with which a gateway shares its connections: the other one of its pair, in the order of indexes."""
    gateways = sorted([host, *exits.siblings(host)], key=lambda one: one.index)
    place = gateways.index(host) ^ 1
    return gateways[place] if place < len(gateways) and len(gateways) > 1 else None


def identifiers(gateways: Iterable[Host]) -> dict[str, int]:
    """An identifier for each gateway of a site, by its index; nobody moves when another one joins, unless both want one."""
    found: dict[str, int] = {}
    for gateway in sorted(gateways, key=lambda one: one.index):
        place = (gateway.index - 1) % IDENTIFIERS
        # beyond as many gateways as there are identifiers, some have one together
        while FIRST_IDENTIFIER + place in found.values() and len(found) < IDENTIFIERS:
            place = (place + 1) % IDENTIFIERS
        found[gateway.name] = FIRST_IDENTIFIER + place
    return found


def plan_takeover(estate: Estate, host_name: str, exits: Exits | None = None) -> dict[str, Any] | None:
    """What a gateway does when another one of its site fails, or None where there is no other one.

    Raises BadInput where it would have to agree on floating addresses and is not found on the LAN.
    """
    host = estate.hosts[host_name]
    ways = exits or Exits(estate)
    siblings = ways.siblings(host)
    if not siblings:
        return None
    if host.lan_endpoint is None and any(one.floating_addresses for one in (host, *siblings)):
        raise BadInput(no_lan_endpoint(host.name))
    entries = sibling_entries(siblings)
    mate = partner(ways, host)
    numbers = identifiers([host, *siblings])
    return {
        "siblings": entries,
        # of both epochs of keys, which live side by side while keys rotate
        "sibling_interfaces": sorted(link_interface(one, epoch) for one in siblings for epoch in (0, 1)),
        "partner": next((one for one in entries if mate and one["name"] == mate.name), None),
        "address": host.address6,
        "lan_address": host.lan_endpoint,
        "targets": list(host.site.health_targets or _default_targets(host)),
        "floating_addresses": list(host.floating_addresses),
        "instances": [
            {
                "gateway": gateway.name,
                "identifier": numbers[gateway.name],
                "priority": _priority(ways, host, gateway),
                "addresses": list(gateway.floating_addresses),
            }
            for gateway in sorted([host, *siblings], key=lambda one: one.index)
            if gateway.floating_addresses
        ],
    }


def _default_targets(host: Host) -> list[str]:
    """The machines that the site names: what its people work with is what must answer."""
    named = sorted({address for addresses in host.site.names.values() for address in addresses})
    return named[:MOST_TARGETS]


def _priority(exits: Exits, host: Host, gateway: Host) -> int:
    if host is gateway:
        return OWN_PRIORITY
    mate = partner(exits, gateway)
    if mate is not None and mate.name == host.name:
        return PARTNER_PRIORITY
    others = sorted(
        (one for one in exits.siblings(gateway) if mate is None or one.name != mate.name), key=lambda one: one.index
    )
    return FIRST_OTHER_PRIORITY - [one.name for one in others].index(host.name) % 40
