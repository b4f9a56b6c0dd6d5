# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths of this host as they are: what passes in the tunnel, what the underlay carries, and what was planned."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .._common.commands import Run, must
from .._common.path_finding import WIREGUARD_BYTES, finding
from .device import link
from .echo import Echo, largest_passing
from .mtu import inside
from .underlay import End, carried

INTERFACES = "bocage"


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A live peer: the interface it is on, what that lets pass, and where the peer is."""

    interface: str
    allowed: int
    end: End | None
    handshake: int


@dataclass(frozen=True, slots=True)
class PathSize:
    """One path. ``measured`` is the largest packet that passes whole, None where the peer does not answer.

    ``allowed`` is what the interface lets pass, ``underlay`` what is carried outside, where that is known.
    ``beyond`` is whether a packet larger than planned passes.
    """

    peer: str
    address: str
    interface: str | None
    planned: int
    allowed: int | None
    measured: int | None
    underlay: int | None
    beyond: bool

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "finding": self.finding}

    @property
    def finding(self) -> str | None:
        return finding(asdict(self))


def read_tunnels(run: Run) -> dict[str, Tunnel]:
    """The live peers by the prefixes that they have; of one that is there twice, that with the newest handshake."""
    found: dict[str, Tunnel] = {}
    names = must(run, ["wg", "show", "interfaces"]).split()
    for name in sorted(name for name in names if name.startswith(INTERFACES)):
        found_link = link(run, name)
        if found_link is None:
            continue  # removed just now
        allowed = int(found_link["mtu"])
        port = int(must(run, ["wg", "show", name, "listen-port"]))
        ends = dict(line.split() for line in must(run, ["wg", "show", name, "endpoints"]).splitlines())
        handshakes = dict(line.split() for line in must(run, ["wg", "show", name, "latest-handshakes"]).splitlines())
        for line in must(run, ["wg", "show", name, "allowed-ips"]).splitlines():
            key, *prefixes = line.split()
            tunnel = Tunnel(name, allowed, _end(ends.get(key, "(none)"), port), int(handshakes.get(key, 0)))
            for prefix in prefixes:
                other = found.get(prefix)
                if prefix != "(none)" and (other is None or other.handshake < tunnel.handshake):
                    found[prefix] = tunnel
    return found


def _end(endpoint: str, own_port: int) -> End | None:
    address, _colon, port = endpoint.rpartition(":")
    # a link-local address has its interface with it, and its tunnel is on a LAN
    if not address or "%" in address:
        return None
    return End(address.strip("[]"), int(port), own_port)


def tunnel_of(tunnels: Mapping[str, Tunnel], address: str) -> Tunnel | None:
    """The tunnel that an overlay address is behind: that of the longest prefix."""
    wanted = ipaddress.ip_address(address)
    exact = tunnels.get(f"{wanted}/{wanted.max_prefixlen}")
    if exact is not None:
        return exact
    wide = [
        (network.prefixlen, tunnel)
        for prefix, tunnel in tunnels.items()
        if not prefix.endswith(("/128", "/32")) and wanted in (network := ipaddress.ip_network(prefix))
    ]
    return max(wide, key=lambda one: one[0])[1] if wide else None


def measure(
    run: Run, paths: Sequence[Mapping[str, Any]], timeout: float = 1.0, deadline_seconds: float = 20.0
) -> list[PathSize]:
    """Measure paths (``peer``, ``address``, ``mtu`` as planned), all of them at once."""
    tunnels = read_tunnels(run)
    behind = {path["address"]: tunnel_of(tunnels, path["address"]) for path in paths}
    with Echo(timeout) as echo:
        passing = largest_passing(echo, {path["address"]: path["mtu"] for path in paths}, deadline_seconds)
    answering = [tunnel.end for address, tunnel in behind.items() if tunnel and tunnel.end and passing[address][0]]
    outside = carried(dict.fromkeys(answering), start=_start(paths, behind.values()), timeout=timeout / 2)
    return [_path_size(path, behind[path["address"]], passing[path["address"]], outside) for path in paths]


def _start(paths: Iterable[Mapping[str, Any]], tunnels: Iterable[Tunnel | None]) -> int:
    """Large enough for what is planned and for what is let pass on any path, with the dearer header."""
    sizes = [int(path["mtu"]) for path in paths] + [one.allowed for one in tunnels if one is not None]
    return max(sizes, default=0) + max(WIREGUARD_BYTES.values())


def _path_size(
    path: Mapping[str, Any],
    tunnel: Tunnel | None,
    passing: tuple[int | None, bool],
    outside: Mapping[End, int | None],
) -> PathSize:
    largest, beyond = passing
    end = tunnel.end if tunnel else None
    underlay = outside.get(end) if end is not None else None
    if largest is not None and end is not None and underlay is not None:
        largest = min(largest, inside(underlay, end.version))
    return PathSize(
        peer=path["peer"],
        address=path["address"],
        interface=tunnel.interface if tunnel else None,
        planned=path["mtu"],
        allowed=tunnel.allowed if tunnel else None,
        measured=largest,
        underlay=underlay,
        beyond=beyond,
    )
