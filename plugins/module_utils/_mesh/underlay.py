# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the underlay carries to the ends of tunnels: packets that nobody may cut up, sent as the tunnel's own would be.

They have the ports of the tunnel, so that each router and translator treats them as it treats the tunnel's. WireGuard
drops what is none of its messages without a word. Where such a packet is too large, a router says so and names what
fits (RFC 1191, RFC 8201); silence means that it fits, or that a router breaks the rule. Needs raw sockets.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass

from .._common.icmp import checksum, icmp_socket, message
from .echo import HEADER_BYTES, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_PROBE

_IP_MTU, _IPV6_MTU = 14, 24
# what a router says: destination unreachable for IPv4 (with code 4), packet too big for IPv6
_REFUSALS = {4: 3, 6: 2}
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class End:
    """The far end of a tunnel, and the port that this host's end has."""

    address: str
    port: int
    own_port: int

    @property
    def version(self) -> int:
        return 6 if ":" in self.address else 4


def carried(ends: Iterable[End], start: int = 1500, timeout: float = 0.5) -> dict[End, int | None]:
    """For each end the largest packet, up to ``start``, that nobody refuses; None where this host has no way to it."""
    sizes: dict[End, int | None] = dict.fromkeys(ends, start)
    heard = {version: icmp_socket(version, kept) for version, kept in _REFUSALS.items()}
    try:
        open_ends = list(sizes)
        for _round in range(_ROUNDS):
            before = {end: sizes[end] for end in open_ends}
            for end in open_ends:
                sizes[end] = _send(end, before[end] or start)
            # who was refused by this host itself is tried again with what fits it
            refused = {end for end in open_ends if sizes[end] is not None and sizes[end] != before[end]}
            sent = [end for end in open_ends if sizes[end] is not None and end not in refused]
            for end, fits in _refusals(heard, sent, timeout).items():
                if fits < (sizes[end] or 0):
                    sizes[end] = fits
                    refused.add(end)
            open_ends = sorted(refused, key=lambda end: (end.address, end.port))
            if not open_ends:
                break
        return sizes
    finally:
        for one in heard.values():
            one.close()


def _send(end: End, size: int) -> int | None:
    """The size where a packet of it left this host, what the host thinks fits where it did not, None without a way."""
    try:
        own, fits = _way(end)
        packet = _packet(end, own, size)
        family = socket.AF_INET if end.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            ipv4 = (socket.IPPROTO_IP, IP_MTU_DISCOVER)
            raw.setsockopt(*(ipv4 if end.version == 4 else (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER)), PMTUDISC_PROBE)
            try:
                # two, since one may be lost
                for _copy in range(2):
                    raw.sendto(packet, (end.address, 0))
            except OSError:
                return fits if fits < size else None
    except OSError:
        return None
    return size


def _way(end: End) -> tuple[str, int]:
    """The address from which this host reaches the end, and the largest packet that it thinks fits."""
    family = socket.AF_INET if end.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.connect((end.address, end.port))
        asked = (socket.IPPROTO_IP, _IP_MTU) if end.version == 4 else (socket.IPPROTO_IPV6, _IPV6_MTU)
        return str(made.getsockname()[0]).partition("%")[0], made.getsockopt(*asked)


def _packet(end: End, own: str, size: int) -> bytes:
    source, target = ipaddress.ip_address(own).packed, ipaddress.ip_address(end.address).packed
    length = size - HEADER_BYTES[end.version]
    udp = struct.pack("!HHHH", end.own_port, end.port, length, 0) + bytes(length - 8)
    if end.version == 4:
        # identification and checksum are the kernel's, and 0 is no checksum for UDP
        return struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0x4000, 64, socket.IPPROTO_UDP, 0) + source + target + udp
    pseudo = source + target + struct.pack("!II", length, socket.IPPROTO_UDP)
    proof = checksum(pseudo + udp) or 0xFFFF
    head = struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64)
    return head + source + target + udp[:6] + proof.to_bytes(2, "big") + udp[8:]


def _refusals(heard: dict[int, socket.socket], ends: list[End], timeout: float) -> dict[End, int]:
    """What fits, for those ends on the way to which a router refused a packet."""
    by_goal = {(end.version, ipaddress.ip_address(end.address).packed, end.port): end for end in ends}
    found: dict[End, int] = {}
    deadline = time.monotonic() + timeout
    while len(found) < len(ends) and (left := deadline - time.monotonic()) > 0:
        ready, _writable, _failed = select.select(list(heard.values()), [], [], left)
        for one in ready:
            version = 4 if one.family == socket.AF_INET else 6
            refusal = read_refusal(message(one.recv(2048), version), version)
            if refusal is not None and (end := by_goal.get((version, *refusal[:2]))) is not None:
                found[end] = min(refusal[2], found.get(end, refusal[2]))
    return found


def read_refusal(text: bytes, version: int) -> tuple[bytes, int, int] | None:
    """Address and port of the packet that was too large, and what fits; None for any other message."""
    inner = text[8:]
    if version == 4:
        start = (inner[0] & 15) * 4 if inner else 0
        if len(inner) < start + 4 or text[:2] != b"\x03\x04" or inner[9] != socket.IPPROTO_UDP:
            return None
        target, fits = inner[16:20], int.from_bytes(text[6:8], "big")
    else:
        start = 40
        if len(inner) < start + 4 or text[:1] != b"\x02" or inner[6] != socket.IPPROTO_UDP:
            return None
        target, fits = inner[24:40], int.from_bytes(text[4:8], "big")
    return (target, int.from_bytes(inner[start + 2 : start + 4], "big"), fits) if fits else None
