# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a packet may be, from the underlay up to a guest: pure arithmetic on the estate.

An interface carries what the narrowest path of its peers carries. It is one number and no route of its own for
each narrow peer, because routes of a routing protocol take no size, and because wireguard-go fills packets up to
the size of the interface, not of the route: what a route let through would be cut up outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from .._common.errors import BadInput
from .._common.estate import Estate, Host
from .._common.estate_schema import DEFAULT_UNDERLAY_MTU, LEAST_MTU
from .._common.path_finding import WIREGUARD_BYTES

# IPv6 40, UDP 8, VXLAN 8 (RFC 7348), the guest's Ethernet header 14.
VXLAN_BYTES = 40 + 8 + 8 + 14
# IP and TCP without options: what a segment's payload leaves of a packet (RFC 9293, section 3.7.1).
TCP_BYTES: Mapping[int, int] = {4: 20 + 20, 6: 40 + 20}


# How a host is placed, after the name of the first host that is placed so.
_Kind: TypeAlias = tuple[str, tuple[object, ...]]


def inside(underlay_mtu: int, version: int) -> int:
    """The largest packet that fits a tunnel over an underlay of this size and IP version."""
    return underlay_mtu - WIREGUARD_BYTES[version]


def outside(mtu: int, version: int) -> int:
    """The packet outside that carries the largest one inside."""
    return mtu + WIREGUARD_BYTES[version]


def path_mtu(host: Host, other: Host) -> int:
    """The largest packet inside the tunnel between two hosts. Raises BadInput where IPv6 would not fit."""
    if host.site.name == other.site.name and host.lan_endpoint and other.lan_endpoint:
        underlay = min(host.lan_mtu, other.lan_mtu)
        addresses = [host.lan_endpoint, other.lan_endpoint]
    else:
        underlay = min(host.underlay_mtu, other.underlay_mtu)
        # either end may begin, and the other one follows
        addresses = [address for address in (host.endpoint, other.endpoint) if address]
    version = 6 if any(":" in address for address in addresses) else 4
    mtu = inside(underlay, version)
    if mtu < LEAST_MTU:
        raise BadInput(
            f"The path between {host.name} and {other.name} carries {underlay} bytes over IPv{version}, which leaves "
            f"{mtu} in the tunnel, and IPv6 needs {LEAST_MTU} (RFC 8200); correct underlay_mtu or lan_mtu, "
            "or take a wider way."
        )
    return mtu


def _version(address: str | None) -> int:
    return 0 if not address else 6 if ":" in address else 4


class SizePlanner:
    """Plans the sizes of any host of an estate; what hosts have in common is worked out once and shared."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._kinds: dict[str, _Kind] = {}
        self._leaders: dict[tuple[object, ...], _Kind] = {}
        self._between: dict[tuple[_Kind, _Kind], int] = {}
        self._paths: dict[tuple[str, int], dict[str, Any]] = {}

    def interface(self, host: Host, peers: Iterable[str]) -> int:
        """The MTU of an interface of ``host`` with these peers (names of hosts): that of the narrowest path.

        An interface without peers has what fits the host's underlay over either version.
        """
        own, kinds = self._kind(host.name), self._kinds
        narrowest: int | None = None
        for kind in {kinds.get(name) or self._kind(name) for name in peers}:
            mtu = self._between.get((own, kind))
            if mtu is None:
                mtu = self._between[own, kind] = path_mtu(host, self._estate.hosts[kind[0]])
            narrowest = mtu if narrowest is None else min(narrowest, mtu)
        return inside(host.underlay_mtu, 6) if narrowest is None else narrowest

    def host(self, host_name: str, mesh: Mapping[str, Any]) -> dict[str, Any]:
        """A host's mesh plan with ``mtu`` for the main interface and for each link, and with ``paths``.

        These have for each peer its overlay address, which can be tried, and the size that is planned for it.
        Hosts share the parts: they are for reading.
        """
        host = self._estate.hosts[host_name]
        names = [[peer["name"] for peer in part["peers"]] for part in (mesh, *mesh.get("links", ()))]
        main, *links = [self.interface(host, found) for found in names]
        # a gateway that has a link is reached by it
        sizes = {name: mtu for found, mtu in zip(names, (main, *links), strict=True) for name in found}
        made = self._paths
        paths = [made.get(one) or self._path(*one) for one in sorted(sizes.items())]
        planned = {**mesh, "mtu": main, "paths": paths}
        if "links" in mesh:
            planned["links"] = [{**link, "mtu": mtu} for link, mtu in zip(mesh["links"], links, strict=True)]
        return planned

    def _kind(self, name: str) -> _Kind:
        """What decides about a host's paths, led by the first host that is placed so."""
        host = self._estate.hosts[name]
        placed = (host.own_underlay_mtu, host.site.name, _version(host.endpoint), _version(host.lan_endpoint))
        kind = self._kinds[name] = self._leaders.setdefault(placed, (name, placed))
        return kind

    def _path(self, name: str, mtu: int) -> dict[str, Any]:
        path = {"peer": name, "address": self._estate.hosts[name].address6, "mtu": mtu}
        return self._paths.setdefault((name, mtu), path)


def segment_mtu(mesh_mtus: Iterable[int]) -> int:
    """The MTU of a VXLAN segment, its bridges and its guests: one for all, by the narrowest of its hosts' interfaces.

    Without hosts it is that of a usual underlay over IPv6. A segment below 1280 carries IPv4 alone.
    """
    return min(mesh_mtus, default=inside(DEFAULT_UNDERLAY_MTU, 6)) - VXLAN_BYTES


def largest_segment(mtu: int, version: int) -> int:
    """The TCP maximum segment size that fits packets of this size."""
    return mtu - TCP_BYTES[version]
