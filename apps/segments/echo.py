# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo requests to several targets at once, and who answered."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable

from bocage_core._common.icmp import answer, echo_socket, request

# Not in Python's socket module: send from an address that is not here yet.
IPV6_FREEBIND = 78
_IDENTIFIER = os.getpid() & 0xFFFF


class Echo:
    """One socket a family; the answers are the kernel's to match with targets by their address."""

    def __init__(self, address: str) -> None:
        self.socket4, self.socket6 = echo_socket(4), echo_socket(6)
        # from the address of the segments' own packets, and so by their way
        self.socket6.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        self.socket6.bind((address, 0))

    def sockets(self) -> tuple[socket.socket, socket.socket]:
        return self.socket4, self.socket6

    def ask(self, targets: Iterable[str]) -> None:
        for target in targets:
            try:
                version = ipaddress.ip_address(target).version
                opened = self.socket4 if version == 4 else self.socket6
                opened.sendto(request(version, _IDENTIFIER, 1), (target, 0))
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
            found = answer(data, 4 if opened is self.socket4 else 6)
            if found is not None and found[0] == _IDENTIFIER:
                yield str(ipaddress.ip_address(address[0].partition("%")[0]))
