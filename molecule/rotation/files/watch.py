# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the overlay from one host, as its users would: a numbered probe every 10 ms to each target, or a held download.

It runs until it is told to end by SIGTERM, and then writes what it saw as JSON. IPv4 and IPv6; needs root for raw sockets.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import struct
import time
from pathlib import Path

INTERVAL_SECONDS = 0.01
# How long an answer may take before its probe counts as lost.
PATIENCE_SECONDS = 2.0
CHUNK = b"x" * 5_000

ended = False


def end(_signal: int, _frame: object) -> None:
    global ended
    ended = True


def checksum(packet: bytes) -> int:
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Family:
    """Echo requests of one family: ICMPv6 has its checksum made by the kernel, ICMP has not, and shows the IP header."""

    def __init__(self, version: int) -> None:
        self.version = version
        family, protocol = (socket.AF_INET6, "ipv6-icmp") if version == 6 else (socket.AF_INET, "icmp")
        self.socket = socket.socket(family, socket.SOCK_RAW, socket.getprotobyname(protocol))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.setblocking(False)

    def send(self, address: str, identifier: int, number: int) -> None:
        # numbers beyond 16 bits go into the payload
        body = struct.pack("!Q", number)
        kind = 128 if self.version == 6 else 8
        packet = struct.pack("!BBHHH", kind, 0, 0, identifier, number & 0xFFFF) + body
        if self.version == 4:
            packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
        # what cannot be sent counts as lost, which it is
        with contextlib.suppress(OSError):
            self.socket.sendto(packet, (address, 0))

    def receive(self) -> tuple[str, int, int] | None:
        packet, (address, *_rest) = self.socket.recvfrom(2048)
        if self.version == 4:
            packet = packet[(packet[0] & 0x0F) * 4 :]
        if len(packet) < 16 or packet[0] != (129 if self.version == 6 else 0):
            return None
        identifier = struct.unpack("!H", packet[4:6])[0]
        return address, identifier, struct.unpack("!Q", packet[8:16])[0]


def probe(targets: list[str]) -> dict[str, object]:
    identifier = os.getpid() & 0xFFFF
    families = {4: Family(4), 6: Family(6)}
    sockets = {one.socket: one for one in families.values()}
    sent: dict[str, list[float]] = {target: [] for target in targets}
    answered: dict[str, dict[int, float]] = {target: {} for target in targets}
    following = time.monotonic()
    while True:
        now = time.monotonic()
        if ended and now >= following + PATIENCE_SECONDS:
            break
        if not ended and now >= following:
            for target in targets:
                families[6 if ":" in target else 4].send(target, identifier, len(sent[target]))
                sent[target].append(now)
            following += INTERVAL_SECONDS
        wait = PATIENCE_SECONDS / 10 if ended else max(0.0, following - time.monotonic())
        for readable in select.select(list(sockets), [], [], wait)[0]:
            found = sockets[readable].receive()
            if found is not None and found[1] == identifier and found[0] in answered:
                answered[found[0]].setdefault(found[2], time.monotonic())
    result = {}
    for target in targets:
        lost = [number for number in range(len(sent[target])) if number not in answered[target]]
        late = [when - sent[target][number] for number, when in answered[target].items()]
        result[target] = {
            "sent": len(sent[target]),
            "lost": len(lost),
            "lost_at_seconds": [round(sent[target][number] - sent[target][0], 2) for number in lost[:50]],
            "slowest_seconds": round(max(late, default=0.0), 3),
        }
    return {"probes": result}


def serve(address: str, port: int) -> dict[str, object]:
    """Gives everyone who connects a stream that does not end."""
    listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setblocking(False)
    clients: list[socket.socket] = []
    while not ended:
        if select.select([listener], [], [], INTERVAL_SECONDS)[0]:
            client = listener.accept()[0]
            client.setblocking(False)
            clients.append(client)
        for client in list(clients):
            try:
                client.send(CHUNK)
            except BlockingIOError:
                continue  # the reader is behind, or the way is closed for now
            except OSError:
                clients.remove(client)
    return {}


def download(address: str, port: int) -> dict[str, object]:
    """Reads one connection until it is told to end: how much came, the longest stall, and whether it broke."""
    stream = socket.create_connection((address, port), timeout=20)
    stream.settimeout(0.5)
    received, stall, last, broken = 0, 0.0, time.monotonic(), None
    while not ended and broken is None:
        try:
            data = stream.recv(1 << 16)
        except TimeoutError:
            continue
        except OSError as error:
            broken = str(error)
            continue
        if not data:
            broken = "The other end closed it."
            continue
        now = time.monotonic()
        stall, last = max(stall, now - last), now
        received += len(data)
    return {
        "download": {
            "bytes": received,
            "longest_stall_seconds": round(max(stall, time.monotonic() - last), 3),
            "broken": broken,
        }
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("work", choices=["probe", "serve", "download"])
    parser.add_argument("targets", nargs="+")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, end)
    if options.work == "probe":
        found = probe(options.targets)
    else:
        address, port = options.targets
        found = (serve if options.work == "serve" else download)(address, int(port))
    options.output.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
