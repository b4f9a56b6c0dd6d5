# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of UDP between two hosts of the lab, which share a clock; sent to their Python on its standard input.

python3 - listen PORT SECONDS
python3 - send ADDRESS PORT SECONDS PACKETS_PER_SECOND BYTES TOS

Prints what was sent, or what came of it with its delays one way.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

_HEAD = struct.Struct("!QQ")


def listen(port: int, seconds: float) -> dict[str, object]:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    receiver.bind(("", port))
    receiver.settimeout(0.2)
    end = time.monotonic() + seconds
    delays: dict[int, float] = {}
    while time.monotonic() < end:
        try:
            data = receiver.recv(2048)
        except TimeoutError:
            continue
        number, sent = _HEAD.unpack_from(data)
        delays.setdefault(number, (time.monotonic_ns() - sent) / 1e6)
    return {"numbers": sorted(delays), "delays_ms": [delays[number] for number in sorted(delays)]}


def send(address: str, port: int, seconds: float, rate: float, size: int, tos: int) -> dict[str, object]:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    start = time.monotonic()
    number = 0
    while number < seconds * rate:
        wait = start + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        head = _HEAD.pack(number, time.monotonic_ns())
        sender.sendto(head.ljust(size, b"\0"), (address, port))
        number += 1
    return {"sent": number, "seconds": time.monotonic() - start}


if sys.argv[1] == "listen":
    print(json.dumps(listen(int(sys.argv[2]), float(sys.argv[3]))))
else:
    words = sys.argv[3:]
    seconds, rate = map(float, words[1:3])
    size, tos = map(int, words[3:5])
    print(json.dumps(send(sys.argv[2], int(words[0]), seconds, rate, size, tos)))
