# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proofs that a peer has its key: a handshake on an interface, and an answer to a packet sent through that interface.

The answer may come back over any interface: the other end chooses its own way while it moves.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .._common.commands import Run
from .._common.icmp import answer, request

_ROUND_SECONDS = 0.25


class Echo(Protocol):
    """Sends echo requests through an interface, and tells which addresses answered."""

    def send(self, interface: str, address: str) -> None: ...

    def answers(self, seconds: float) -> set[tuple[str, str]]: ...

    def close(self) -> None: ...


class Icmpv6Echo:
    """Echo requests of ICMPv6 (RFC 4443, section 4.1) by raw sockets; needs root."""

    def __init__(self) -> None:
        self._identifier = os.getpid() & 0xFFFF
        self._receiver = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.getprotobyname("ipv6-icmp"))
        self._senders: dict[str, socket.socket] = {}
        self._numbers: dict[int, tuple[str, str]] = {}

    def send(self, interface: str, address: str) -> None:
        sender = self._senders.get(interface)
        if sender is None:
            sender = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.getprotobyname("ipv6-icmp"))
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            self._senders[interface] = sender
        number = len(self._numbers) % 0x10000
        self._numbers[number] = (interface, address)
        # where there is no way yet, the next round tries again
        with contextlib.suppress(OSError):
            sender.sendto(request(6, self._identifier, number), (address, 0))

    def answers(self, seconds: float) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._receiver], [], [], left)[0]:
                break
            packet, (address, *_rest) = self._receiver.recvfrom(2048)
            found_answer = answer(packet, 6)
            if found_answer is not None and found_answer[0] == self._identifier and found_answer[1] in self._numbers:
                interface, asked = self._numbers[found_answer[1]]
                if asked == address:
                    found.add((interface, asked))
        return found

    def close(self) -> None:
        for one in (self._receiver, *self._senders.values()):
            one.close()


def prove(
    interfaces: Sequence[Mapping[str, Any]], timeout_seconds: float, run: Run, echo: Echo
) -> dict[str, dict[str, bool]]:
    """By peer, whether there was a handshake and an answer; stops as soon as all have both.

    ``interfaces`` are ``{"name", "peers": [{"name", "public_key", "address"}]}``.
    """
    proofs = {peer["name"]: {"handshake": False, "answer": False} for one in interfaces for peer in one["peers"]}
    waiting = {(one["name"], peer["address"]): peer["name"] for one in interfaces for peer in one["peers"]}
    deadline = time.monotonic() + timeout_seconds
    while waiting and time.monotonic() < deadline:
        for interface, address in waiting:
            echo.send(interface, address)
        for found in echo.answers(_ROUND_SECONDS):
            if found in waiting:
                proofs[waiting.pop(found)]["answer"] = True
    for one in interfaces:
        status, output, _error = run(["wg", "show", one["name"], "latest-handshakes"])
        shaken = {key for key, when in map(str.split, output.splitlines()) if when != "0"} if status == 0 else set()
        for peer in one["peers"]:
            proofs[peer["name"]]["handshake"] |= peer["public_key"] in shaken
    return proofs
