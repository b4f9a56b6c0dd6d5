# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may reach a host over the overlay, and what may pass through it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._common.estate import Estate, Host, Site
from .._common.exits import Exits
from .._common.links import link_ports, main_port


def _prefixes(sites: Iterable[Site]) -> list[str]:
    return [prefix for site in sites for prefix in (site.prefix6, site.prefix4) if prefix is not None]


def plan_access(estate: Estate, host_name: str, exits: Exits | None = None) -> dict[str, Any]:
    """Access of one host, as prefixes.

    ``overlay_sources`` may begin a connection to the host; ``relays`` are sets of
    prefixes that a hub forwards among themselves and to the ``destinations`` beside
    them (LANs that hosts enter through hubs), one set a tenant; ``exits`` are sources
    and destinations that a gateway lets from the overlay into its LAN, with the prefixes
    by which the overlay knows these where they are others; ``mesh_ports`` are the UDP
    ports of the overlay. Everything else is refused. Who plans for many hosts gives one
    ``exits``.
    """
    host = estate.hosts[host_name]
    ways = exits or Exits(estate)
    tenant = host.site.tenant
    shared = [site for site in estate.sites.values() if site.tenant is None]
    if tenant is None:
        # a shared host (a hub) serves everyone
        sources = [estate.ula_prefix, *(site.prefix4 for site in estate.sites.values() if site.prefix4)]
    else:
        sources = _prefixes([*shared, *estate.sites_by_tenant[tenant]])
    into_lan = None
    if host.is_gateway and tenant is not None:
        own = _prefixes(estate.sites_by_tenant[tenant])
        into_lan = {
            "sources": sorted(own),
            "destinations": sorted(host.site.lan_prefixes),
            "lan_translation": dict(sorted(host.site.lan_translation.items())),
        }
    return {
        "overlay_sources": sorted(sources),
        "relays": _relays(estate, host, _prefixes(shared), ways) if host.is_hub else [],
        "exits": into_lan,
        "mesh_ports": _mesh_ports(host, ways),
    }


def _mesh_ports(host: Host, exits: Exits) -> list[int]:
    """Ports of both parities of epochs, so that a rotation of keys finds them open; of links where others may begin."""
    links = exits.linked(host) if host.is_gateway or host.endpoint is not None else ()
    return sorted(
        port
        for epoch in (0, 1)
        for port in (main_port(host.port, epoch), *link_ports(host.port, links, epoch).values())
    )


def _relays(estate: Estate, hub: Host, shared_prefixes: list[str], exits: Exits) -> list[dict[str, Any]]:
    """What a hub forwards: a shared hub for each tenant, a tenant's hub for that tenant."""
    relayed = exits.relayed
    return [
        {
            "name": tenant,
            "prefixes": sorted([*_prefixes(sites), *shared_prefixes]),
            "destinations": sorted(
                prefix for site in sites if site.name in relayed for prefix in site.reached_prefixes
            ),
        }
        for tenant, sites in sorted(estate.sites_by_tenant.items())
        if hub.site.tenant in (None, tenant)
    ]
