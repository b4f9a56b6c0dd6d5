# SPDX-License-Identifier: GPL-3.0-or-later
"""Small packets every 10 ms and who answers them. No ping: a machine may have none.

udp_probes.py answer ADDRESS...          until it is ended
udp_probes.py ask FROM TO COUNT          the exit status is how many had no answer, 100 at most
"""

from __future__ import annotations

import selectors
import socket
import sys
import time

PORT, INTERVAL_SECONDS, PATIENCE_SECONDS = 7007, 0.01, 0.5


def answer(addresses: list[str]) -> None:
    waiting = selectors.DefaultSelector()
    for address in addresses:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((address, PORT))
        waiting.register(one, selectors.EVENT_READ)
    while True:
        for key, _events in waiting.select():
            found: socket.socket = key.fileobj  # type: ignore[assignment]
            data, sender = found.recvfrom(64)
            found.sendto(data, sender)


def ask(source: str, target: str, count: int) -> int:
    """How many of the probes had no answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((source, 0))
        one.connect((target, PORT))
        answered: set[bytes] = set()
        started = time.monotonic()
        for number in range(count):
            one.send(str(number).encode())
            listen(one, answered, number + 1, until=started + (number + 1) * INTERVAL_SECONDS)
        listen(one, answered, count, until=time.monotonic() + PATIENCE_SECONDS)
    return count - len(answered)


def listen(one: socket.socket, answered: set[bytes], wanted: int, until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        if len(answered) == wanted and left > INTERVAL_SECONDS:
            return
        one.settimeout(left)
        try:
            answered.add(one.recv(64))
        except TimeoutError:
            return
        except ConnectionRefusedError:
            # nobody listens there yet
            time.sleep(max(0.0, min(left, INTERVAL_SECONDS)))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["answer", *addresses]:
            answer(addresses)
        case ["ask", source, target, count]:
            sys.exit(min(100, ask(source, target, int(count))))
        case _:
            sys.exit(__doc__)
