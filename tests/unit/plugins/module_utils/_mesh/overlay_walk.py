# SPDX-License-Identifier: GPL-3.0-or-later
"""An overlay of planned hosts in which packets are followed, as WireGuard and the hosts' firewalls would treat them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bocage_core._common.estate import Estate, Host, Site
from bocage_core._common.exits import entered_prefixes, on_lan
from bocage_core._gateway.access import plan_access
from bocage_core._mesh.peers import MeshPlanner

Prefix = tuple[int, int, int]  # version, network, bits after the prefix


@lru_cache(maxsize=100_000)
def prefix_of(text: str) -> Prefix:
    network = ipaddress.ip_network(text)
    return network.version, int(network.network_address), network.max_prefixlen - network.prefixlen


def holds(prefix: Prefix, version: int, address: int) -> bool:
    return prefix[0] == version and prefix[1] >> prefix[2] == address >> prefix[2]


def any_holds(prefixes: Iterable[str], address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return any(holds(prefix_of(prefix), parsed.version, int(parsed)) for prefix in prefixes)


def first_address(prefix: str) -> str:
    """A usable address of a LAN."""
    return str(ipaddress.ip_network(prefix).network_address + 9)


@lru_cache(maxsize=100_000)
def address_of(text: str) -> tuple[int, int]:
    parsed = ipaddress.ip_address(text)
    return parsed.version, int(parsed)


class Table:
    """Prefixes with what belongs to each; the longest match decides."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        self._by_length: dict[tuple[int, int], dict[int, str]] = {}
        for text, value in entries:
            version, network, bits = prefix_of(text)
            self._by_length.setdefault((version, bits), {})[network >> bits] = value
        self._lengths = {
            family: sorted(bits for version, bits in self._by_length if version == family) for family in (4, 6)
        }

    def find(self, address: str) -> str | None:
        return next(self.matches(address), None)

    def matches(self, address: str) -> Iterator[str]:
        """What belongs to each prefix that holds the address, the longest first."""
        version, number = address_of(address)
        for bits in self._lengths[version]:
            value = self._by_length[version, bits].get(number >> bits)
            if value is not None:
                yield value

    def __contains__(self, address: str) -> bool:
        return self.find(address) is not None


def table_of(prefixes: Iterable[str]) -> Table:
    return Table((prefix, prefix) for prefix in prefixes)


@dataclass(frozen=True)
class Firewall:
    """The access plan of a host, to look addresses up in."""

    overlay: Table
    relays: tuple[tuple[Table, Table], ...]
    exits: tuple[Table, Table] | None

    @classmethod
    def of(cls, access: dict[str, Any]) -> Firewall:
        exits = access["exits"]
        return cls(
            overlay=table_of(access["overlay_sources"]),
            relays=tuple(
                (table_of(relay["prefixes"]), table_of([*relay["prefixes"], *relay["destinations"]]))
                for relay in access["relays"]
            ),
            exits=(table_of(exits["sources"]), table_of(exits["destinations"])) if exits else None,
        )

    def relays_between(self, source: str, target: str) -> bool:
        return any(source in sources and target in targets for sources, targets in self.relays)


def interfaces_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The main interface, then the links."""
    return [{"peers": plan["peers"], "routes": plan["routes"]}, *plan["links"]]


@dataclass(frozen=True)
class Walk:
    """Where a packet went; ``refused`` says why it went no further."""

    path: tuple[str, ...]
    refused: str | None

    @property
    def end(self) -> str | None:
        return None if self.refused else self.path[-1]


class Overlay:
    """All enrolled hosts of an estate with what was planned for them."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.planner = MeshPlanner(estate)
        enrolled = [name for name, host in estate.hosts.items() if host.public_key is not None]
        self.plans: dict[str, dict[str, Any]] = {name: self.planner.host(name) for name in enrolled}
        self.firewalls = {name: Firewall.of(plan_access(estate, name)) for name in enrolled}
        self.peers = {
            name: {peer["name"]: peer for interface in interfaces_of(plan) for peer in interface["peers"]}
            for name, plan in self.plans.items()
        }
        # by host and interface, which prefix belongs to which peer
        self.tables = {
            name: [
                Table((prefix, peer["name"]) for peer in interface["peers"] for prefix in peer["allowed_ips"])
                for interface in interfaces_of(plan)
            ]
            for name, plan in self.plans.items()
        }
        # by host, which prefix goes into which interface; where no protocol runs, as at the first boot
        self._routes = {
            name: Table(
                (route["prefix"], str(number))
                for number, interface in enumerate(interfaces_of(plan))
                for route in interface["routes"]
            )
            for name, plan in self.plans.items()
        }
        self._own = {
            name: {address.split("/")[0] for address in plan["addresses"]} for name, plan in self.plans.items()
        }

    def owner(self, host: str, address: str) -> str | None:
        """The peer to which a host sends: its route says on which interface, and there the longest match decides."""
        interface = self._routes[host].find(address)
        return None if interface is None else self.tables[host][int(interface)].find(address)

    def takes(self, host: str, peer: str, address: str) -> bool:
        """Whether a host takes packets of this source from the peer, on an interface that has it."""
        return any(table.find(address) == peer for table in self.tables[host])

    def can_begin(self, host: str, peer: str) -> bool:
        """Whether packets get from a host to its peer: it knows where, or the peer keeps a path open."""
        if self.peers[host][peer]["endpoint"] is not None:
            return True
        back = self.peers[peer][host]
        return back["endpoint"] is not None and (
            back["keepalive_seconds"] > 0 or self.estate.hosts[peer].endpoint is not None
        )

    def walk(self, source: str, start: str, target: str, answer: bool = False) -> Walk:
        """Follow a packet; an ``answer`` belongs to a connection that the firewalls already let through."""
        path = [start]
        while True:
            at = path[-1]
            if target not in self._routes[at]:
                return Walk(tuple(path), "no route")
            peer = self.owner(at, target)
            if peer is None:
                return Walk(tuple(path), "no peer")
            if not self.can_begin(at, peer):
                return Walk(tuple(path), f"{at} cannot find {peer}")
            if not self.takes(peer, at, source):
                return Walk((*path, peer), "the source belongs to another peer")
            path.append(peer)
            firewall = self.firewalls[peer]
            if target in self._own[peer]:
                accepted = answer or source in firewall.overlay
                return Walk(tuple(path), None if accepted else "the host refuses")
            if firewall.exits and target in firewall.exits[1]:
                return Walk(tuple(path), None if source in firewall.exits[0] else "the gateway refuses")
            if not answer and not firewall.relays_between(source, target):
                return Walk(tuple(path), "the hub refuses")
            if len(path) > 5:
                return Walk(tuple(path), "a loop")


def prove_pair(overlay: Overlay, one: Host, other: Host) -> None:
    """Whoever may reach the other does, in each family that both have, and nobody else."""
    for source, target in ((one.address6, other.address6), (one.address4, other.address4)):
        if source is None or target is None:
            continue
        walk = overlay.walk(source, one.name, target)
        if overlay.estate.may_reach(one, other):
            assert walk.end == other.name, (one.name, other.name, walk)
        else:
            assert walk.refused in ("no route", "no peer", "the hub refuses"), (one.name, other.name, walk)


def prove_lan(overlay: Overlay, host: Host, site: Site, prefix: str) -> None:
    """A host enters a LAN of its tenant by one of its gateways, which answers by the same way; nobody else enters."""
    source = host.address6 if ":" in prefix else host.address4
    if source is None or host.is_hub or on_lan(host, site):
        return
    target = first_address(prefix)
    walk = overlay.walk(source, host.name, target)
    gateways = [one.name for one in overlay.estate.gateways_by_site[site.name] if one.public_key is not None]
    if host.site.tenant != site.tenant or not gateways:
        assert walk.end is None, (host.name, prefix, walk)
        return
    assert walk.end in gateways, (host.name, prefix, walk)
    back = overlay.walk(target, walk.path[-1], source, answer=True)
    assert back.path == walk.path[::-1], (host.name, prefix, back)


def prove_links(overlay: Overlay, host: Host) -> None:
    """Each link reaches the LAN through its own gateway, whichever a routing protocol prefers, and the answer comes back."""
    for link in overlay.plans[host.name]["links"]:
        (peer,) = link["peers"]
        gateway = overlay.estate.hosts[peer["name"]]
        site = gateway.site
        assert overlay.can_begin(host.name, gateway.name), (host.name, link["name"])
        if host.is_gateway and site.name == host.site.name:
            # a sibling: what one of them no longer carries, the other one takes over
            assert any(one["peers"][0]["name"] == host.name for one in overlay.plans[gateway.name]["links"])
            continue
        reached = Table((prefix, gateway.name) for prefix in peer["allowed_ips"])
        firewall = overlay.firewalls[gateway.name]
        for prefix in entered_prefixes(host, site):
            source, target = host.address6 if ":" in prefix else host.address4, first_address(prefix)
            if source is None:
                continue
            assert reached.find(target) == gateway.name, (host.name, gateway.name, prefix)
            assert overlay.takes(gateway.name, host.name, source), (host.name, gateway.name, "the source is another's")
            assert firewall.exits is not None and source in firewall.exits[0], (host.name, gateway.name, prefix)
            assert overlay.walk(target, gateway.name, source, answer=True).path == (gateway.name, host.name)
