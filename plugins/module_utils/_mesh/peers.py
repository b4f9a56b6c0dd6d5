# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who peers with whom, and which addresses belong to which peer.

An interface routes by AllowedIPs, so one prefix belongs to one peer (WireGuard,
Donenfeld 2017, section 2): the longest match decides, the home hub holds the rest.
Gateways that stand in for one another have the same prefixes: each is reached by an
interface of its own, a link, and routing decides between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._common.errors import BadInput
from .._common.estate import Estate, Host, Site
from .._common.exits import Exits, Placement, entered_prefixes, on_lan, placement
from .._common.links import DIRECT_TABLE, link_interface, link_ports
from .routes import LAST_RESORT, route_prefixes

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
    routes: list[str]
    # hosts with a public endpoint that reach a gateway by links: it finds each at the port of its own link
    callers: tuple[Host, ...] = ()


@dataclass(frozen=True, slots=True)
class _Way:
    """A link to one gateway, as all hosts have it that are placed alike."""

    gateway: Host
    interface: str
    peers: list[Mapping[str, Any]]
    own: tuple[str, ...]
    lans: tuple[str, ...]


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
        self._ports: dict[tuple[int, Placement], dict[str, int]] = {}
        self._ways: dict[Placement, list[_Way]] = {}
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
        for caller in outlook.callers:
            place = outlook.position[caller.name]
            peers[place] = self._at_port(peers[place], caller, host)
        if host.name in outlook.position:
            del peers[outlook.position[host.name]]
        return peers

    def links(self, host_name: str) -> list[dict[str, Any]]:
        """The interfaces to single gateways: name, port, addresses, routes and one peer each.

        The LANs behind them are routed by a protocol; a route by the gateway that comes first for the host is the
        last resort where no protocol runs.
        """
        host = self._host(host_name)
        ways = self._ways_of(host)
        if not ways:
            return []
        ports, first = self._link_ports(host), self._exits.first(host)
        # as on the main interface, so that no interface waits for another one's addresses
        addresses = list(host.allowed_ips)
        address6, address4, stood_in = host.address6, host.address4, bool(self._exits.siblings(host))
        links: list[dict[str, Any]] = []
        for way in ways:
            gateway = way.gateway
            routes: list[dict[str, Any]] = [
                {"prefix": prefix, "source": address6 if ":" in prefix else address4} for prefix in way.own
            ]
            if stood_in:
                routes = self._with_direct(host, routes)
            if first.get(gateway.site.name) is gateway:
                routes += [
                    {"prefix": prefix, "source": address6 if ":" in prefix else address4, "metric": LAST_RESORT}
                    for prefix in way.lans
                ]
            links.append(
                {
                    "name": way.interface,
                    "listen_port": ports[gateway.name],
                    "addresses": addresses,
                    "routes": routes,
                    "peers": way.peers,
                }
            )
        return links

    def _ways_of(self, host: Host) -> list[_Way]:
        key = placement(host)
        if key not in self._ways:
            self._ways[key] = [
                way for gateway in self._exits.linked(host) if (way := self._way(host, gateway)) is not None
            ]
        return self._ways[key]

    def _way(self, host: Host, gateway: Host) -> _Way | None:
        with_ipv4 = host.address4 is not None
        lans = self._beyond(host, gateway)
        peer = self._peer(host, gateway, with_ipv4, lans)
        if peer is None:
            return None
        if self._exits.has_link(host=gateway, gateway=host):
            peer = self._at_port(peer, gateway, host)
        own = gateway.allowed_ips if with_ipv4 else gateway.allowed_ips[:1]
        return _Way(gateway, link_interface(gateway), [peer.shown], own, lans)

    def _beyond(self, host: Host, gateway: Host) -> tuple[str, ...]:
        """What a host finds behind a gateway that it has a link to: its LAN, and behind another one of its own site
        all that this one would have reached itself."""
        with_ipv4 = host.address4 is not None
        prefixes = list(entered_prefixes(host, gateway.site))
        if host.is_gateway and host.site.name == gateway.site.name:
            sites = self._estate.sites_by_tenant[host.site.tenant or ""]
            prefixes = [one for site in sites for one in (*overlay_prefixes(site, True), *site.reached_prefixes)]
            # what is translated already, and on its way by the other one
            prefixes += gateway.site.lan_translation.keys()
        return tuple(prefix for prefix in prefixes if with_ipv4 or ":" in prefix)

    def _link_ports(self, host: Host) -> dict[str, int]:
        key = (host.port, placement(host))
        if key not in self._ports:
            self._ports[key] = link_ports(host.port, self._exits.linked(host))
        return self._ports[key]

    def _at_port(self, peer: Peer, other: Host, host: Host) -> Peer:
        """The peer at the port of its own link to the host, where it has an address at all."""
        port = self._link_ports(other).get(host.name)
        if peer.endpoint is None or port is None:
            return peer
        return replace(peer, endpoint=with_port(peer.endpoint.rpartition(":")[0].strip("[]"), port))

    def host(self, host_name: str) -> dict[str, Any]:
        """Everything ``mesh_interfaces`` needs to know about one host. Hosts share the parts: they are for reading."""
        host = self._host(host_name)
        return {
            "addresses": list(host.allowed_ips),
            "peers": [peer.shown for peer in self.peers(host_name)],
            "links": self.links(host_name),
            # a hub that relays IPv4 without an address of its own has no source to offer
            "routes": self._with_direct(
                host, [{"prefix": prefix, "source": _source(host, prefix)} for prefix in self._outlook(host).routes]
            ),
        }

    def _with_direct(self, host: Host, routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The routes, and for a gateway that others stand in for the same in the table of what it sends itself."""
        if not self._exits.siblings(host):
            return routes
        return [
            *routes,
            *({**route, "table": DIRECT_TABLE} for route in routes if ":" in route["prefix"] or host.address4),
        ]

    def _host(self, name: str) -> Host:
        host = self._estate.hosts.get(name)
        if host is None:
            raise BadInput(f"Host {name} is not among the managed hosts of the inventory; add it to a role's group.")
        return host

    def _outlook(self, host: Host) -> _Outlook:
        key: tuple[object, ...] = (host.name,)
        if not host.is_hub:
            placed = (host.endpoint is None, host.lan_endpoint is None)
            # nobody calls a gateway that is not enrolled
            key = (host.site.name, host.is_gateway, *placed, host.is_gateway and host.public_key is None)
        if key not in self._outlooks:
            self._outlooks[key] = self._make_hub_outlook(host) if host.is_hub else self._make_outlook(host)
        return self._outlooks[key]

    def _make_outlook(self, host: Host) -> _Outlook:
        """Of a host below a hub: its hub, its site, gateways of its tenant; a gateway has all hosts of its tenant."""
        estate, with_ipv4 = self._estate, host.address4 is not None
        tenant_sites = estate.sites_by_tenant[host.site.tenant or ""]
        lan_prefixes: list[str] = []
        through_hub: list[str] = []
        found: dict[str, Peer] = {}
        linked = {gateway.name for gateway in self._exits.linked(host)}
        if host.is_gateway:
            # of which the host is one, and the others share what is made here
            linked |= {gateway.name for gateway in self._exits.gateways.get(host.site.name, ())}
        callers: list[Host] = []
        for site in tenant_sites:
            whole = host.is_gateway or site.name == host.site.name
            for other in estate.hosts_by_site[site.name] if whole else estate.gateways_by_site[site.name]:
                if other.is_hub or other.name in linked or (peer := self._peer(host, other, with_ipv4)) is None:
                    continue
                found[other.name] = peer
                if host.is_gateway and other.endpoint is not None and self._calls(other, host):
                    callers.append(other)
            lan = tuple(prefix for prefix in entered_prefixes(host, site) if with_ipv4 or ":" in prefix)
            if not lan:
                continue
            gateways = self._exits.direct(host, site)
            if len(gateways) > 1:
                continue  # by links
            if gateways:
                (gateway,) = gateways
                if (peer := self._peer(host, gateway, with_ipv4, lan)) is not None:
                    found[gateway.name] = peer
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
        return _sorted_outlook(found, route_prefixes(estate, host, lan_prefixes), callers)

    def _calls(self, other: Host, gateway: Host) -> bool:
        return self._exits.has_link(other, gateway)

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
                behind.setdefault(next_hop.name, []).extend(site.reached_prefixes)
                lan_prefixes += site.reached_prefixes
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
        return _sorted_outlook(found, route_prefixes(estate, host, lan_prefixes))

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


def _source(host: Host, prefix: str) -> str | None:
    return host.address6 if ":" in prefix else host.address4


def _sorted_outlook(found: Mapping[str, Peer], routes: list[str], callers: Sequence[Host] = ()) -> _Outlook:
    names = sorted(found)
    return _Outlook(
        peers=[found[name] for name in names],
        position={name: position for position, name in enumerate(names)},
        routes=routes,
        callers=tuple(callers),
    )


def plan_peers(estate: Estate, host_name: str, keepalive_seconds: int = 25) -> list[Mapping[str, Any]]:
    """All peers of one host on whichever interface; who plans for many uses one MeshPlanner."""
    plan = MeshPlanner(estate, keepalive_seconds).host(host_name)
    return [*plan["peers"], *(peer for link in plan["links"] for peer in link["peers"])]
