# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WireGuard interface as data: its files, its live state, and the difference.

Pure: reads nothing and runs nothing. Formats are those of wg(8) and ip(8).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._common.errors import BadInput

_KEYS_AND_ENDPOINTS = re.compile(r"^[ \t]*(PublicKey|Endpoint)[ \t]*=[ \t]*(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PeerState:
    """One peer, desired or current. ``keepalive_seconds`` 0 means off."""

    public_key: str
    endpoint: str | None
    allowed_ips: frozenset[str]
    keepalive_seconds: int
    name: str = ""
    preshared_key_file: str | None = None


@dataclass(frozen=True, slots=True)
class InterfaceState:
    """An interface, desired or current. ``routes`` maps a destination (see `destination`) to its source, if any."""

    listen_port: int
    mtu: int
    addresses: frozenset[str]
    routes: Mapping[str, str | None]
    peers: Mapping[str, PeerState]
    public_key: str | None = None
    up: bool = True


@dataclass(frozen=True, slots=True)
class Action:
    """One command to run; ``about`` says it in words."""

    about: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What brings a live interface to what is desired, in order."""

    actions: list[Action] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.actions)


def destination(prefix: str, metric: int | None = None, table: int | None = None) -> str:
    """What names a route, in the words of ip(8): its prefix, and its metric and table where they are not the usual ones."""
    words = [prefix, *(["metric", str(metric)] if metric else []), *(["table", str(table)] if table else [])]
    return " ".join(words)


def desired_state(parameters: Mapping[str, Any]) -> InterfaceState:
    """The desired interface from the module's parameters; raises BadInput on a prefix given to two peers."""
    peers: dict[str, PeerState] = {}
    owners: dict[str, str] = {}
    for peer in parameters["peers"]:
        label = peer.get("name") or peer["public_key"]
        key = peer["public_key"]
        if key in peers:
            raise BadInput(
                f"Peer {label} is listed twice on interface {parameters['name']}; each public key belongs to one peer."
            )
        for prefix in peer["allowed_ips"]:
            other = owners.setdefault(prefix, key)
            if other != key:
                raise BadInput(
                    f"Prefix {prefix} is given to peers {peers[other].name or other} and {label} "
                    f"of interface {parameters['name']}; one prefix belongs to one peer."
                )
        peers[key] = PeerState(
            public_key=key,
            endpoint=peer.get("endpoint"),
            allowed_ips=frozenset(peer["allowed_ips"]),
            keepalive_seconds=peer.get("keepalive_seconds") or 0,
            name=peer.get("name") or "",
            preshared_key_file=peer.get("preshared_key_file"),
        )
    return InterfaceState(
        listen_port=parameters["listen_port"],
        mtu=parameters["mtu"],
        addresses=frozenset(parameters["addresses"]),
        routes={
            destination(route["prefix"], route.get("metric"), route.get("table")): route["source"]
            for route in parameters["routes"]
        },
        peers=peers,
    )


def peer_block(
    name: str, public_key: str, allowed_ips: Iterable[str], endpoint: str | None, keepalive_seconds: int
) -> str:
    """One peer in the file for ``wg syncconf``, with the empty line before it."""
    lines = ["", f"# {name}", "[Peer]", f"PublicKey = {public_key}", f"AllowedIPs = {', '.join(sorted(allowed_ips))}"]
    if endpoint:
        lines.append(f"Endpoint = {endpoint}")
    if keepalive_seconds:
        lines.append(f"PersistentKeepalive = {keepalive_seconds}")
    return "\n".join(lines) + "\n"


def configuration_of(listen_port: int, blocks: Iterable[str]) -> str:
    """The file for ``wg syncconf``: no private key, and peers as they were rendered."""
    head = f"# Managed by Bocage. The private key is in a file of its own.\n[Interface]\nListenPort = {listen_port}\n"
    return head + "".join(blocks)


def render_configuration(state: InterfaceState) -> str:
    """The file for ``wg syncconf`` with peers in the order of their names."""
    peers = sorted(state.peers.values(), key=lambda peer: (peer.name, peer.public_key))
    return configuration_of(
        state.listen_port,
        (
            peer_block(peer.name, peer.public_key, peer.allowed_ips, peer.endpoint, peer.keepalive_seconds)
            for peer in peers
        ),
    )


def render_keys(state: InterfaceState, private_key_file: str) -> str:
    """Arguments of ``wg set`` for the secrets, which stay in files of their own: four words a line, as the unit counts."""
    lines = [
        f"peer {peer.public_key} preshared-key {peer.preshared_key_file}"
        for peer in sorted(state.peers.values(), key=lambda peer: (peer.name, peer.public_key))
        if peer.preshared_key_file
    ]
    # wg takes what is the interface's before what is a peer's
    return "\n".join([f"listen-port {state.listen_port} private-key {private_key_file}", *lines]) + "\n"


def render_addresses(name: str, state: InterfaceState) -> str:
    """The file for ``ip -batch``: addresses, link and routes."""
    lines = [
        f"address replace {address} dev {name}{' nodad' if ':' in address else ''}"
        for address in sorted(state.addresses)
    ]
    lines.append(f"link set dev {name} mtu {state.mtu} up")
    lines += [
        " ".join(["route replace", *_route(name, prefix, source)]) for prefix, source in sorted(state.routes.items())
    ]
    return "\n".join(lines) + "\n"


def _route(name: str, goal: str, source: str | None) -> list[str]:
    return [*goal.split(), "dev", name, *(["src", source] if source else [])]


def configured_endpoints(configuration: str) -> dict[str, str]:
    """Endpoints by public key that a configuration file holds.

    A peer that moves has another live endpoint; only a change of what was
    configured is a change.
    """
    endpoints: dict[str, str] = {}
    key = ""
    for name, value in _KEYS_AND_ENDPOINTS.findall(configuration):
        if name == "PublicKey":
            key = value
        elif key:
            endpoints[key] = value
    return endpoints


def current_device(shown: str) -> tuple[str, int, dict[str, PeerState]]:
    """Public key, port and peers from ``wg show INTERFACE dump`` without its secrets.

    A line of public key and port, then one of public key, endpoint, prefixes and keepalive for each peer; tabs between.
    """
    first, *lines = shown.splitlines() or [""]
    public_key, _tab, port = first.partition("\t")
    peers = {}
    for line in lines:
        key, endpoint, prefixes, keepalive = line.split("\t")
        peers[key] = PeerState(
            public_key=key,
            endpoint=None if endpoint == "(none)" else endpoint,
            allowed_ips=frozenset() if prefixes == "(none)" else frozenset(prefixes.split(",")),
            keepalive_seconds=0 if keepalive == "off" else int(keepalive),
        )
    return public_key, int(port or 0), peers


def _peer_arguments(peer: PeerState, with_endpoint: bool) -> list[str]:
    arguments = ["peer", peer.public_key]
    if with_endpoint and peer.endpoint:
        arguments += ["endpoint", peer.endpoint]
    arguments += ["persistent-keepalive", str(peer.keepalive_seconds or "off")]
    if peer.preshared_key_file:
        arguments += ["preshared-key", peer.preshared_key_file]
    arguments += ["allowed-ips", ",".join(sorted(peer.allowed_ips))]
    return arguments


def _batches(groups: Sequence[list[str]], size: int = 200) -> list[list[str]]:
    """Several peers in one command, few enough for the length of a command line."""
    return [[word for group in groups[start : start + size] for word in group] for start in range(0, len(groups), size)]


def _peer_actions(
    name: str,
    desired: InterfaceState,
    current: InterfaceState,
    endpoints: Mapping[str, str],
    other_secrets: Collection[str],
) -> list[Action]:
    removed = [key for key in current.peers if key not in desired.peers]
    actions = [
        Action(f"remove {len(batch) // 3} peers", ("wg", "set", name, *batch))
        for batch in _batches([["peer", key, "remove"] for key in sorted(removed)])
    ]
    changes: list[list[str]] = []
    for key, peer in sorted(desired.peers.items()):
        live = current.peers.get(key)
        # what was configured decides, so that a peer that roams is left where it is
        moved = peer.endpoint is not None and (
            live is None
            or live.endpoint is None
            or (endpoints.get(key) != peer.endpoint and live.endpoint != peer.endpoint)
        )
        if (
            live is None
            or moved
            or live.allowed_ips != peer.allowed_ips
            or live.keepalive_seconds != peer.keepalive_seconds
            or key in other_secrets
        ):
            changes.append(_peer_arguments(peer, moved))
    actions += [Action(f"set {batch.count('peer')} peers", ("wg", "set", name, *batch)) for batch in _batches(changes)]
    return actions


def plan(
    name: str,
    desired: InterfaceState,
    current: InterfaceState,
    endpoints: Mapping[str, str],
    private_key_file: str,
    other_secrets: Collection[str] = (),
) -> Plan:
    """Commands that bring the live interface to ``desired`` and touch nothing else.

    ``endpoints`` are those of the configuration applied before. ``current.public_key``
    None means that the interface has another key than the file and takes it anew.
    ``other_secrets`` are peers whose live pre-shared key is not that of their file.
    """
    actions: list[Action] = []
    if current.public_key is None:
        actions.append(Action("set the private key", ("wg", "set", name, "private-key", private_key_file)))
    if current.listen_port != desired.listen_port:
        actions.append(
            Action(f"listen on {desired.listen_port}", ("wg", "set", name, "listen-port", str(desired.listen_port)))
        )
    actions += _peer_actions(name, desired, current, endpoints, other_secrets)
    if not current.up:
        # a link that is down takes no routes
        actions.append(Action("bring the link up", ("ip", "link", "set", "dev", name, "up")))
    for address in sorted(desired.addresses - current.addresses):
        flags = ("nodad",) if ":" in address else ()
        actions.append(Action(f"add address {address}", ("ip", "address", "replace", address, "dev", name, *flags)))
    if current.mtu != desired.mtu:
        actions.append(Action(f"set mtu {desired.mtu}", ("ip", "link", "set", "dev", name, "mtu", str(desired.mtu))))
    removed = sorted(current.addresses - desired.addresses)
    gone = [
        Action(f"remove route {prefix}", ("ip", "route", "del", *_route(name, prefix, None)))
        for prefix in sorted(set(current.routes) - set(desired.routes))
    ]
    # before routes are set: an address takes with it the routes that it is the source of
    actions += gone if removed else []
    actions += [Action(f"remove address {one}", ("ip", "address", "del", one, "dev", name)) for one in removed]
    # and the last IPv4 address takes all routes of IPv4
    lost_ipv4 = any(":" not in one for one in removed) and all(":" in one for one in desired.addresses)
    for prefix, source in sorted(desired.routes.items()):
        lost = lost_ipv4 and ":" not in prefix
        if lost or prefix not in current.routes or current.routes[prefix] != source:
            actions.append(Action(f"route {prefix}", ("ip", "route", "replace", *_route(name, prefix, source))))
    # after all others: where only the metric of a route differs, there is a way at every moment
    actions += [] if removed else gone
    return Plan(actions)
