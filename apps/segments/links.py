# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of this host, by the plain calls of the kernel: a beat has no time for a command."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from bocage_core._segments.wire import ETHERTYPE, forwarding_table

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_FOLDER = Path("/sys/class/net")


class Links:
    """Opens, closes and reads links by name."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._folder = folder
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def _flags(self, name: str) -> int:
        request = struct.pack("16sh14x", name.encode(), 0)
        return int(struct.unpack("16sh14x", fcntl.ioctl(self._control, _GET_FLAGS, request))[1])

    def set_open(self, name: str, opened: bool) -> bool:
        """Bring a port up or down where it is not; whether that changed anything."""
        flags = self._flags(name)
        if bool(flags & _UP) == opened:
            return False
        wanted = flags | _UP if opened else flags & ~_UP
        fcntl.ioctl(self._control, _SET_FLAGS, struct.pack("16sh14x", name.encode(), wanted))
        return True

    def number(self, name: str) -> int | None:
        """The number of a link, another one after it was made anew."""
        try:
            return socket.if_nametoindex(name)
        except OSError:
            return None

    def _read(self, name: str, file: str) -> str:
        try:
            return (self._folder / name / file).read_text().strip()
        except OSError:
            return ""

    def carrier(self, name: str) -> bool:
        return self._read(name, "carrier") == "1"

    def address(self, name: str) -> bytes:
        return bytes.fromhex(self._read(name, "address").replace(":", "") or "000000000000")

    def learned(self, bridge: str, ports: Iterable[str]) -> dict[str, dict[str, float]]:
        """By port, the hardware addresses behind it and how many seconds ago each was heard."""
        numbers = {int(text, 16): port for port in ports if (text := self._read(port, "brport/port_no"))}
        found: dict[str, dict[str, float]] = {port: {} for port in ports}
        with contextlib.suppress(OSError):
            for mac, number, age in forwarding_table((self._folder / bridge / "brforward").read_bytes()):
                if number in numbers:
                    found[numbers[number]][mac] = age
        return found

    def hears(self, bridge: str, port: str, seconds: float) -> bool:
        """Whether any frame got through that port into the bridge not long ago: counters also count what is dropped."""
        return any(age < seconds for age in self.learned(bridge, [port])[port].values())


def listener(bridge: str) -> socket.socket:
    """Receives beats that come in from the LAN."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    opened.bind((bridge, ETHERTYPE))
    return opened


def sender() -> socket.socket:
    """Sends frames out of any one port, past the bridge. It receives nothing."""
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)


def notify(text: str) -> None:
    """Tell systemd."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.connect(path.replace("@", "\0", 1) if path.startswith("@") else path)
            told.send(text.encode())
