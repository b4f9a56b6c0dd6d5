# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Epochs of mesh keys: which key a host has in which epoch, and the interfaces of a host while two epochs are in use.

Pure. Between two epochs each host has every interface twice, with the same addresses, the same peers and the same
prefixes; for each peer one of the two is chosen, and the metric of the routes makes it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from .._common.errors import BadInput
from .._common.estate import Host
from .._common.links import main_interface
from .rotation import Rotation

DIRECTORY = "/etc/bocage/mesh"
ENROLLED_KEY_FILE = f"{DIRECTORY}/private.key"
# Behind every route that is in use. One for each parity: two routes of one metric would take each other's place.
_BEHIND = 4096
_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535
# Eight bits of a mark tell the interfaces of a class apart; half of them for each parity.
_MARKS_OF_A_PARITY = 128


@dataclass(frozen=True, slots=True)
class HostKeys:
    """The verified public keys of a host: of its enrolment, and of the epochs that it made statements for."""

    enrolled: str | None
    generation: int = 1
    epochs: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """A host's key in one epoch, and where the host has the private half."""

    public: str
    file: str
    stated: bool


def key_file(epoch: int) -> str:
    return f"{DIRECTORY}/epoch-{epoch}.key" if epoch else ENROLLED_KEY_FILE


def preshared_key_file(epoch: int, peer: str) -> str:
    return f"{DIRECTORY}/psk-{epoch}/{peer}"


class Epochs:
    """The keys of all hosts; raises BadInput where two hosts have one key, in whatever epochs."""

    def __init__(self, rotation: Rotation | None, hosts: Mapping[str, HostKeys]) -> None:
        self.rotation = rotation
        self._hosts = hosts
        self._owners: dict[str, str] = {}
        for name, keys in hosts.items():
            for key in {*keys.epochs.values(), *([keys.enrolled] if keys.enrolled else [])}:
                if (owner := self._owners.setdefault(key, name)) != name:
                    raise BadInput(
                        f"Hosts {owner} and {name} have the same mesh key; "
                        "one of them is a copy: make it a new key and enrol it again."
                    )

    @property
    def settled(self) -> int:
        """The epoch in which everybody can be reached who is awake."""
        return 0 if self.rotation is None else self.rotation.base

    def key(self, name: str, epoch: int) -> Key | None:
        """The key of a host in an epoch, or None where it has none that counts.

        A host that came after the epoch began uses the key that it was enrolled with, until the next rotation.
        """
        keys = self._hosts.get(name)
        if keys is None or keys.enrolled is None:
            return None
        stated = keys.epochs.get(epoch)
        if stated is not None:
            return Key(stated, key_file(epoch), True)
        enrolled = Key(keys.enrolled, ENROLLED_KEY_FILE, False)
        if self.rotation is None:
            return enrolled if epoch == 0 else None
        known = self.rotation.hosts.get(name)
        if known is None or keys.generation > known.generation:
            return enrolled if epoch == self.rotation.base else None
        return enrolled if epoch in known.enrolled_in else None

    def any_key(self, name: str) -> str | None:
        """A key by which the host is in the plan at all."""
        for epoch in self.live(name):
            if (key := self.key(name, epoch)) is not None:
                return key.public
        return None

    def live(self, name: str) -> list[int]:
        """The epochs in which a host has interfaces, the chosen one last."""
        if self.rotation is None:
            return [0]
        live = [epoch for epoch in self.rotation.live if self.key(name, epoch) is not None]
        return sorted(live, key=lambda epoch: epoch == self._chosen_base(name))

    def main_interface(self, name: str) -> str:
        """The interface by which a host sends at the moment."""
        return main_interface((self.live(name) or [self.settled])[-1])

    def _chosen_base(self, name: str) -> int:
        rotation = self.rotation
        if rotation is None:
            return 0
        return rotation.new if rotation.has_moved(name) else rotation.base

    def chosen(self, name: str, peer: str) -> int:
        """The epoch over which a host sends to a peer."""
        rotation = self.rotation
        if rotation is None:
            return 0
        if self.key(peer, rotation.new) is None or rotation.is_unproven(name, peer):
            return rotation.base
        return self._chosen_base(name)

    def interfaces(self, name: str, plan: Mapping[str, Any], port: int) -> dict[str, Any]:
        """What is added to the plan of a host, which is that of epoch 0: its interfaces in all live epochs.

        The one that is left comes first: its routes step behind before those of the chosen one step forward.
        """
        if self.rotation is None:
            return {}
        planned = [
            {
                "name": main_interface(),
                "listen_port": port,
                "addresses": plan["addresses"],
                "routes": plan["routes"],
                "peers": plan["peers"],
                **{key: plan[key] for key in ("mtu",) if key in plan},
            },
            *plan.get("links", ()),
        ]
        made: list[dict[str, Any]] = []
        live = self.live(name)
        for epoch in live:
            for one in planned:
                interface = self._interface(name, one, epoch, len(live) > 1)
                if interface is not None:
                    made.append(interface)
        base = live[-1] if live else self.settled
        key = self.key(name, base)
        return {
            "interfaces": made,
            "epoch": base,
            "main_interface": self.main_interface(name),
            "key_file": key_file(base) if key is None else key.file,
            "live_epochs": self._kept(name, live),
            "public_key": None if key is None else key.public,
        }

    def classes(self, name: str, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The interfaces of a host's traffic classes in all live epochs, each with a mark of its own."""
        made: list[dict[str, Any]] = []
        for epoch in self.live(name):
            for one in plan["interfaces"]:
                peers = [
                    {**peer, "public_key": key.public}
                    for peer in one["peers"]
                    if (key := self._key_of_planned(peer["public_key"], epoch)) is not None
                ]
                if peers:
                    made.append(
                        {
                            **one,
                            "name": _in_epoch(one["name"], epoch),
                            "follows": _in_epoch(one["follows"], epoch),
                            "port": _port(one["port"], epoch),
                            "mark": one["mark"] + _MARKS_OF_A_PARITY * (epoch % 2),
                            "peers": peers,
                        }
                    )
        return made

    def _key_of_planned(self, planned: str, epoch: int) -> Key | None:
        """The key of the host that the plan knows by another one."""
        return self.key(self._owners[planned], epoch)

    def _kept(self, name: str, live: list[int]) -> list[int]:
        """Epochs whose secrets a host needs; 0 also stands for the key of its enrolment in whatever epoch."""
        keys = {epoch: key for epoch in live if (key := self.key(name, epoch)) is not None}
        return sorted({epoch if key.stated else 0 for epoch, key in keys.items()})

    def _interface(self, name: str, one: Mapping[str, Any], epoch: int, two: bool) -> dict[str, Any] | None:
        key = self.key(name, epoch)
        if key is None:
            return None
        peers = [made for peer in one["peers"] if (made := self._peer(peer, key, epoch)) is not None]
        if one["name"] != main_interface() and not peers:
            return None  # a link whose one peer is not there
        routes = list(one["routes"])
        if two:
            routes = self._routes(name, one, epoch)
        return {
            **one,
            "name": _in_epoch(one["name"], epoch),
            "listen_port": _port(one["listen_port"], epoch),
            "private_key_file": key.file,
            "routes": routes,
            "peers": peers,
        }

    def _peer(self, peer: Mapping[str, Any], own: Key, epoch: int) -> dict[str, Any] | None:
        key = self.key(peer["name"], epoch)
        if key is None:
            return None
        made = {**peer, "public_key": key.public}
        if peer["endpoint"] is not None:
            address, _colon, port = peer["endpoint"].rpartition(":")
            made["endpoint"] = f"{address}:{_port(int(port), epoch)}"
        if key.stated and own.stated:
            made["preshared_key_file"] = preshared_key_file(epoch, peer["name"])
        return made

    def _routes(self, name: str, one: Mapping[str, Any], epoch: int) -> list[dict[str, Any]]:
        """The routes of one interface while there are two of it.

        A prefix goes where the peer is that carries it. Peers that are elsewhere have routes of their own prefixes.
        """
        networks = {route["prefix"]: ip_network(route["prefix"]) for route in one["routes"]}
        ways: dict[str, int] = {}
        for prefix, network in networks.items():
            carrier = _carrier(network, one["peers"])
            ways[prefix] = self._chosen_base(name) if carrier is None else self.chosen(name, carrier)
        routes = [
            route if ways[route["prefix"]] == epoch else {**route, "metric": _behind(route.get("metric"), epoch)}
            for route in one["routes"]
        ]
        for peer in one["peers"]:
            way = self.chosen(name, peer["name"])
            if way != epoch:
                continue
            for prefix in peer["allowed_ips"]:
                if prefix in ways:
                    continue
                network = ip_network(prefix)
                over = [route for route in one["routes"] if _covers(networks[route["prefix"]], network)]
                if (
                    over
                    and ways[(best := max(over, key=lambda route: networks[route["prefix"]].prefixlen))["prefix"]]
                    != way
                ):
                    routes.append({"prefix": prefix, "source": best["source"]})
        return routes


def with_epochs(epochs: Epochs, host: Host, plan: dict[str, Any]) -> dict[str, Any]:
    """The plan of a host with its interfaces by epoch, where keys were ever rotated; else as it is."""
    return plan if epochs.rotation is None else {**plan, **epochs.interfaces(host.name, plan, host.port)}


def classes_with_epochs(epochs: Epochs, name: str, plan: dict[str, Any]) -> dict[str, Any]:
    """The same for the plan of a host's traffic classes."""
    return plan if epochs.rotation is None else {**plan, "interfaces": epochs.classes(name, plan)}


def _in_epoch(name: str, epoch: int) -> str:
    """The name of the same interface in another epoch."""
    usual = main_interface()
    if not name.startswith(usual):
        raise BadInput(f"The interface {name} cannot rotate its key; the overlay's names begin with {usual}.")
    return f"{main_interface(epoch)}{name.removeprefix(usual)}"


def _port(port: int, epoch: int) -> int:
    if epoch % 2 == 0 or port == 0:
        return port
    return port + 1 if port + 1 < _HIGHEST_PORT else _LOWEST_PORT


def _behind(metric: int | None, epoch: int) -> int:
    return (metric or 0) + _BEHIND + epoch % 2


def _covers(wide: IPv4Network | IPv6Network, narrow: IPv4Network | IPv6Network) -> bool:
    return (
        wide.version == narrow.version
        and wide.prefixlen <= narrow.prefixlen
        and int(narrow.network_address) >> (narrow.max_prefixlen - wide.prefixlen)
        == int(wide.network_address) >> (wide.max_prefixlen - wide.prefixlen)
    )


def _carrier(network: IPv4Network | IPv6Network, peers: Iterable[Mapping[str, Any]]) -> str | None:
    """The peer that has the whole of a prefix, by the longest match."""
    found: tuple[int, str] | None = None
    for peer in peers:
        for prefix in peer["allowed_ips"]:
            wide = ip_network(prefix)
            if _covers(wide, network) and (found is None or wide.prefixlen > found[0]):
                found = (wide.prefixlen, peer["name"])
    return None if found is None else found[1]
