# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who peers with whom, and which addresses belong to which peer.

An interface routes by AllowedIPs, so one prefix belongs to one peer (WireGuard,
Donenfeld 2017, section 2): the longest match decides, the home hub holds the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._common.errors import BadInput
from .._common.estate import Estate, Host, Site
from .._common.exits import Exits, by_weight, on_lan
from .routes import route_prefixes

# Where a host finds another one on the underlay.
NOWHERE, PUBLIC, LAN = range(3)


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer of an interface; ``endpoint`` is None where only the other end can begin."""

    name: str
    public_key: str
    endpoint: str | None
    allowed_ips: tuple[str, ...]
    keepalive_seconds: int
    # made once, because hosts share their peers
    shown: Mapping[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shown = {
            "name": self.name,
            "public_key": self.public_key,
            "endpoint": self.endpoint,
            "allowed_ips": list(self.allowed_ips),
            "keepalive_seconds": self.keepalive_seconds,
        }
        object.__setattr__(self, "shown", shown)


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What all hosts of one site that are placed alike see: peers by name, each host itself among them."""

    peers: list[Peer]
    position: Mapping[str, int]
    # for each LAN behind several gateways, these with the peer that one of them is to the hosts it serves
    choices: list[tuple[tuple[Host, ...], Mapping[str, Peer]]]
    routes: list[str]


def with_port(address: str, port: int) -> str:
    """``address:port`` as wg(8) reads it, with brackets around IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def where(host: Host, other: Host) -> int:
    """Where ``host`` finds ``other``: on the LAN of both, at a public address, or nowhere."""
    if host.site.name == other.site.name and host.lan_endpoint and other.lan_endpoint:
        return LAN
    return PUBLIC if other.endpoint else NOWHERE


def overlay_prefixes(site: Site, with_ipv4: bool) -> tuple[str, ...]:
    return (site.prefix6, site.prefix4) if with_ipv4 and site.prefix4 is not None else (site.prefix6,)


class MeshPlanner:
    """Plans any host of an estate; what hosts have in common is made once and shared.

    Hosts that are not enrolled (no public key) are left out; a pair of which
    neither knows where the other is goes through the hub. ``keepalive_seconds``
    is used only towards peers that a host behind NAT must keep open.
    Raises BadInput where two hosts have one key.
    """

    def __init__(self, estate: Estate, keepalive_seconds: int = 25) -> None:
        self._estate = estate
        self._keepalive_seconds = keepalive_seconds
        self._exits = Exits(estate)
        self._shared_sites = [site for site in estate.sites.values() if site.tenant is None]
        self._made: dict[tuple[object, ...], Peer] = {}
        self._outlooks: dict[tuple[object, ...], _Outlook] = {}
        owners: dict[str, str] = {}
        for host in estate.hosts.values():
            if host.public_key is not None and (owner := owners.setdefault(host.public_key, host.name)) != host.name:
                raise BadInput(
                    f"Hosts {owner} and {host.name} have the same mesh key; "
                    "one of them is a copy: make it a new key and enrol it again."
                )

    def peers(self, host_name: str) -> list[Peer]:
        """The complete peer list of one host, in the order of names."""
        host = self._host(host_name)
        outlook = self._outlook(host)
        peers = outlook.peers.copy()
        for gateways, entered in outlook.choices:
            chosen = by_weight(gateways, host.name).name
            peers[outlook.position[chosen]] = entered[chosen]
        if host.name in outlook.position:
            del peers[outlook.position[host.name]]
        return peers

    def host(self, host_name: str) -> dict[str, Any]:
        """Everything ``mesh_interface`` needs to know about one host. Hosts share the parts: they are for reading."""
        host = self._host(host_name)
        return {
            "addresses": list(host.allowed_ips),
            "peers": [peer.shown for peer in self.peers(host_name)],
            # a hub that relays IPv4 without an address of its own has no source to offer
            "routes": [
                {"prefix": prefix, "source": host.address6 if ":" in prefix else host.address4}
                for prefix in self._outlook(host).routes
            ],
        }

    def _host(self, name: str) -> Host:
        host = self._estate.hosts.get(name)
        if host is None:
            raise BadInput(f"Host {name} is not among the managed hosts of the inventory; add it to a role's group.")
        return host

    def _outlook(self, host: Host) -> _Outlook:
        key: tuple[object, ...] = (host.name,)
        if not host.is_hub:
            key = (host.site.name, host.is_gateway, host.endpoint is None, host.lan_endpoint is None)
        if key not in self._outlooks:
            self._outlooks[key] = self._make_hub_outlook(host) if host.is_hub else self._make_outlook(host)
        return self._outlooks[key]

    def _make_outlook(self, host: Host) -> _Outlook:
        """Of a host below a hub: its hub, its site, gateways of its tenant; a gateway has all hosts of its tenant."""
        estate, with_ipv4 = self._estate, host.address4 is not None
        tenant_sites = estate.sites_by_tenant[host.site.tenant or ""]
        lan_prefixes: list[str] = []
        through_hub: list[str] = []
        choices: list[tuple[tuple[Host, ...], Mapping[str, Peer]]] = []
        found: dict[str, Peer] = {}
        for site in tenant_sites:
            whole = host.is_gateway or site.name == host.site.name
            for other in estate.hosts_by_site[site.name] if whole else estate.gateways_by_site[site.name]:
                if not other.is_hub and (peer := self._peer(host, other, with_ipv4)) is not None:
                    found[other.name] = peer
            lan = tuple(prefix for prefix in site.lan_prefixes if with_ipv4 or ":" in prefix)
            if not lan or on_lan(host, site):
                continue
            gateways = self._exits.direct(host, site)
            entered = {
                gateway.name: peer
                for gateway in gateways
                if (peer := self._peer(host, gateway, with_ipv4, lan)) is not None
            }
            if len(gateways) > 1:
                choices.append((gateways, entered))
            elif gateways:
                found.update(entered)
            elif site.name in self._exits.relayed:
                through_hub += lan
            else:
                continue
            lan_prefixes += lan
        hub = estate.home_hub(host.site)
        rest = [estate.ula_prefix]
        if with_ipv4:
            rest += [site.prefix4 for site in (*self._shared_sites, *tenant_sites) if site.prefix4 is not None]
        if (peer := self._peer(host, hub, False, (*rest, *through_hub), own_addresses=False)) is not None:
            found[hub.name] = peer
        return _sorted_outlook(found, choices, route_prefixes(estate, host, lan_prefixes))

    def _make_hub_outlook(self, host: Host) -> _Outlook:
        """Of a hub: the hosts of the sites it is home to, and the other hubs with the sites that these are home to."""
        estate = self._estate
        found: dict[str, Peer] = {}
        lan_prefixes: list[str] = []
        behind: dict[str, list[str]] = {}
        for site_name, gateway in self._exits.relayed.items():
            site = estate.sites[site_name]
            home = gateway if gateway.is_hub else estate.home_hub(site)
            next_hop = gateway if home.name == host.name else home
            if self._serves(host, site) and not on_lan(host, site):
                behind.setdefault(next_hop.name, []).extend(site.lan_prefixes)
                lan_prefixes += site.lan_prefixes
        for hub in estate.hubs:
            if hub.name == host.name or not estate.may_reach(host, hub):
                continue
            sites = [site for site in estate.sites_by_hub[hub.name] if self._serves(host, site)]
            served = [prefix for site in sites for prefix in overlay_prefixes(site, True)]
            if (peer := self._peer(host, hub, True, (*served, *behind.get(hub.name, ())))) is not None:
                found[hub.name] = peer
        for site in estate.sites_by_hub[host.name]:
            for other in estate.hosts_by_site[site.name]:
                if not other.is_hub:
                    peer = self._peer(host, other, True, tuple(behind.get(other.name, ())))
                    if peer is not None:
                        found[other.name] = peer
        return _sorted_outlook(found, [], route_prefixes(estate, host, lan_prefixes))

    @staticmethod
    def _serves(hub: Host, site: Site) -> bool:
        return hub.site.tenant is None or hub.site.tenant == site.tenant

    def _peer(
        self, host: Host, other: Host, with_ipv4: bool, more: tuple[str, ...] = (), own_addresses: bool = True
    ) -> Peer | None:
        """``other`` as the peer of ``host`` and of all that are placed like it, or None where the two cannot meet."""
        place = where(host, other)
        if other.public_key is None or (place == NOWHERE and where(host=other, other=host) == NOWHERE):
            return None
        keepalive = self._keepalive_seconds if place == PUBLIC and host.endpoint is None else 0
        key = (other.name, place, keepalive, with_ipv4, more, own_addresses)
        peer = self._made.get(key)
        if peer is None:
            address = {NOWHERE: None, PUBLIC: other.endpoint, LAN: other.lan_endpoint}[place]
            own = other.allowed_ips if with_ipv4 else other.allowed_ips[:1]
            peer = self._made[key] = Peer(
                name=other.name,
                public_key=other.public_key,
                endpoint=None if address is None else with_port(address, other.port),
                allowed_ips=(*own, *more) if own_addresses else more,
                keepalive_seconds=keepalive,
            )
        return peer


def _sorted_outlook(
    found: Mapping[str, Peer], choices: list[tuple[tuple[Host, ...], Mapping[str, Peer]]], routes: list[str]
) -> _Outlook:
    names = sorted(found)
    return _Outlook(
        peers=[found[name] for name in names],
        position={name: position for position, name in enumerate(names)},
        choices=choices,
        routes=routes,
    )


def plan_peers(estate: Estate, host_name: str, keepalive_seconds: int = 25) -> list[Peer]:
    """The peers of one host; who plans for many uses one MeshPlanner."""
    return MeshPlanner(estate, keepalive_seconds).peers(host_name)
