# SPDX-License-Identifier: GPL-3.0-or-later
"""How a gateway looks and speaks: ICMP echo to targets on its LAN, FRR by its own sockets, other gateways by UDP."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_REQUESTS = {4: 8, 6: 128}
_REPLIES = {4: 0, 6: 129}
# as an answer of a daemon of FRR ends: three zero bytes, then its status (vtysh of FRR 8)
_END_OF_ANSWER = b"\0\0\0"
MAX_ANSWER_BYTES = 4 * 1024 * 1024


class Echo:
    """Sends echo requests (RFC 792, RFC 4443) and keeps when each target last answered, by the monotonic clock."""

    def __init__(self, targets: Iterable[str], interface: str) -> None:
        self.answered_at = dict.fromkeys(targets, float("-inf"))
        self._identifier = os.getpid() & 0xFFFF
        self._sequence = 0
        self._sockets: dict[int, socket.socket] = {}
        for version in {ipaddress.ip_address(target).version for target in self.answered_at}:
            family, protocol = (
                (socket.AF_INET, socket.IPPROTO_ICMP) if version == 4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
            )
            opened = socket.socket(family, socket.SOCK_RAW, protocol)
            opened.setblocking(False)
            # by the LAN alone: an answer over the overlay would say nothing of it
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            self._sockets[version] = opened

    @property
    def sockets(self) -> Iterable[socket.socket]:
        return self._sockets.values()

    def send(self) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        for target in self.answered_at:
            version = ipaddress.ip_address(target).version
            header = struct.pack("!BBHHH", _REQUESTS[version], 0, 0, self._identifier, self._sequence)
            if version == 4:
                # the kernel computes the one of IPv6
                header = struct.pack("!BBHHH", 8, 0, _checksum(header), self._identifier, self._sequence)
            # a LAN that is down refuses to send, which is no answer either
            with contextlib.suppress(OSError):
                self._sockets[version].sendto(header, (target, 0))

    def take(self, opened: socket.socket) -> None:
        """Read what came on one of the sockets."""
        while True:
            try:
                packet, sender = opened.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                return
            version = 4 if opened.family == socket.AF_INET else 6
            body = packet[(packet[0] & 15) * 4 :] if version == 4 else packet
            if len(body) < 8 or body[0] != _REPLIES[version]:
                continue
            if struct.unpack("!H", body[4:6])[0] == self._identifier and sender[0] in self.answered_at:
                self.answered_at[sender[0]] = time.monotonic()


def _checksum(data: bytes) -> int:
    """The sum of the Internet's protocols (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Daemon:
    """A daemon of FRR, spoken to as its own shell does; a lost connection is made anew at the next command."""

    def __init__(self, path: Path, timeout_seconds: float = 2.0) -> None:
        self._path = path
        self._timeout = timeout_seconds
        self._open: socket.socket | None = None

    def ask(self, commands: Sequence[str]) -> list[str]:
        """The answers to the commands, in order. Raises OSError where the daemon is away or refuses one."""
        try:
            opened = self._connected()
            return [self._one(opened, command) for command in commands]
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connected(self) -> socket.socket:
        if self._open is None:
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.settimeout(self._timeout)
            try:
                opened.connect(str(self._path))
            except OSError:
                opened.close()
                raise
            self._open = opened
            self._one(opened, "enable")
        return self._open

    @staticmethod
    def _one(opened: socket.socket, command: str) -> str:
        opened.sendall(command.encode() + b"\0")
        answer = b""
        while len(answer) < 4 or answer[-4:-1] != _END_OF_ANSWER:
            part = opened.recv(65536)
            if not part or len(answer) > MAX_ANSWER_BYTES:
                raise ConnectionError("FRR closed the connection")
            answer += part
        # warnings and refusals have another status than success
        if answer[-1] != 0:
            raise OSError(f"FRR refused '{command}': {answer[:-4].decode(errors='replace').strip()}")
        return answer[:-4].decode(errors="replace")


def paths_up(answer: str, apart: frozenset[str]) -> int:
    """How many paths live in what ``show bfd peers brief json`` answers, without those to the addresses given."""
    try:
        sessions: Any = json.loads(answer or "[]")
    except ValueError:
        return 0
    if not isinstance(sessions, list):
        return 0
    return sum(
        1
        for one in sessions
        if isinstance(one, dict) and one.get("status") == "up" and str(one.get("peer")) not in apart
    )
