# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo requests of a given size that nobody may cut up, to many addresses at once (RFC 792, RFC 4443, section 4.1).

Needs the right to open raw sockets.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Literal, Self

from .._common.icmp import answer, echo_socket, request, version_of

# How a packet fared. What is refused did not leave this host; what is lost got no answer.
Fate = Literal["passed", "refused", "lost"]
# linux/in.h and linux/in6.h, as far as Python does not name them.
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DO, PMTUDISC_PROBE = 10, 23, 2, 3
IPV6_DONTFRAG = 62
HEADER_BYTES: Mapping[int, int] = {4: 20, 6: 40}
SMALL = 128


class Echo:
    """Sends and waits in rounds; a round takes as long as its slowest answer, and `timeout` where one is missing."""

    def __init__(self, timeout: float = 1.0) -> None:
        self._timeout = timeout
        self._sockets: dict[int, socket.socket] = {}
        self._identifier = int.from_bytes(os.urandom(2), "big")
        self._sequence = 0
        self.least_seconds: dict[str, float] = {}
        """By address that answered, the shortest time to and fro so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for made in self._sockets.values():
            made.close()

    def round(self, sizes: Mapping[str, int], attempts: int = 2) -> dict[str, Fate]:
        """How one packet of the given size fared to each address."""
        fates: dict[str, Fate] = dict.fromkeys(sizes, "lost")
        for _attempt in range(attempts):
            waiting: dict[tuple[int, int], tuple[str, float]] = {}
            for count, address in enumerate(address for address in sizes if fates[address] == "lost"):
                if count % 32 == 31:
                    # a burst would be lost in the queues of the host itself
                    self._receive(waiting, fates, 0.005)
                self._sequence = self._sequence + 1 & 0xFFFF
                sent_at = time.monotonic()
                if self._send(address, sizes[address]):
                    waiting[version_of(address), self._sequence] = address, sent_at
                else:
                    fates[address] = "refused"
            self._receive(waiting, fates, self._timeout)
            if "lost" not in fates.values():
                break
        return fates

    def _socket(self, version: int) -> socket.socket:
        made = self._sockets.get(version)
        if made is None:
            made = self._sockets[version] = echo_socket(version)
            if version == 4:
                made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
            else:
                made.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)
                made.setsockopt(socket.IPPROTO_IPV6, IPV6_DONTFRAG, 1)
        return made

    def _send(self, address: str, size: int) -> bool:
        """Whether it left this host, which refuses what is larger than its own interface or route."""
        version = version_of(address)
        filler = bytes(size - HEADER_BYTES[version] - 8)
        try:
            self._socket(version).sendto(request(version, self._identifier, self._sequence, filler), (address, 0))
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def _receive(
        self, waiting: dict[tuple[int, int], tuple[str, float]], fates: dict[str, Fate], seconds: float
    ) -> None:
        deadline = time.monotonic() + seconds
        while waiting and (left := deadline - time.monotonic()) > 0:
            ready, _writable, _failed = select.select(list(self._sockets.values()), [], [], left)
            for one in ready:
                version = 4 if one.family == socket.AF_INET else 6
                found = answer(one.recv(65535), version)
                if found is None or found[0] != self._identifier:
                    continue
                answered = waiting.pop((version, found[1]), None)
                if answered is not None:
                    address, sent_at = answered
                    fates[address] = "passed"
                    taken = time.monotonic() - sent_at
                    self.least_seconds[address] = min(taken, self.least_seconds.get(address, taken))


def round_trips(echo: Echo, addresses: Sequence[str]) -> dict[str, float]:
    """Seconds that a small packet takes to and fro, by address that answers; the least of two.

    The first one may have to wait for a handshake, which says nothing of the path.
    """
    fates = echo.round(dict.fromkeys(addresses, SMALL), attempts=1)
    echo.round({address: SMALL for address, fate in fates.items() if fate == "passed"}, attempts=1)
    return {address: echo.least_seconds[address] for address in addresses if address in echo.least_seconds}


def largest_passing(
    echo: Echo, sizes: Mapping[str, int], deadline_seconds: float = 20.0
) -> dict[str, tuple[int | None, bool]]:
    """For each address the largest packet up to the given size that passes whole, and whether one byte more does.

    None where not even a small one is answered. Addresses are searched at once, by halves; at the deadline the
    largest that passed until then counts.
    """
    ends = time.monotonic() + deadline_seconds
    alive = [
        address for address, fate in echo.round(dict.fromkeys(sizes, SMALL), attempts=3).items() if fate == "passed"
    ]
    fates = echo.round({address: sizes[address] for address in alive})
    passed = {address: sizes[address] for address in alive if fates[address] == "passed"}
    found = {**passed, **_searched(echo, {a: (SMALL, sizes[a]) for a in alive if a not in passed}, ends)}
    # only where all is well is one more of interest; a packet that passes is answered soon
    more = echo.round({address: sizes[address] + 1 for address in passed}, attempts=1)
    return {address: (found.get(address), more.get(address) == "passed") for address in sizes}


def _searched(echo: Echo, bounds: dict[str, tuple[int, int]], ends: float) -> dict[str, int]:
    """The largest size that passes, between one that does and one that does not."""
    while time.monotonic() < ends:
        middles = {address: (low + high) // 2 for address, (low, high) in bounds.items() if high - low > 1}
        if not middles:
            break
        for address, fate in echo.round(middles).items():
            low, high = bounds[address]
            bounds[address] = (middles[address], high) if fate == "passed" else (low, middles[address])
    return {address: low for address, (low, _high) in bounds.items()}
