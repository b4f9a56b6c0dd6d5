# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at every port of TCP and UDP of some addresses; runs as root on a machine of the lab, with nothing but Python.

Prints what answered by address, and under `control` what of itself it found, which shows that it can find anything.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence

PORTS = range(1, 65536)
# so many packets, then a pause, so that no queue on the way overflows
AT_ONCE = 500
PAUSE_SECONDS = 0.01
LAST_ANSWERS_SECONDS = 2.0
SOURCE_PORT = 48999
SYN, SYN_ACK = 0x02, 0x12
# for the name `.`: name servers answer it
QUESTION = struct.pack("!HHHHHHBHH", 1, 0x0100, 1, 0, 0, 0, 0, 2, 1)


def checksum(data: bytes) -> int:
    words = sum(struct.unpack(f"!{len(data) // 2}H", data))
    words = (words >> 16) + (words & 0xFFFF)
    return ~(words + (words >> 16)) & 0xFFFF


def source_for(address: str, family: int) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        return str(probe.getsockname()[0])


def segment(source: str, address: str, port: int) -> bytes:
    """A SYN, whose sum covers a head of addresses in both families."""
    head = struct.pack("!HHIIBBHHH", SOURCE_PORT, port, 1, 0, 5 << 4, SYN, 1024, 0, 0)
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(address).packed
    pseudo = ends + struct.pack("!HH", socket.IPPROTO_TCP, len(head))
    return head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]


def open_tcp(address: str, ports: Sequence[int]) -> set[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    source = source_for(address, family)
    found: set[int] = set()
    ended = threading.Event()
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        raw.settimeout(0.2)

        def listen() -> None:
            while not ended.is_set():
                try:
                    packet, sender = raw.recvfrom(256)
                except TimeoutError:
                    continue
                # of IPv4 the kernel gives the head of the packet, too
                tcp = packet[(packet[0] & 15) * 4 :] if family == socket.AF_INET else packet
                if sender[0] == address and len(tcp) >= 14:
                    port, target = struct.unpack("!HH", tcp[:4])
                    if target == SOURCE_PORT and tcp[13] & SYN_ACK == SYN_ACK:
                        found.add(port)

        ear = threading.Thread(target=listen)
        ear.start()
        for number, port in enumerate(ports):
            raw.sendto(segment(source, address, port), (address, 0))
            if number % AT_ONCE == 0:
                time.sleep(PAUSE_SECONDS)
        time.sleep(LAST_ANSWERS_SECONDS)
        ended.set()
        ear.join()
    return found


def answering_udp(address: str, ports: Sequence[int]) -> set[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found: set[int] = set()
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        sender.setblocking(False)

        def collect() -> None:
            while True:
                try:
                    _data, where = sender.recvfrom(2048)
                except BlockingIOError:
                    return
                if where[0] == address:
                    found.add(where[1])

        for number, port in enumerate(ports):
            send(sender, (address, port))
            if number % AT_ONCE == 0:
                collect()
                time.sleep(PAUSE_SECONDS)
        time.sleep(LAST_ANSWERS_SECONDS)
        collect()
    return found


def send(sender: socket.socket, where: tuple[str, int]) -> None:
    while True:
        try:
            sender.sendto(QUESTION, where)
            return
        except BlockingIOError:
            time.sleep(PAUSE_SECONDS)


def control() -> list[str]:
    """What the scan finds of two sockets that are open here."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(10)

        def answer() -> None:
            data, where = udp.recvfrom(2048)
            udp.sendto(data, where)

        ear = threading.Thread(target=answer)
        ear.start()
        tcp_port, udp_port = tcp.getsockname()[1], udp.getsockname()[1]
        found = ["tcp"] if open_tcp("127.0.0.1", [tcp_port]) == {tcp_port} else []
        found += ["udp"] if answering_udp("127.0.0.1", [udp_port]) == {udp_port} else []
        ear.join()
    return found


def main() -> None:
    result: dict[str, list[str]] = {"control": control()}
    for address in json.loads(sys.argv[1]):
        result[address] = [f"tcp {port}" for port in sorted(open_tcp(address, PORTS))]
        result[address] += [f"udp {port}" for port in sorted(answering_udp(address, PORTS))]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
