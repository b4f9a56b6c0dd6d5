# SPDX-License-Identifier: GPL-3.0-or-later
"""How long answers take, with a network that delays each of them; sizes are tested between real hosts."""

from __future__ import annotations

import socket
import struct
import threading

from bocage_core._common.icmp import ECHO
from bocage_core._mesh.echo import Echo, round_trips

NEAR, FAR, SILENT, REFUSED = (f"fd7b::{number}" for number in range(1, 5))


class DelayingEcho(Echo):
    """Packets come back after so many seconds, the first one of each address later than others."""

    def __init__(self) -> None:
        super().__init__(0.6)
        self._sockets[6], self._network = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.delays = {NEAR: [0.2, 0.02], FAR: [0.3, 0.1]}
        self.sent: list[str] = []
        self.timers: list[threading.Timer] = []

    def _send(self, address: str, size: int) -> bool:
        self.sent.append(address)
        if address == REFUSED:
            return False
        if address in self.delays:
            reply = struct.pack("!BBHHH", ECHO[6][1], 0, 0, self._identifier, self._sequence)
            self.timers.append(threading.Timer(self.delays[address].pop(0), self._network.send, [reply]))
            self.timers[-1].start()
        return True


def test_the_least_of_two_counts_since_the_first_may_wait_for_a_handshake() -> None:
    with DelayingEcho() as echo:
        found = round_trips(echo, [FAR, NEAR, SILENT, REFUSED])
        for timer in echo.timers:
            timer.join()
    assert found.keys() == {NEAR, FAR}
    assert 0.02 <= found[NEAR] < 0.2 and 0.1 <= found[FAR] < 0.3
    assert echo.sent == [FAR, NEAR, SILENT, REFUSED, FAR, NEAR], "who did not answer is not asked again"
