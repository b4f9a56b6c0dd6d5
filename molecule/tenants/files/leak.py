#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries every pair of machines with every protocol, and compares what arrived with what the plan says.

On the controller: ``plan`` makes the probes, ``judge`` compares. On each machine: ``listen`` notes what its own
network stack was given (raw sockets get their copies behind the packet filter), ``send`` sends the probes; all of
them are raw packets, so that a source can be another one's address.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

PORT = 7777
IP_PKTINFO = 8  # of linux/in.h; Python's socket has it from 3.14 on
MAGIC = b"LEAK"
PROTOCOLS = {4: {"icmp": 1, "tcp": 6, "udp": 17}, 6: {"icmp": 58, "tcp": 6, "udp": 17}}
# what the plan lets in; a gateway opens ping alone to its LAN
LETS = {"everything": ("icmp", "tcp", "udp"), "services": ("icmp", "tcp", "udp"), "ping": ("icmp",), "nothing": ()}


def plan(given: dict) -> list[dict]:
    """The probes: each pair and address with the own source, and with sources of the other tenant."""
    probes: list[dict] = []
    reach: dict[tuple[str, str], dict[str, str]] = {}
    for pair in given["pairs"]:
        reach.setdefault((pair["source"], pair["address"]), {})[pair["target"]] = pair["reach"]
    tenants = given["tenants"]
    for (source, address), targets in sorted(reach.items()):
        sources = [None]
        if tenants[source] is not None:
            # also the addresses by which the other tenant's machines are known
            sources += [
                one
                for other, tenant in sorted(tenants.items())
                if tenant not in (None, tenants[source])
                for one in given["known_by"][other]
                if (":" in one) == (":" in address)
            ]
        for forged in sources:
            for protocol in PROTOCOLS[4]:
                may = sorted(name for name, word in targets.items() if word == "neighbours" or protocol in LETS[word])
                must = sorted(name for name, word in targets.items() if protocol in LETS.get(word, ()))
                if forged is not None:
                    # a gateway answers a ping of its LAN, whoever it says that it is from
                    may = [name for name in may if targets[name] in ("neighbours", "ping")]
                    must = []
                probes.append(
                    {
                        "token": len(probes) + 1, "from": source, "address": address, "protocol": protocol,
                        "forged": forged, "may": may, "must": must,
                    }
                )  # fmt: skip
    return probes


def judge(probes: list[dict], heard: dict[str, dict]) -> list[str]:
    """A sentence for each packet that arrived where it must not, or did not where it must, or was not answered."""
    found = []
    for probe in probes:
        arrived = {name for name, notes in heard.items() if probe["token"] in notes["arrived"]} - {probe["from"]}
        about = f"{probe['protocol']} from {probe['from']} to {probe['address']}"
        if probe["forged"] is not None:
            about += f" as {probe['forged']}"
        found += [f"leak: {about} arrived at {name}" for name in sorted(arrived - set(probe["may"]))]
        found += [f"lost: {about} did not arrive at {name}" for name in probe["must"] if name not in arrived]
        if probe["must"] and probe["token"] not in heard[probe["from"]]["answered"]:
            found.append(f"lost: {about} was not answered")
    return found


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(family: int, protocol: str, token: int, source: str, target: str) -> bytes:
    """A whole IP packet with the token in its payload, or as the number of a TCP segment."""
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    one, other = socket.inet_pton(kind, source), socket.inet_pton(kind, target)
    number = PROTOCOLS[family][protocol]
    data = MAGIC + struct.pack("!I", token)
    port = 20000 + token % 20000
    if protocol == "icmp":
        body = struct.pack("!BBHHH", 128 if family == 6 else 8, 0, 0, port, 1) + data
        at = 2
    elif protocol == "udp":
        body = struct.pack("!HHHH", port, PORT, 8 + len(data), 0) + data
        at = 6
    else:
        body = struct.pack("!HHIIBBHHH", port, PORT, token, 0, 5 << 4, 2, 64240, 0, 0)
        at = 16
    pseudo = one + other + struct.pack("!II", len(body), number) if family == 6 or protocol != "icmp" else b""
    if family == 4 and protocol != "icmp":
        pseudo = one + other + struct.pack("!BBH", 0, number, len(body))
    body = body[:at] + struct.pack("!H", checksum(pseudo + body)) + body[at + 2 :]
    if family == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), number, 64) + one + other + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), token & 0xFFFF, 0, 64, number, 0) + one + other
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def own_source(family: int, target: str) -> str | None:
    """The address that this machine would send from, or None where it has no way."""
    with socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def send(probes: list[dict]) -> None:
    raw = {
        4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
        6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW),
    }
    # twice: the first one may still make the tunnel
    for _again in range(2):
        for probe in probes:
            family = 6 if ":" in probe["address"] else 4
            source = probe["forged"] or own_source(family, probe["address"])
            if source is None:
                continue
            made = packet(family, probe["protocol"], probe["token"], source, probe["address"])
            # there may be no way
            with contextlib.suppress(OSError):
                raw[family].sendto(made, (probe["address"], 0))
            time.sleep(0.001)
        time.sleep(1.5)


def listen(path: Path) -> None:
    """Note tokens until it is told to stop; answer UDP, which nobody else does."""
    raw: dict[socket.socket, tuple[int, str]] = {}
    for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        for protocol, number in PROTOCOLS[family].items():
            raw[socket.socket(kind, socket.SOCK_RAW, number)] = (family, protocol)
    echo: dict[socket.socket, int] = {}
    for family, kind, level, option in (
        (4, socket.AF_INET, socket.IPPROTO_IP, IP_PKTINFO),
        (6, socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO),
    ):
        one = socket.socket(kind, socket.SOCK_DGRAM)
        if family == 6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.setsockopt(level, option, 1)
        one.bind(("", PORT))
        echo[one] = family
    notes: dict[str, set[int]] = {"arrived": set(), "answered": set()}

    def stop(*_unused: object) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, stop)
    path.with_suffix(".ready").touch()
    try:
        while True:
            for one in select.select([*raw, *echo], [], [])[0]:
                # an answer to a forged source has no way
                with contextlib.suppress(OSError):
                    if one in raw:
                        take(notes, *raw[one], one.recv(2048))
                    else:
                        answer(one, echo[one])
    finally:
        path.write_text(json.dumps({name: sorted(tokens) for name, tokens in notes.items()}))


def answer(one: socket.socket, family: int) -> None:
    """Echo a datagram from the very address that it came to, as a server of a gateway's several addresses must."""
    data, more, _flags, sender = one.recvmsg(2048, 256)
    if not data.startswith(MAGIC):
        return
    level, kind, given = more[0]
    own = struct.pack("=i4s4s", 0, given[8:12], bytes(4)) if family == 4 else given[:16] + bytes(4)
    one.sendmsg([b"BACK" + data[4:8]], [(level, kind, own)], 0, sender)


def take(notes: dict[str, set[int]], family: int, protocol: str, data: bytes) -> None:
    body = data[(data[0] & 15) * 4 :] if family == 4 else data
    if protocol == "tcp":
        port, to, number, acknowledged, _offset, flags = struct.unpack("!HHIIBB", body[:14])
        if to == PORT and flags & 0x12 == 2:
            notes["arrived"].add(number)
        elif port == PORT and flags & 0x10:
            notes["answered"].add((acknowledged - 1) & 0xFFFFFFFF)
        return
    payload = body[8:16]
    if len(payload) < 8:
        return
    token = struct.unpack("!I", payload[4:])[0]
    if protocol == "udp" and payload[:4] in (MAGIC, b"BACK"):
        notes["arrived" if payload[:4] == MAGIC else "answered"].add(token)
    elif protocol == "icmp" and payload[:4] == MAGIC and body[0] in (8, 128, 0, 129):
        notes["arrived" if body[0] in (8, 128) else "answered"].add(token)


def main() -> None:
    command, *arguments = sys.argv[1:]
    if command == "listen":
        listen(Path(arguments[0]))
    elif command == "send":
        send(json.load(sys.stdin))
    elif command == "plan":
        print(json.dumps(plan(json.load(sys.stdin))))
    else:
        given = json.load(sys.stdin)
        print(json.dumps(judge(given["probes"], given["heard"])))


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C.UTF-8"
    main()
