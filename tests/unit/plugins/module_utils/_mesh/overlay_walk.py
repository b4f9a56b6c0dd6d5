# SPDX-License-Identifier: GPL-3.0-or-later
"""An overlay of planned hosts in which packets are followed, as WireGuard and the hosts' firewalls would treat them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bocage_core._common.estate import Estate
from bocage_core._gateway.access import plan_access
from bocage_core._mesh.peers import MeshPlanner

Prefix = tuple[int, int, int]  # version, network, bits after the prefix


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
        self.access = {name: plan_access(estate, name) for name in enrolled}
        self.peers = {name: {peer["name"]: peer for peer in plan["peers"]} for name, plan in self.plans.items()}
        self._tables = {
            name: [(prefix_of(prefix), peer["name"]) for peer in plan["peers"] for prefix in peer["allowed_ips"]]
            for name, plan in self.plans.items()
        }
        self._routes = {
            name: [prefix_of(route["prefix"]) for route in plan["routes"]] for name, plan in self.plans.items()
        }
        self._own = {
            name: {address.split("/")[0] for address in plan["addresses"]} for name, plan in self.plans.items()
        }

    def owner(self, host: str, version: int, address: int) -> str | None:
        """The peer that an address belongs to on a host: the longest match (WireGuard, section 2)."""
        best, bits = None, 129
        for prefix, peer in self._tables[host]:
            if prefix[2] < bits and holds(prefix, version, address):
                best, bits = peer, prefix[2]
        return best

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
        version = ipaddress.ip_address(target).version
        source_number, target_number = int(ipaddress.ip_address(source)), int(ipaddress.ip_address(target))
        path = [start]
        while True:
            at = path[-1]
            if not any(holds(route, version, target_number) for route in self._routes[at]):
                return Walk(tuple(path), "no route")
            peer = self.owner(at, version, target_number)
            if peer is None:
                return Walk(tuple(path), "no peer")
            if not self.can_begin(at, peer):
                return Walk(tuple(path), f"{at} cannot find {peer}")
            if self.owner(peer, version, source_number) != at:
                return Walk((*path, peer), "the source belongs to another peer")
            path.append(peer)
            access = self.access[peer]
            if target in self._own[peer]:
                accepted = answer or any_holds(access["overlay_sources"], source)
                return Walk(tuple(path), None if accepted else "the host refuses")
            exits = access["exits"]
            if exits and any_holds(exits["destinations"], target):
                return Walk(tuple(path), None if any_holds(exits["sources"], source) else "the gateway refuses")
            if not answer and not any(
                any_holds(relay["prefixes"], source) and any_holds([*relay["prefixes"], *relay["destinations"]], target)
                for relay in access["relays"]
            ):
                return Walk(tuple(path), "the hub refuses")
            if len(path) > 5:
                return Walk(tuple(path), "a loop")
