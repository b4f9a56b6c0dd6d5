# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate as the planners see it: sites, hosts and their overlay addresses.

Built from plain variables, without facts and without I/O, so that a plan for
one host never depends on who else is in the play.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .errors import BadInput

ROLE_GROUPS = {"hubs": "hub", "gateways": "gateway", "caches": "cache", "hypervisors": "hypervisor"}


@dataclass(frozen=True, slots=True)
class Site:
    """A place with a LAN, or a set of hosts without one (teleworkers, hubs)."""

    name: str
    index: int
    tenant: str | None
    prefix6: str
    prefix4: str | None
    lan_prefixes: tuple[str, ...]
    hub: str | None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Host:
    """A managed host; addresses are overlay addresses, endpoints underlay ones."""

    name: str
    site: Site
    index: int
    roles: frozenset[str]
    address6: str
    address4: str | None
    endpoint: str | None
    lan_endpoint: str | None
    port: int
    public_key: str | None

    @property
    def is_hub(self) -> bool:
        return "hub" in self.roles

    @property
    def is_gateway(self) -> bool:
        return "gateway" in self.roles

    @property
    def allowed_ips(self) -> tuple[str, ...]:
        """The host's own overlay addresses as prefixes of full length."""
        own = (f"{self.address6}/128",)
        return own if self.address4 is None else (*own, f"{self.address4}/32")


def overlay_ipv6(ula_prefix: ipaddress.IPv6Network, site_index: int, host_index: int) -> str:
    """Address of a host: the estate's /48 (RFC 4193), the site as fourth group, the host as last."""
    return str(ula_prefix.network_address + (site_index << 64) + host_index)


def _site(name: str, values: Mapping[str, Any], ula: ipaddress.IPv6Network) -> Site:
    index = int(values["index"])
    prefix6 = ipaddress.IPv6Network((int(ula.network_address) + (index << 64), 64))
    return Site(
        name=name,
        index=index,
        tenant=values.get("tenant"),
        prefix6=str(prefix6),
        prefix4=values.get("overlay_ipv4_prefix"),
        lan_prefixes=tuple(str(prefix) for prefix in values.get("lan_prefixes") or ()),
        hub=values.get("hub"),
        names={str(key): tuple(map(str, value)) for key, value in (values.get("names") or {}).items()},
    )


@dataclass(frozen=True)
class Estate:
    """All sites and hosts of one inventory."""

    name: str
    domain: str
    ula_prefix: str
    sites: Mapping[str, Site]
    hosts: Mapping[str, Host]

    @classmethod
    def from_vars(cls, estate_vars: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> Estate:
        """Build the estate from its variables.

        ``hosts`` maps a name to ``host_site``, ``host_index``, ``roles`` (names of
        the role groups or roles), and optionally ``mesh_endpoint``,
        ``mesh_lan_endpoint``, ``mesh_port`` and ``public_key``.
        Raises BadInput with the host's name where a value is missing or wrong.
        """
        try:
            ula = ipaddress.IPv6Network(str(estate_vars["estate_ula_prefix"]))
            sites = {name: _site(name, values or {}, ula) for name, values in estate_vars["estate_sites"].items()}
            domain = str(estate_vars["estate_domain"])
            estate_name = str(estate_vars["estate_name"])
        except KeyError as error:
            raise BadInput(f"The estate has no {error.args[0]}; set it in group_vars/all.") from error
        except ValueError as error:
            raise BadInput(f"The estate's variables cannot be used: {error}; run validate_estate.") from error
        networks4 = {
            site.name: ipaddress.IPv4Network(site.prefix4) for site in sites.values() if site.prefix4 is not None
        }
        built: dict[str, Host] = {}
        for name, values in hosts.items():
            site = sites.get(str(values.get("host_site")))
            if site is None:
                raise BadInput(
                    f"Host {name} is on site '{values.get('host_site')}', which estate_sites does not have; add the site or correct host_site."
                )
            try:
                index = int(values["host_index"])
            except (KeyError, TypeError, ValueError) as error:
                raise BadInput(
                    f"Host {name} has no usable host_index; give it a number of its own on site {site.name}."
                ) from error
            network4 = networks4.get(site.name)
            built[name] = Host(
                name=name,
                site=site,
                index=index,
                roles=frozenset(ROLE_GROUPS.get(role, role) for role in values.get("roles", ())),
                address6=overlay_ipv6(ula, site.index, index),
                address4=None if network4 is None else str(network4.network_address + index),
                endpoint=values.get("mesh_endpoint"),
                lan_endpoint=values.get("mesh_lan_endpoint"),
                port=int(values.get("mesh_port") or 51820),
                public_key=values.get("public_key"),
            )
        return cls(name=estate_name, domain=domain, ula_prefix=str(ula), sites=sites, hosts=built)

    @cached_property
    def hubs(self) -> tuple[Host, ...]:
        """Hubs in a stable order; the first is the default home."""
        found = [host for host in self.hosts.values() if host.is_hub]
        return tuple(sorted(found, key=lambda host: (host.site.index, host.index)))

    @cached_property
    def hosts_by_site(self) -> Mapping[str, tuple[Host, ...]]:
        grouped: dict[str, list[Host]] = {name: [] for name in self.sites}
        for host in self.hosts.values():
            grouped[host.site.name].append(host)
        return {name: tuple(sorted(found, key=lambda host: host.index)) for name, found in grouped.items()}

    @cached_property
    def sites_by_tenant(self) -> Mapping[str, tuple[Site, ...]]:
        grouped: dict[str, list[Site]] = {}
        for site in self.sites.values():
            if site.tenant is not None:
                grouped.setdefault(site.tenant, []).append(site)
        return {tenant: tuple(sorted(found, key=lambda site: site.index)) for tenant, found in grouped.items()}

    @cached_property
    def gateways_by_site(self) -> Mapping[str, tuple[Host, ...]]:
        return {name: tuple(host for host in found if host.is_gateway) for name, found in self.hosts_by_site.items()}

    @cached_property
    def sites_by_hub(self) -> Mapping[str, tuple[Site, ...]]:
        """Which sites each hub is home to."""
        grouped: dict[str, list[Site]] = {hub.name: [] for hub in self.hubs}
        for site in sorted(self.sites.values(), key=lambda site: site.index):
            if grouped:
                grouped[self.home_hub(site).name].append(site)
        return {hub: tuple(found) for hub, found in grouped.items()}

    def home_hub(self, site: Site) -> Host:
        """The hub that relays for a site: the declared one, else the first."""
        if site.hub is not None:
            hub = self.hosts.get(site.hub)
            if hub is None or not hub.is_hub:
                raise BadInput(
                    f"Site {site.name} names '{site.hub}' as its hub, which is not in group hubs; correct hub in estate_sites."
                )
            return hub
        if not self.hubs:
            raise BadInput("The estate has no hub; put a host with a public mesh_endpoint into group hubs.")
        return self.hubs[0]

    def may_reach(self, one: Host, other: Host) -> bool:
        """Whether two hosts may exchange packets: one tenant, or one of them shared."""
        return one.site.tenant is None or other.site.tenant is None or one.site.tenant == other.site.tenant
