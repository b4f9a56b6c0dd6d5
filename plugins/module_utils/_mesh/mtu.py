# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a packet may be, from the underlay up to a guest: pure arithmetic on the estate.

An interface carries what the narrowest path of its peers carries. It is one number and no route of its own for
each narrow peer, because routes of a routing protocol take no size, and because wireguard-go fills packets up to
the size of the interface, not of the route: what a route let through would be cut up outside.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from .._common.errors import BadInput
from .._common.estate import Estate, Host
from .._common.estate_schema import DEFAULT_UNDERLAY_MTU, LEAST_MTU
from .._common.path_finding import WIREGUARD_BYTES

# IPv6 40, UDP 8, VXLAN 8 (RFC 7348), the guest's Ethernet header 14.
VXLAN_BYTES = 40 + 8 + 8 + 14
# IP and TCP without options: what a segment's payload leaves of a packet (RFC 9293, section 3.7.1).
TCP_BYTES: Mapping[int, int] = {4: 20 + 20, 6: 40 + 20}


def inside(underlay_mtu: int, version: int) -> int:
    """The largest packet that fits a tunnel over an underlay of this size and IP version."""
    return underlay_mtu - WIREGUARD_BYTES[version]


def outside(mtu: int, version: int) -> int:
    """The packet outside that carries the largest one inside."""
    return mtu + WIREGUARD_BYTES[version]


def version_of(address: str) -> int:
    """4 or 6."""
    return ipaddress.ip_address(address).version


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


def interface_mtu(estate: Estate, host: Host, peers: Iterable[str]) -> int:
    """The MTU of an interface of ``host`` with these peers (names of hosts): that of the narrowest path.

    An interface without peers has what fits the host's underlay over either version.
    """
    # hosts that are placed alike make paths alike
    seen: set[tuple[object, ...]] = set()
    narrowest: int | None = None
    for name in peers:
        other = estate.hosts[name]
        kind = (other.own_underlay_mtu, other.site.name, _version(other.endpoint), _version(other.lan_endpoint))
        if kind not in seen:
            seen.add(kind)
            mtu = path_mtu(host, other)
            narrowest = mtu if narrowest is None else min(narrowest, mtu)
    return inside(host.underlay_mtu, 6) if narrowest is None else narrowest


def _version(address: str | None) -> int:
    return 0 if not address else 6 if ":" in address else 4


def with_sizes(estate: Estate, host_name: str, mesh: Mapping[str, Any]) -> dict[str, Any]:
    """A host's mesh plan with ``mtu`` for the main interface and for each link, and with ``paths``.

    These have for each peer its overlay address, which can be tried, and the size that is planned for it.
    """
    host = estate.hosts[host_name]
    main, *links = (
        {**part, "mtu": interface_mtu(estate, host, [peer["name"] for peer in part["peers"]])}
        for part in (mesh, *mesh.get("links", ()))
    )
    # a gateway that has a link is reached by it
    sizes = {peer["name"]: part["mtu"] for part in (main, *links) for peer in part["peers"]}
    main["paths"] = [
        {"peer": name, "address": estate.hosts[name].address6, "mtu": mtu} for name, mtu in sorted(sizes.items())
    ]
    if "links" in mesh:
        main["links"] = links
    return main


def segment_mtu(mesh_mtus: Iterable[int]) -> int:
    """The MTU of a VXLAN segment, its bridges and its guests: one for all, by the narrowest of its hosts' interfaces.

    Without hosts it is that of a usual underlay over IPv6. A segment below 1280 carries IPv4 alone.
    """
    return min(mesh_mtus, default=inside(DEFAULT_UNDERLAY_MTU, 6)) - VXLAN_BYTES


def segment_carries_ipv6(mtu: int) -> bool:
    return mtu >= LEAST_MTU


def largest_segment(mtu: int, version: int) -> int:
    """The TCP maximum segment size that fits packets of this size."""
    return mtu - TCP_BYTES[version]
