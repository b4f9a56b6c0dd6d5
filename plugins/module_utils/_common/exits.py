# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which gateway a host enters the LAN of a site: of its own where it has a path to one, else through its hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property

from .estate import Estate, Host, Site


def on_lan(host: Host, site: Site) -> bool:
    """Whether the host is on the site's LAN itself and needs no gateway into it."""
    return host.site.name == site.name and (host.is_gateway or host.lan_endpoint is not None)


def entered_prefixes(host: Host, site: Site) -> tuple[str, ...]:
    """What of the site's LAN the host enters over the overlay, as the overlay sees it.

    On the LAN itself that is only what is known by another address than the LAN's own; a gateway enters nothing
    of its own site.
    """
    if not on_lan(host, site):
        return site.reached_prefixes
    return () if host.is_gateway else tuple(site.lan_translation.values())


def _neighbours(host: Host, gateway: Host) -> bool:
    """Whether the two find each other on the LAN of both."""
    return host.site.name == gateway.site.name and None not in (host.lan_endpoint, gateway.lan_endpoint)


def by_weight(gateways: Sequence[Host], name: str) -> Host:
    """One of the gateways for a name.

    Highest random weight (Thaler and Ravishankar 1996): a gateway that joins or
    leaves moves only its own share of the names.
    """
    return max(gateways, key=lambda one: _weight(name, one))


def ranking(gateways: Sequence[Host], name: str) -> tuple[Host, ...]:
    """All gateways in the order in which a name prefers them, by the same weights."""
    if len(gateways) == 1:
        return tuple(gateways)
    return tuple(sorted(gateways, key=lambda one: _weight(name, one), reverse=True))


def _weight(name: str, gateway: Host) -> bytes:
    return hashlib.sha256(f"{name}|{gateway.name}".encode()).digest()


# Site, own name where it has ways of its own and nothing otherwise, whether it is without a public endpoint, and
# without one on the LAN.
Placement = tuple[str, str, bool, bool]


def placement(host: Host) -> Placement:
    """Hosts that are placed alike have links to the same gateways."""
    own = host.name if host.is_gateway or host.is_hub else ""
    return (host.site.name, own, host.endpoint is None, host.lan_endpoint is None)


class Exits:
    """The ways into the LANs of an estate. Gateways that are not enrolled carry nothing."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        # asked for each host once for each gateway that it has to do with
        self._direct: dict[tuple[str, bool, bool], tuple[Host, ...]] = {}
        self._linked: dict[Placement, tuple[Host, ...]] = {}
        self._linked_names: dict[Placement, frozenset[str]] = {}
        self._rivals: dict[Placement, dict[str, tuple[Host, ...]]] = {}

    @cached_property
    def gateways(self) -> Mapping[str, tuple[Host, ...]]:
        """Enrolled gateways by site, for sites with a LAN."""
        return {
            name: tuple(host for host in found if host.public_key is not None)
            for name, found in self._estate.gateways_by_site.items()
            if self._estate.sites[name].lan_prefixes
        }

    def direct(self, host: Host, site: Site) -> tuple[Host, ...]:
        """Gateways of the site that the host has a path of its own to; a hub is never entered past the home hub."""
        key = (site.name, host.endpoint is None, host.site.name == site.name and host.lan_endpoint is not None)
        if key not in self._direct:
            self._direct[key] = tuple(
                gateway
                for gateway in self.gateways.get(site.name, ())
                if not gateway.is_hub
                and (gateway.endpoint is not None or host.endpoint is not None or _neighbours(host, gateway))
            )
        return self._direct[key]

    def linked(self, host: Host) -> tuple[Host, ...]:
        """Gateways to which the host has an interface of its own each: exits that stand in for one another.

        These are all gateways of each LAN that it enters behind several of them, and for a gateway the others of
        its site. A prefix belongs to one peer of an interface, so only apart can several have the same LAN.
        """
        key = placement(host)
        if key not in self._linked:
            self._linked[key] = self._find_linked(host)
        return self._linked[key]

    def has_link(self, host: Host, gateway: Host) -> bool:
        key = placement(host)
        if key not in self._linked_names:
            self._linked_names[key] = frozenset(one.name for one in self.linked(host))
        return gateway.name in self._linked_names[key]

    def _find_linked(self, host: Host) -> tuple[Host, ...]:
        if host.is_hub or host.site.tenant is None:
            return ()
        found: list[Host] = []
        for site in self._estate.sites_by_tenant[host.site.tenant]:
            if host.is_gateway and site.name == host.site.name:
                found += self.siblings(host)
            elif entered_prefixes(host, site) and len(gateways := self.direct(host, site)) > 1:
                found += gateways
        return tuple(found)

    def siblings(self, host: Host) -> tuple[Host, ...]:
        """The other gateways of a gateway's site, which carry what it no longer can."""
        if not host.is_gateway or host.is_hub or host.public_key is None:
            return ()
        return tuple(one for one in self.gateways.get(host.site.name, ()) if one is not host and not one.is_hub)

    def ranked(self, host: Host) -> dict[str, tuple[Host, ...]]:
        """By site, the gateways that stand in for one another for this host, the one that it uses first at the front."""
        return {name: ranking(gateways, host.name) for name, gateways in self._rivals_of(host).items()}

    def first(self, host: Host) -> dict[str, Host]:
        """Those at the front alone."""
        return {name: by_weight(gateways, host.name) for name, gateways in self._rivals_of(host).items()}

    def _rivals_of(self, host: Host) -> dict[str, tuple[Host, ...]]:
        key = placement(host)
        if key not in self._rivals:
            by_site: dict[str, list[Host]] = {}
            for gateway in self.linked(host):
                if gateway.site.name != host.site.name or not host.is_gateway:
                    by_site.setdefault(gateway.site.name, []).append(gateway)
            self._rivals[key] = {name: tuple(gateways) for name, gateways in by_site.items()}
        return self._rivals[key]

    @cached_property
    def relayed(self) -> Mapping[str, Host]:
        """By site, the one gateway that hubs use for hosts without a path of their own, where there are such hosts."""
        found: dict[str, Host] = {}
        for name, gateways in self.gateways.items():
            site = self._estate.sites[name]
            if gateways and any(self._needs_relay(host, site) for host in self._hosts_of_tenant(site)):
                found[name] = by_weight(gateways, name)
        return found

    def _needs_relay(self, host: Host, site: Site) -> bool:
        if host.is_hub or host.public_key is None or on_lan(host, site):
            return False
        return not self.direct(host, site)

    def _hosts_of_tenant(self, site: Site) -> list[Host]:
        if any(not gateway.is_hub and gateway.endpoint is not None for gateway in self.gateways[site.name]):
            # everybody finds this one
            return []
        tenant_sites = self._estate.sites_by_tenant.get(site.tenant or "", ())
        return [host for one in tenant_sites for host in self._estate.hosts_by_site[one.name]]
