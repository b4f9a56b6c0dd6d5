# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo requests and their answers as bytes, and the raw sockets that carry them (RFC 792; RFC 4443, section 4.1).

Opening a raw socket needs the right to. Versions are 4 and 6.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping

# Types of a request and of its answer.
ECHO: Mapping[int, tuple[int, int]] = {4: (8, 0), 6: (128, 129)}
# Of Linux; the module `socket` does not name them.
_SOL_RAW, _ICMP_FILTER, _ICMPV6_FILTER = 255, 1, 1


def version_of(address: str) -> int:
    return 6 if ":" in address else 4


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp_socket(version: int, kept: int) -> socket.socket:
    """A raw socket that never waits and receives this type of message alone."""
    if version == 4:
        made = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
        made.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << kept) & 0xFFFFFFFF))
    else:
        made = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
        blocked = [0xFFFFFFFF] * 8
        blocked[kept >> 5] &= ~(1 << (kept & 31))
        made.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, struct.pack("=8I", *blocked))
    return made


def echo_socket(version: int) -> socket.socket:
    """A socket for requests that receives answers alone."""
    return icmp_socket(version, ECHO[version][1])


def message(packet: bytes, version: int) -> bytes:
    """The ICMP message of what a raw socket gave: that of IPv4 gives the header of the packet, too."""
    return packet[(packet[0] & 15) * 4 :] if version == 4 and packet else packet


def request(version: int, identifier: int, sequence: int, payload: bytes = b"") -> bytes:
    """An echo request; the kernel computes the checksum of IPv6."""
    head = struct.pack("!BBHHH", ECHO[version][0], 0, 0, identifier, sequence)
    if version == 4:
        head = head[:2] + checksum(head + payload).to_bytes(2, "big") + head[4:]
    return head + payload


def answer(packet: bytes, version: int) -> tuple[int, int, bytes] | None:
    """Identifier, sequence and payload of the answer that a raw socket gave, or None where it is none."""
    found = message(packet, version)
    if len(found) < 8 or found[0] != ECHO[version][1]:
        return None
    identifier, sequence = struct.unpack("!HH", found[4:8])
    return identifier, sequence, found[8:]
