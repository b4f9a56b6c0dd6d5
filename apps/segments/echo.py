# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo requests to several targets at once, and who answered."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterable

_REPLY_4, _REQUEST_4 = 0, 8
_REPLY_6, _REQUEST_6 = 129, 128
_ICMP6_FILTER = 1
# Not in Python's socket module: send from an address that is not here yet.
IPV6_FREEBIND = 78
_IDENTIFIER = os.getpid() & 0xFFFF


class Echo:
    """One socket a family; the answers are the kernel's to match with targets by their address."""

    def __init__(self, address: str) -> None:
        flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self.socket4 = socket.socket(socket.AF_INET, flags, socket.IPPROTO_ICMP)
        self.socket6 = socket.socket(socket.AF_INET6, flags, socket.IPPROTO_ICMPV6)
        # from the address of the segments' own packets, and so by their way
        self.socket6.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        self.socket6.bind((address, 0))
        # everything is blocked but answers to an echo
        passed = [0xFFFFFFFF] * 8
        passed[_REPLY_6 >> 5] &= ~(1 << (_REPLY_6 & 31)) & 0xFFFFFFFF
        self.socket6.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("8I", *passed))

    def sockets(self) -> tuple[socket.socket, socket.socket]:
        return self.socket4, self.socket6

    def ask(self, targets: Iterable[str]) -> None:
        for target in targets:
            try:
                if ipaddress.ip_address(target).version == 4:
                    self.socket4.sendto(request4(), (target, 0))
                else:
                    self.socket6.sendto(struct.pack("!BBHHH", _REQUEST_6, 0, 0, _IDENTIFIER, 1), (target, 0))
            except OSError:
                # no way there: it will not answer either
                continue

    def answers(self, opened: socket.socket) -> Iterable[str]:
        """Addresses of those who answered."""
        while True:
            try:
                data, address = opened.recvfrom(256)
            except OSError:
                return
            body = data[(data[0] & 15) * 4 :] if opened is self.socket4 and data else data
            if len(body) >= 8:
                kind, _code, _sum, identifier, _sequence = struct.unpack("!BBHHH", body[:8])
                if kind in (_REPLY_4, _REPLY_6) and identifier == _IDENTIFIER:
                    yield str(ipaddress.ip_address(address[0].partition("%")[0]))


def request4() -> bytes:
    """An echo request with its checksum (RFC 1071), which the kernel computes for IPv6 alone."""
    words = struct.unpack("!4H", struct.pack("!BBHHH", _REQUEST_4, 0, 0, _IDENTIFIER, 1))
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", _REQUEST_4, 0, ~total & 0xFFFF, _IDENTIFIER, 1)
