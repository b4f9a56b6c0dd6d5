# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate as the planners see it: sites, hosts and their overlay addresses.

Built from plain variables, without facts and without I/O, so that a plan for
one host never depends on who else is in the play.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .errors import BadInput
from .estate_schema import (
    DEFAULT_UNDERLAY_MTU,
    INDEX_LIMITS_OF_HOSTS,
    INDEX_LIMITS_OF_SITES,
    LIMITS_OF_UNDERLAY_MTU,
    ROLE_GROUPS,
)
from .estate_segments import Segment, read_segments
from .traffic_classes import TrafficClass, read_classes

DEFAULT_PORT = 51820


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
    # one to one: a prefix of the LAN and the one of the same length by which the overlay knows it
    lan_translation: Mapping[str, str] = field(default_factory=dict)
    # of the site's way out, and of its LAN
    underlay_mtu: int = DEFAULT_UNDERLAY_MTU
    lan_mtu: int = DEFAULT_UNDERLAY_MTU
    segments: Mapping[str, Segment] = field(default_factory=dict)
    # addresses on the LAN that must answer a gateway; without any, those of names
    health_targets: tuple[str, ...] = ()

    @property
    def reached_prefixes(self) -> tuple[str, ...]:
        """The LAN as the overlay sees it: the translated prefix where one is declared."""
        if not self.lan_translation:
            return self.lan_prefixes
        return tuple(self.lan_translation.get(prefix, prefix) for prefix in self.lan_prefixes)

    def reached_address(self, address: str) -> str:
        """By which address the overlay reaches one of the LAN."""
        return translated(address, self.lan_translation)


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
    # what the host's own network carries, where that is declared; else the site's values count
    own_underlay_mtu: int | None = None
    traffic_classes: tuple[TrafficClass, ...] = ()
    # of a gateway: addresses on its LAN that another one takes over
    floating_addresses: tuple[str, ...] = ()

    @property
    def underlay_mtu(self) -> int:
        """The largest packet that the host can exchange with other sites."""
        return self.site.underlay_mtu if self.own_underlay_mtu is None else self.own_underlay_mtu

    @property
    def lan_mtu(self) -> int:
        """The largest packet that the host can exchange on its site's LAN."""
        return min(self.site.lan_mtu, self.own_underlay_mtu or self.site.lan_mtu)

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


def translated(address: str, translation: Mapping[str, str]) -> str:
    """The address in the prefix that its own one is translated to; itself where none is."""
    given = ipaddress.ip_address(address)
    for inside, outside in translation.items():
        network = ipaddress.ip_network(inside)
        if given.version == network.version and given in network:
            first = ipaddress.ip_network(outside).network_address
            return str(first + (int(given) - int(network.network_address)))
    return address


def overlay_ipv6(ula_prefix: ipaddress.IPv6Network, site_index: int, host_index: int) -> str:
    """Address of a host: the estate's /48 (RFC 4193), the site as fourth group, the host as last."""
    return str(ula_prefix.network_address + (site_index << 64) + host_index)


def _number(
    value: object, limits: tuple[int, int], subject: str, option: str, remedy: str = "a number of its own"
) -> int:
    """A number within its limits; an index outside of them would change other parts of an address."""
    low, high = limits
    try:
        number = int(str(value))
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        given = "no" if value is None else "an unusable"
        raise BadInput(f"{subject} has {given} {option}; give it {remedy} between {low} and {high}.")
    return number


def _mtu(value: object, subject: str, option: str) -> int | None:
    """A declared MTU of an underlay, or None where there is none."""
    return None if value is None else _number(value, LIMITS_OF_UNDERLAY_MTU, subject, option, "a number of bytes")


def _site(name: str, values: object, ula: ipaddress.IPv6Network) -> Site:
    if not isinstance(values, Mapping):
        raise BadInput(f"Site {name} of estate_sites is no mapping; give it at least an index.")
    index = _number(values.get("index"), INDEX_LIMITS_OF_SITES, f"Site {name}", "index")
    try:
        prefix4 = values.get("overlay_ipv4_prefix")
        return Site(
            name=name,
            index=index,
            tenant=values.get("tenant") or None,
            prefix6=str(ipaddress.IPv6Network((int(ula.network_address) + (index << 64), 64))),
            prefix4=None if prefix4 is None else str(ipaddress.IPv4Network(prefix4)),
            lan_prefixes=tuple(str(ipaddress.ip_network(prefix)) for prefix in values.get("lan_prefixes") or ()),
            hub=values.get("hub") or None,
            names={str(key): tuple(map(str, value)) for key, value in (values.get("names") or {}).items()},
            health_targets=tuple(str(ipaddress.ip_address(one)) for one in values.get("health_targets") or ()),
            lan_translation={
                str(ipaddress.ip_network(inside)): str(ipaddress.ip_network(outside))
                for inside, outside in (values.get("lan_translation") or {}).items()
            },
            underlay_mtu=_mtu(values.get("underlay_mtu"), f"Site {name}", "underlay_mtu") or DEFAULT_UNDERLAY_MTU,
            lan_mtu=_mtu(values.get("lan_mtu"), f"Site {name}", "lan_mtu") or DEFAULT_UNDERLAY_MTU,
            segments=read_segments(name, values.get("segments") or {}),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise BadInput(f"Site {name} cannot be used: {error}; correct it in estate_sites.") from error


def _traffic_classes(name: str, declared: Sequence[Mapping[str, Any]]) -> tuple[TrafficClass, ...]:
    try:
        return read_classes(declared)
    except BadInput as error:
        raise BadInput(f"Host {name}: voice_classes {error}") from error


def _floating(name: str, values: Iterable[Any]) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_address(one)) for one in values)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"Host {name} has unusable gateway_floating_addresses: {error}; give a list of addresses of its LAN."
        ) from error


class _Builder:
    """Makes hosts, each with addresses of its own."""

    def __init__(self, ula: ipaddress.IPv6Network, sites: Mapping[str, Site]) -> None:
        self._ula = ula
        self._sites = sites
        self._networks4 = {
            name: ipaddress.IPv4Network(site.prefix4) for name, site in sites.items() if site.prefix4 is not None
        }
        self._owners: dict[tuple[str, int], str] = {}

    def host(self, name: str, values: Mapping[str, Any]) -> Host:
        site = self._sites.get(str(values.get("host_site")))
        if site is None:
            raise BadInput(
                f"Host {name} is on site '{values.get('host_site')}', which estate_sites does not have; "
                "add the site or correct host_site."
            )
        index = _number(values.get("host_index"), INDEX_LIMITS_OF_HOSTS, f"Host {name}", "host_index")
        other = self._owners.setdefault((site.name, index), name)
        if other != name:
            raise BadInput(
                f"Hosts {other} and {name} have the same host_index {index} on site {site.name}; "
                "give one of them another number."
            )
        roles = frozenset(ROLE_GROUPS.get(role, role) for role in values.get("roles", ()))
        if site.tenant is None and "hub" not in roles:
            raise BadInput(
                f"Host {name} is no hub but lives on site {site.name}, which has no tenant; only hubs are shared."
            )
        port = _number(values.get("mesh_port") or DEFAULT_PORT, (1, 65535), f"Host {name}", "mesh_port")
        return Host(
            name=name,
            site=site,
            index=index,
            roles=roles,
            address6=overlay_ipv6(self._ula, site.index, index),
            address4=self._address4(name, site, index),
            endpoint=values.get("mesh_endpoint") or None,
            lan_endpoint=values.get("mesh_lan_endpoint") or None,
            port=port,
            public_key=values.get("public_key") or None,
            own_underlay_mtu=_mtu(values.get("underlay_mtu"), f"Host {name}", "underlay_mtu"),
            floating_addresses=_floating(name, values.get("gateway_floating_addresses") or ()),
            traffic_classes=_traffic_classes(name, values.get("voice_classes") or ()),
        )

    def _address4(self, name: str, site: Site, index: int) -> str | None:
        network = self._networks4.get(site.name)
        if network is None:
            return None
        # the first address is the network's, the last its broadcast address
        if index > network.num_addresses - 2:
            raise BadInput(
                f"Host {name} has host_index {index}, for which overlay_ipv4_prefix {network} of site {site.name} "
                "has no room; give the host a lower number."
            )
        return str(network.network_address + index)


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
        ``mesh_lan_endpoint``, ``mesh_port``, ``underlay_mtu`` and ``public_key``.
        Raises BadInput with the host's name where a value is missing or wrong.
        """
        for option in ("estate_name", "estate_domain", "estate_ula_prefix", "estate_sites"):
            if estate_vars.get(option) is None:
                raise BadInput(f"The estate has no {option}; set it in group_vars/all.")
        try:
            ula = ipaddress.IPv6Network(str(estate_vars["estate_ula_prefix"]))
        except ValueError as error:
            raise BadInput(f"The prefix estate_ula_prefix cannot be used: {error}; correct it.") from error
        if ula.prefixlen != 48:
            raise BadInput(f"The prefix estate_ula_prefix {ula} is no /48, of which each site takes a /64; correct it.")
        if not isinstance(estate_vars["estate_sites"], Mapping):
            raise BadInput("The variable estate_sites is no mapping of names to sites; correct it in group_vars/all.")
        sites = {str(name): _site(str(name), values, ula) for name, values in estate_vars["estate_sites"].items()}
        builder = _Builder(ula, sites)
        return cls(
            name=str(estate_vars["estate_name"]),
            domain=str(estate_vars["estate_domain"]),
            ula_prefix=str(ula),
            sites=sites,
            hosts={name: builder.host(name, values) for name, values in hosts.items()},
        )

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
        """Which sites of tenants each hub is home to; a shared site holds hubs alone."""
        grouped: dict[str, list[Site]] = {hub.name: [] for hub in self.hubs}
        if grouped:
            for site in sorted(self.sites.values(), key=lambda site: site.index):
                if site.tenant is not None:
                    grouped[self.home_hub(site).name].append(site)
        return {hub: tuple(found) for hub, found in grouped.items()}

    def home_hub(self, site: Site) -> Host:
        """The hub that relays for a site: the declared one, else the first that serves its tenant."""
        if site.hub is not None:
            hub = self.hosts.get(site.hub)
            if hub is None or not hub.is_hub:
                raise BadInput(
                    f"Site {site.name} names '{site.hub}' as its hub, which is not in group hubs; "
                    "correct hub in estate_sites."
                )
            if not self._serves(hub, site):
                raise BadInput(
                    f"Site {site.name} names {hub.name} as its hub, which belongs to tenant {hub.site.tenant}; "
                    "name a shared hub or one of its own tenant."
                )
            return hub
        for hub in self.hubs:
            if self._serves(hub, site):
                return hub
        raise BadInput(
            f"Site {site.name} has no hub; put a host with a public mesh_endpoint into group hubs, "
            "on a shared site or on one of the same tenant."
        )

    @staticmethod
    def _serves(hub: Host, site: Site) -> bool:
        """Whether a hub may relay for a site: a shared hub for everyone, a tenant's hub for its tenant."""
        return hub.site.tenant is None or hub.site.tenant == site.tenant

    def may_reach(self, one: Host, other: Host) -> bool:
        """Whether two hosts may exchange packets: one tenant, or one of them shared."""
        return one.site.tenant is None or other.site.tenant is None or one.site.tenant == other.site.tenant
