# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gateways of a segment say to each other, as bytes.

A beat is a JSON text behind its HMAC. Over the LAN it is an Ethernet frame of its own type, which passes exactly where
a loop could be: no filter of addresses takes it away. The key of each sender is random, and its peers get it over the
overlay, whose packets are encrypted; without it a machine of the LAN cannot speak for a gateway.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .election import Fitness, Message

# For local experiments (IEEE 802, clause 9.2.3.2): never seen outside of one site.
ETHERTYPE = 0x88B5
# A locally administered group address.
GROUP = bytes.fromhex("03426f636167")
BROADCAST = b"\xff" * 6
_REVERSE_ARP = 0x8035
_DIGEST = 16
MACS_IN_A_PACKET = 70


@dataclass(frozen=True, slots=True)
class Beat:
    """One message of a gateway about one segment. ``macs`` are hardware addresses by side, told by the active one."""

    segment: int
    message: Message
    count: int
    key: bytes | None = None
    lan_macs: tuple[str, ...] = ()
    far_macs: tuple[str, ...] = ()


def encode(beat: Beat, key: bytes) -> bytes:
    said = beat.message
    fields: dict[str, Any] = {
        "segment": beat.segment,
        "sender": said.sender,
        "active": said.active,
        "fitness": int(said.fitness),
        "term": said.term,
        "rank": said.rank,
        "count": beat.count,
    }
    if beat.key is not None:
        fields["key"] = beat.key.hex()
    if beat.lan_macs or beat.far_macs:
        fields["lan"], fields["far"] = list(beat.lan_macs), list(beat.far_macs)
    text = json.dumps(fields, separators=(",", ":")).encode()
    return _digest(text, key) + text


def _digest(text: bytes, key: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()[:_DIGEST]


def decode(data: bytes) -> Beat | None:
    """The beat, or None for bytes that are none. Its digest is checked by ``genuine``."""
    try:
        fields = json.loads(data[_DIGEST:].rstrip(b"\0"))
        return Beat(
            segment=int(fields["segment"]),
            message=Message(
                sender=str(fields["sender"]),
                active=fields["active"] is True,
                fitness=Fitness(fields["fitness"]),
                term=int(fields["term"]),
                rank=int(fields["rank"]),
            ),
            count=int(fields["count"]),
            key=bytes.fromhex(fields["key"]) if "key" in fields else None,
            lan_macs=tuple(map(_mac, fields.get("lan", ()))),
            far_macs=tuple(map(_mac, fields.get("far", ()))),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def genuine(data: bytes, key: bytes) -> bool:
    return hmac.compare_digest(data[:_DIGEST], _digest(data[_DIGEST:].rstrip(b"\0"), key))


def _mac(text: str) -> str:
    if len(bytes.fromhex(text)) != 6:
        raise ValueError(text)
    return text


def frame(source: bytes, payload: bytes) -> bytes:
    """A beat as a frame for the LAN."""
    return GROUP + source + ETHERTYPE.to_bytes(2, "big") + payload


def announcement(mac: str) -> bytes:
    """A frame that shows everybody where a machine is now: reverse ARP (RFC 903), as after the move of a guest.

    The address of a machine stays with its hardware address, so that no table of neighbours has to change: only
    switches and the far ends of the segment must learn the new way.
    """
    own = bytes.fromhex(mac)
    request = bytes.fromhex("0001080006040003") + own + bytes(4) + own + bytes(4)
    return (BROADCAST + own + _REVERSE_ARP.to_bytes(2, "big") + request).ljust(60, b"\0")


def packets_of(lan: Iterable[str], far: Iterable[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The addresses in portions that fit into a packet."""
    marked = [("lan", mac) for mac in sorted(lan)] + [("far", mac) for mac in sorted(far)]
    portions = [marked[start : start + MACS_IN_A_PACKET] for start in range(0, len(marked), MACS_IN_A_PACKET)]
    return [
        (tuple(mac for side, mac in one if side == "lan"), tuple(mac for side, mac in one if side == "far"))
        for one in portions
    ]


def forwarding_table(data: bytes) -> list[tuple[str, int, float]]:
    """What a bridge learned, from its file ``brforward``: hardware address, number of the port, seconds since."""
    entries = [data[start : start + 16] for start in range(0, len(data) - 15, 16)]
    # address, port, whether it is the bridge's own, age, high byte of the port
    return [
        (one[:6].hex(), one[6] | one[12] << 8, int.from_bytes(one[8:12], sys.byteorder) / 100)
        for one in entries
        if not one[7]
    ]
