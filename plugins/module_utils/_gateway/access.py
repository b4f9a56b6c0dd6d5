# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may reach a host over the overlay, and what may pass through it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._common.estate import Estate, Site


def _prefixes(sites: Iterable[Site]) -> list[str]:
    return [prefix for site in sites for prefix in (site.prefix6, site.prefix4) if prefix is not None]


def plan_access(estate: Estate, host_name: str) -> dict[str, Any]:
    """Access of one host, as prefixes.

    ``overlay_sources`` may begin a connection to the host; ``relays`` are sets of
    prefixes that a hub forwards among themselves, one a tenant and one for the
    shared infrastructure; ``exits`` are sources and destinations that a gateway lets
    from the overlay into its LAN. Everything else is refused.
    """
    host = estate.hosts[host_name]
    shared = [site for site in estate.sites.values() if site.tenant is None]
    own = estate.sites_by_tenant.get(host.site.tenant, ()) if host.site.tenant is not None else ()
    # a shared host (a hub) serves everyone
    sources = [estate.ula_prefix, *(site.prefix4 for site in estate.sites.values() if site.prefix4)]
    if host.site.tenant is not None:
        sources = _prefixes([*shared, *own])
    relays = []
    if host.is_hub:
        shared_prefixes = _prefixes(shared)
        for tenant, sites in sorted(estate.sites_by_tenant.items()):
            relays.append({"name": tenant, "prefixes": sorted([*_prefixes(sites), *shared_prefixes])})
    exits = None
    if host.is_gateway:
        exits = {"sources": sorted(_prefixes(own)), "destinations": sorted(host.site.lan_prefixes)}
    return {"overlay_sources": sorted(sources), "relays": relays, "exits": exits}
