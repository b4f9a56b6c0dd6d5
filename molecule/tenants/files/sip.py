#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call through a translated exit, with the least of SIP (RFC 3261) and SDP (RFC 4566) that a helper must follow.

``answer`` waits on the LAN, ``call ADDRESS`` begins in the overlay. Each sends its media to where the other one's
message says, and prints the message that it got and whether media came.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import time

SIGNALLING, LAN_MEDIA, OVERLAY_MEDIA = 5060, 50000, 40000
SECONDS = 20


def bound(port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("", port))
    one.settimeout(SECONDS)
    return one


def sdp(address: str, port: int) -> str:
    lines = ["v=0", f"o=- 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0", f"m=audio {port} RTP/AVP 0"]
    return "".join(f"{line}\r\n" for line in lines)


def message(head: list[str], body: str) -> bytes:
    lines = [*head, "Content-Type: application/sdp", f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


def place_of_media(text: str) -> tuple[str, int]:
    address, port = re.search(r"^c=IN IP4 (\S+)", text, re.M), re.search(r"^m=audio (\d+)", text, re.M)
    assert address and port
    return address.group(1), int(port.group(1))


def exchange(media: socket.socket, place: tuple[str, int]) -> bool:
    """Send media for some seconds, and say whether some came."""
    media.settimeout(0.2)
    came = False
    until = time.monotonic() + 6
    while time.monotonic() < until:
        media.sendto(b"\x80\x00" + b"voice" * 30, place)
        # nothing may have come yet
        with contextlib.suppress(OSError):
            came = media.recv(2048).startswith(b"\x80\x00") or came
    return came


def answer() -> dict[str, object]:
    signalling, media = bound(SIGNALLING), bound(LAN_MEDIA)
    data, caller = signalling.recvfrom(4096)
    text = data.decode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(caller)
        own = probe.getsockname()[0]
    copied = [line for line in text.split("\r\n") if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    head = ["SIP/2.0 200 OK", *copied, f"Contact: <sip:erp@{own}:{SIGNALLING}>"]
    signalling.sendto(message(head, sdp(own, LAN_MEDIA)), caller)
    return {"message": text, "media": exchange(media, place_of_media(text))}


def call(target: str) -> dict[str, object]:
    signalling, media = bound(SIGNALLING), bound(OVERLAY_MEDIA)
    signalling.connect((target, SIGNALLING))
    own = signalling.getsockname()[0]
    head = [
        f"INVITE sip:erp@{target} SIP/2.0",
        f"Via: SIP/2.0/UDP {own}:{SIGNALLING};branch=z9hG4bKbocage",
        "Max-Forwards: 70",
        f"From: <sip:home@{own}>;tag=1",
        f"To: <sip:erp@{target}>",
        f"Call-ID: 1@{own}",
        "CSeq: 1 INVITE",
        f"Contact: <sip:home@{own}:{SIGNALLING}>",
    ]
    signalling.send(message(head, sdp(own, OVERLAY_MEDIA)))
    text = signalling.recv(4096).decode()
    return {"message": text, "media": exchange(media, place_of_media(text))}


print(json.dumps(answer() if sys.argv[1] == "answer" else call(sys.argv[2])))
