# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a live interface differs from its files, in sentences for a report.

Pure: reads the files that `interface` renders, compares with the state that `device` reads.
"""

from __future__ import annotations

from collections.abc import Iterator

from .interface import InterfaceState, PeerState, destination


def configured_state(configuration: str, addresses: str) -> InterfaceState:
    """The desired interface from its two files: that of `wg syncconf` and that of `ip -batch`."""
    listen_port = 0
    peers: dict[str, PeerState] = {}
    name = ""
    values: dict[str, str] = {}

    def finish() -> None:
        key = values.get("PublicKey")
        if key is not None:
            keepalive = values.get("PersistentKeepalive", "off")
            peers[key] = PeerState(
                public_key=key,
                endpoint=values.get("Endpoint"),
                allowed_ips=frozenset(part.strip() for part in values.get("AllowedIPs", "").split(",") if part.strip()),
                keepalive_seconds=0 if keepalive == "off" else int(keepalive),
                name=values.get("name", ""),
            )

    for line in map(str.strip, configuration.splitlines()):
        if line.startswith("#"):
            name = line.removeprefix("#").strip()
        elif line == "[Peer]":
            finish()
            values = {"name": name}
        elif "=" in line:
            option, _equals, value = (part.strip() for part in line.partition("="))
            if option == "ListenPort":
                listen_port = int(value)
            else:
                values[option] = value
    finish()
    mtu, own, routes = _link(addresses)
    return InterfaceState(listen_port=listen_port, mtu=mtu, addresses=frozenset(own), routes=routes, peers=peers)


def differences(name: str, desired: InterfaceState, current: InterfaceState) -> list[str]:
    """One sentence for each difference; none when the host is as it was configured."""
    return list(_differences(name, desired, current))


def _differences(name: str, desired: InterfaceState, current: InterfaceState) -> Iterator[str]:
    if not current.up:
        yield f"The interface {name} is down."
    if current.listen_port != desired.listen_port:
        yield f"The interface {name} listens on port {current.listen_port} instead of {desired.listen_port}."
    if desired.mtu and current.mtu != desired.mtu:
        yield f"The interface {name} has an MTU of {current.mtu} instead of {desired.mtu}."
    for address in sorted(desired.addresses - current.addresses):
        yield f"The address {address} is missing."
    for address in sorted(current.addresses - desired.addresses):
        yield f"The address {address} is not configured."
    for prefix, source in sorted(desired.routes.items()):
        if prefix not in current.routes or current.routes[prefix] != source:
            wanted = f"or has another source than {source}" if source else "or has a source where none is configured"
            yield f"The route to {prefix} is missing {wanted}."
    for prefix in sorted(current.routes.keys() - desired.routes.keys()):
        yield f"The route to {prefix} is not configured."
    for key, peer in sorted(desired.peers.items()):
        label = peer.name or key
        live = current.peers.get(key)
        if live is None:
            yield f"The peer {label} is missing."
        elif live.allowed_ips != peer.allowed_ips:
            yield f"The peer {label} has other allowed addresses than configured."
        elif live.keepalive_seconds != peer.keepalive_seconds:
            yield f"The peer {label} has another keepalive than the configured {peer.keepalive_seconds} seconds."
    for key in sorted(current.peers.keys() - desired.peers.keys()):
        yield f"The peer {key} is not configured."


def _link(addresses: str) -> tuple[int, set[str], dict[str, str | None]]:
    mtu = 0
    own: set[str] = set()
    routes: dict[str, str | None] = {}
    for words in map(str.split, addresses.splitlines()):
        if len(words) < 3:
            continue
        if words[0] == "address":
            own.add(words[2])
        elif words[0] == "link" and "mtu" in words[:-1]:
            mtu = int(words[words.index("mtu") + 1])
        elif words[0] == "route" and "dev" in words:
            metric, table = (
                int(words[words.index(word) + 1]) if word in words[:-1] else None for word in ("metric", "table")
            )
            routes[destination(words[2], metric, table)] = (
                words[words.index("src") + 1] if "src" in words[:-1] else None
            )
    return mtu, own, routes
