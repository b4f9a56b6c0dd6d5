# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beats and announcements as bytes."""

from __future__ import annotations

import struct

from bocage_core._segments import wire
from bocage_core._segments.election import Fitness, Message
from hypothesis import given
from hypothesis import strategies as st

SAID = Message("gw1", True, Fitness.FIT, 3, 0)
KEY = bytes(range(16))


def test_a_beat_survives_the_way_also_with_padding() -> None:
    beat = wire.Beat(1001, SAID, 7, KEY, ("02000000000a",), ("02000000000b",))
    data = wire.encode(beat, KEY)
    assert wire.decode(data + b"\0" * 20) == beat
    assert wire.genuine(data + b"\0" * 20, KEY)


def test_attack_a_machine_of_the_lan_speaks_for_a_gateway() -> None:
    forged = wire.encode(wire.Beat(1001, SAID, 8), bytes(16))
    assert wire.decode(forged) is not None
    assert not wire.genuine(forged, KEY)
    true = wire.encode(wire.Beat(1001, SAID, 8), KEY)
    assert not wire.genuine(true[:16] + true[16:].replace(b'"term":3', b'"term":9'), KEY)


@given(st.binary(max_size=200))
def test_attack_bytes_that_are_no_beat(data: bytes) -> None:
    assert wire.decode(data) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_attack_json_that_is_no_beat(value: object) -> None:
    import json

    assert wire.decode(bytes(16) + json.dumps(value).encode()) is None


def test_an_announcement_is_a_reverse_arp_from_the_machine_itself() -> None:
    frame = wire.announcement("02000000000a")
    assert len(frame) == 60
    assert frame[:14].hex() == "ffffffffffff02000000000a8035"
    assert frame[14:22].hex() == "0001080006040003"
    assert frame[22:42].hex() == "02000000000a0000000002000000000a00000000"


def test_a_beat_of_the_lan_is_a_frame_to_a_group() -> None:
    frame = wire.frame(b"\x02" * 6, b"payload")
    assert frame[0] & 1
    assert frame[6:14] == b"\x02" * 6 + b"\x88\xb5"
    assert frame[14:] == b"payload"


def test_addresses_are_told_in_portions_that_fit_a_packet() -> None:
    lan = [f"02{number:010x}" for number in range(100)]
    portions = wire.packets_of(lan, ["020000ffffff"])
    assert sorted(mac for one, _far in portions for mac in one) == lan
    assert [far for _lan, far in portions if far] == [("020000ffffff",)]
    sizes = [len(wire.encode(wire.Beat(1001, SAID, 2**63, None, *one), KEY)) for one in portions]
    # the smallest tunnel of the overlay, without IPv6 and UDP headers
    assert max(sizes) <= 1280 - 48


def test_a_bridges_table_is_read_as_the_kernel_writes_it() -> None:
    entry = struct.Struct("=6sBBIBBH")
    data = entry.pack(b"\x02\0\0\0\0\x0a", 1, 0, 150, 0, 0, 0) + entry.pack(b"\x02\0\0\0\0\x0b", 1, 1, 0, 0, 0, 0)
    data += entry.pack(b"\x02\0\0\0\0\x0c", 2, 0, 0, 1, 0, 0)
    assert wire.forwarding_table(data + b"rest") == [("02000000000a", 1, 1.5), ("02000000000c", 258, 0.0)]
