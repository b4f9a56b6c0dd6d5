# SPDX-License-Identifier: GPL-3.0-or-later
"""How a gateway looks and speaks: ICMP echo to targets on its LAN, FRR by its own sockets, other gateways by UDP."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bocage_core._common.icmp import answer, echo_socket, request, version_of
from bocage_core._gateway.sessions import paths_of

FRR_DIRECTORY = Path("/run/frr")
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
            opened = echo_socket(version)
            # by the LAN alone: an answer over the overlay would say nothing of it
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            self._sockets[version] = opened

    @property
    def sockets(self) -> Iterable[socket.socket]:
        return self._sockets.values()

    def send(self) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        for target in self.answered_at:
            version = version_of(target)
            # a LAN that is down refuses to send, which is no answer either
            with contextlib.suppress(OSError):
                self._sockets[version].sendto(request(version, self._identifier, self._sequence), (target, 0))

    def take(self, opened: socket.socket) -> None:
        """Read what came on one of the sockets."""
        while True:
            try:
                packet, sender = opened.recvfrom(2048)
            except OSError:
                # nothing more, or the LAN is down
                return
            found = answer(packet, 4 if opened.family == socket.AF_INET else 6)
            if found is not None and found[0] == self._identifier and sender[0] in self.answered_at:
                self.answered_at[sender[0]] = time.monotonic()


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


def paths_up(answer_text: str, apart: frozenset[str]) -> int:
    """How many paths live, without those to the addresses given."""
    try:
        sessions = paths_of(answer_text)
    except ValueError:
        return 0
    return sum(up for address, up in sessions.items() if address not in apart)
