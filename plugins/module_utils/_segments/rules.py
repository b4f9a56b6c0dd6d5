# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables rules around segments (nft(8)): tables of our own beside the firewall's.

They only ever drop: what comes in is accepted by the firewall's rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._common.traffic_classes import DSCP
from .wire import ETHERTYPE

TABLE = "bocage_segments"
VXLAN_PORT = 4789
FAMILIES = ("bridge", "inet")
# Linux keeps the route of a learned address when that address moves to another end, and would send by the interface
# of a gateway that is gone; what has a mark is routed anew, frame by frame.
_FRESH_ROUTE = 'meta mark set 0x7678 comment "route anew"'
# The same with the DSCP that the frame should bear outside, since nobody sees the ports there.
_MARKED = 0x76780000


def render(segments: Sequence[Mapping[str, Any]], elector_port: int) -> str:
    """The file for ``nft -f``: replaces both tables in one transaction."""
    lines = ["# Managed by Bocage."]
    for family, chains in (("bridge", _bridge(segments)), ("inet", _inet(segments, elector_port))):
        lines += [f"table {family} {TABLE}", f"delete table {family} {TABLE}", f"table {family} {TABLE} {{"]
        for name, rules in chains.items():
            lines += [f"\tchain {name} {{", *(f"\t\t{rule}" for rule in rules), "\t}"]
        lines.append("}")
    return "\n".join(lines) + "\n"


def _bridge(segments: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    forward = ["type filter hook forward priority filter; policy accept;"]
    chains = {"forward": forward}
    for one in segments:
        port, gateway = one["port"], one["kind"] == "gateway"
        # beats between gateways stay on the LAN
        forward.append(f"ether type {ETHERTYPE:#06x} oifname {{ {_listed([port])} }} drop")
        forward.append(f'oifname "{port}" jump to_{port}')
        forward.append(f'iifname "{port}" jump from_{port}')
        chains[f"to_{port}"] = [
            _FRESH_ROUTE,
            *_marks(one),
            *_tidy(guests=not gateway),
            *_storm(one),
            *clamp_rules(one.get("largest_tcp") or {}),
        ]
        chains[f"from_{port}"] = [
            *_tidy(guests=gateway),
            *_storm(one),
            *clamp_rules(one.get("largest_tcp") or {}),
        ]
    return chains


def _mark(dscp: str) -> str:
    return f"{_MARKED + DSCP[dscp]:#x}"


def _marks(segment: Mapping[str, Any]) -> list[str]:
    """What a class of traffic knows by its ports; of several the first class, which is therefore marked last."""
    rules = []
    for marked in reversed(segment.get("marked_ports") or ()):
        for protocol in ("tcp", "udp"):
            ranges = ", ".join(one.partition("/")[2] for one in marked["ports"] if one.startswith(f"{protocol}/"))
            ends = ("dport", "sport") if ranges else ()
            rules += [f"{protocol} {end} {{ {ranges} }} meta mark set {_mark(marked['dscp'])}" for end in ends]
    return rules


def _tidy(guests: bool) -> list[str]:
    rules = [
        # spanning tree and its like end at the LAN's own switches (IEEE 802.1Q, table 8-1)
        'ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 drop comment "protocols of one link"',
        # no machine has a group address
        'ether saddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 drop comment "a group as source"',
    ]
    if guests:
        # a guest is no router and no DHCP server of the LAN
        rules += [
            'udp sport 67 drop comment "DHCP server"',
            'udp sport 547 drop comment "DHCPv6 server"',
            'icmpv6 type nd-router-advert drop comment "router"',
        ]
    return rules


def _storm(segment: Mapping[str, Any]) -> list[str]:
    rate = int(segment["storm_frames_per_second"])
    return [
        "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 "
        f'limit rate over {rate}/second burst {2 * rate} packets counter drop comment "storm"'
    ]


def clamp_rules(largest: Mapping[str, Any]) -> list[str]:
    """A rule a family: in a table for bridges ``rt mtu`` knows no route."""
    return [
        f"ether type {family} tcp flags syn / syn,rst tcp option maxseg size > {size} tcp option maxseg size set {size}"
        for family, size in sorted(largest.items())
    ]


def _inet(segments: Sequence[Mapping[str, Any]], elector_port: int) -> dict[str, list[str]]:
    ends = sorted({end for one in segments for end in one["ends"]})
    peers = sorted({address for one in segments for address in one.get("peers", {}).values()})
    return {
        "input": [
            "type filter hook input priority filter - 5; policy accept;",
            *_only_from(VXLAN_PORT, ends),
            *_only_from(elector_port, peers),
        ],
        # what is told apart by its end alone needs no entry in a table of connections
        "untracked": [
            "type filter hook prerouting priority raw; policy accept;",
            f'iifname "bocage*" udp dport {VXLAN_PORT} notrack',
        ],
        "untracked_out": [
            "type filter hook output priority raw; policy accept;",
            # routed by now: what is outside of the segment knows nothing of its mark
            *(
                f"udp dport {VXLAN_PORT} meta mark {_mark(dscp)} ip6 dscp cs0 ip6 dscp set {dscp}"
                for dscp in sorted({marked["dscp"] for one in segments for marked in one.get("marked_ports") or ()})
            ),
            f"udp dport {VXLAN_PORT} notrack meta mark set 0",
        ],
    }


def _only_from(port: int, sources: Iterable[str]) -> list[str]:
    rules = [f'udp dport {port} iifname != "bocage*" drop', f"udp dport {port} meta nfproto ipv4 drop"]
    listed = ", ".join(sources)
    rules.append(f"udp dport {port} ip6 saddr != {{ {listed} }} drop" if listed else f"udp dport {port} drop")
    return rules


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
