# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One WireGuard interface for each traffic class, beside each interface that carries traffic out.

WireGuard copies ECN but not DSCP to the outer header, so packets of a class are told
apart outside by the port of an interface of their own. It mirrors the interface that
it stands beside: the same peers with the same AllowedIPs, as far as both ends have the
class. Routing decides as without classes, and a packet takes the mirror of whatever
interface was chosen; so classes follow a takeover, and need no routes of their own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .._common.errors import BocageError
from .._common.estate import Estate, Host
from .._common.links import main_interface, main_port
from .._common.traffic_classes import TrafficClass

# Above the two ports of a main interface, two for each class: one an epoch.
_FIRST_PORT, _PORTS_OF_A_CLASS = 4, 2
# Ports of links are spread over this many above the main one; each class has as many of its own.
_SPAN_OF_LINKS = 8300
_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535
# Marks of packets; tables of routes have the same numbers. Eight bits each for the class and the interface.
_MARKS = 0x0B0C0000
_LONGEST_NAME = 15


def class_name(follows: str, number: int) -> str:
    """Name of the interface of a class beside another one: that of the main one has no suffix."""
    main, separator, _link = follows.partition("-")
    name = f"{main}v{number}"
    if separator:
        digest = base64.b32encode(hashlib.sha256(follows.encode()).digest()).decode().lower()
        name = f"{name}-{digest[: _LONGEST_NAME - len(name) - 1]}"
    if len(name) > _LONGEST_NAME:
        raise BocageError(
            f"The interface {follows} has no room for the name of a class behind it; choose a mesh_interface_name "
            "of at most 13 characters."
        )
    return name


def class_port(port: int, main_port: int, number: int) -> int:
    """Port of a class where the interface beside it has ``port`` on a host whose main interface has ``main_port``."""
    if port - main_port in (0, 1):
        return port + _FIRST_PORT + _PORTS_OF_A_CLASS * number
    shifted = port + _SPAN_OF_LINKS * number - _LOWEST_PORT
    return shifted % (_HIGHEST_PORT - _LOWEST_PORT) + _LOWEST_PORT


class ClassPlanner:
    """Adds the interfaces of classes to what the mesh planner makes of a host."""

    def __init__(self, estate: Estate, plan_mesh: Callable[[str], dict[str, Any]]) -> None:
        self._estate = estate
        self._plan_mesh = plan_mesh
        self._meshes: dict[str, dict[str, Any]] = {}
        self._links: dict[str, list[dict[str, Any]]] = {}
        self._identities = {
            host.name: frozenset(one.identity for one in host.traffic_classes if one.number)
            for host in estate.hosts.values()
        }

    def mesh(self, host_name: str) -> dict[str, Any]:
        """The mesh plan of a host with the interfaces of its classes among the links."""
        links = [
            {key: value for key, value in one.items() if key not in ("class", "follows")}
            for one in self.links(host_name)
        ]
        mesh = self._meshes[host_name]
        return {**mesh, "links": [*(mesh.get("links") or ()), *links]} if links else mesh

    def host(self, host_name: str) -> dict[str, Any]:
        """What the host itself needs to know of its classes: these, and their interfaces with a mark for each."""
        follows: list[str] = []
        interfaces: list[dict[str, Any]] = []
        for link in self.links(host_name):
            if link["follows"] not in follows:
                follows.append(link["follows"])
            mark = _MARKS + (link["class"] << 8) + follows.index(link["follows"])
            interfaces.append({key: link[key] for key in ("name", "follows", "class")})
            interfaces[-1].update(
                port=link["listen_port"], mark=mark, peers=[self._heard(peer) for peer in link["peers"]]
            )
        host = self._estate.hosts[host_name]
        return {
            "classes": [one.to_dict() for one in host.traffic_classes],
            "interfaces": interfaces,
            "source": host.address6,
        }

    def _heard(self, peer: Mapping[str, Any]) -> dict[str, Any]:
        """How a host finds out whether it hears a peer: who cannot be called calls by itself."""
        address = self._estate.hosts[peer["name"]].address6
        return {"public_key": peer["public_key"], "address": address, "calls": peer["endpoint"] is None}

    def with_ports(self, host_name: str, access: dict[str, Any]) -> dict[str, Any]:
        """An access plan with the ports of classes among those of the overlay, for both epochs of keys."""
        ports = {port for one in self.links(host_name) for port in _both_epochs(one["listen_port"])}
        return {**access, "mesh_ports": sorted({*access["mesh_ports"], *ports})} if ports else access

    def links(self, host_name: str) -> list[dict[str, Any]]:
        """The interfaces of all classes of a host, as the links of a mesh plan with ``class`` and ``follows`` beside."""
        if host_name not in self._links:
            mesh = self._meshes[host_name] = self._plan_mesh(host_name)
            found = list(self._made(self._estate.hosts[host_name], mesh))
            names = [one["name"] for one in found]
            if len(set(names)) < len(names):
                raise BocageError(
                    f"Two interfaces of classes of host {host_name} would have one name; give a gateway another host_index."
                )
            self._links[host_name] = found
        return self._links[host_name]

    def _made(self, host: Host, mesh: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        main = {**mesh, "name": main_interface(), "listen_port": main_port(host.port)}
        bases = [main, *(mesh.get("links") or ())]
        for one in host.traffic_classes:
            for base in bases if one.number else ():
                peers = list(self._peers(host, base["peers"], one))
                if peers:
                    yield {
                        "name": class_name(base["name"], one.number),
                        "listen_port": class_port(base["listen_port"], host.port, one.number),
                        # packets keep the source that was chosen with the interface beside it
                        "addresses": [],
                        "routes": [],
                        "peers": peers,
                        **{key: base[key] for key in ("mtu",) if key in base},
                        "class": one.number,
                        "follows": base["name"],
                    }

    def _peers(self, host: Host, peers: Iterable[Mapping[str, Any]], one: TrafficClass) -> Iterator[dict[str, Any]]:
        for peer in peers:
            other = self._estate.hosts[peer["name"]]
            if one.identity not in self._identities[other.name] or _siblings(host, other):
                continue
            endpoint = peer["endpoint"]
            if endpoint is not None:
                address, _colon, port = endpoint.rpartition(":")
                endpoint = f"{address}:{class_port(int(port), other.port, one.number)}"
            yield {**peer, "endpoint": endpoint}


def _siblings(host: Host, other: Host) -> bool:
    """Gateways of one site pass on over their LAN what came in by the wrong one; nothing is scarce there."""
    return host.is_gateway and other.is_gateway and host.site.name == other.site.name


def _both_epochs(port: int) -> tuple[int, int]:
    """Ports of interfaces begin with that of epoch 0."""
    return port, port + 1
