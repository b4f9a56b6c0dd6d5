# SPDX-License-Identifier: GPL-3.0-or-later
"""One segment of the elector, with links in the hand of the test."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common import icmp
from bocage_core._common.errors import BadInput
from bocage_core._segments import wire
from bocage_core._segments.election import Fitness, Message
from bocage_segments.segment import Segment
from bocage_segments.settings import SegmentSettings, Settings, read_settings

KEY, PEER_KEY = bytes(16), bytes(range(16))
OWN = SegmentSettings(
    "office", 1001, 0, "lan0", "vx1001", "lan1001", {"gw2": "fd00::2"}, ("fd00::9",), ("198.18.1.20",)
)
SETTINGS = Settings("gw1", "fd00::1", 14789, 0.1, 0.35, 5.0, Path("/none"), Path("/none"), Path("/none"), (OWN,))


class FakeLinks:
    def __init__(self) -> None:
        self.opened: dict[str, bool] = {}
        self.up = self.heard = True
        self.macs: dict[str, dict[str, float]] = {"lan1001": {}, "vx1001": {}}

    def set_open(self, name: str, opened: bool) -> bool:
        changed = self.opened.get(name, False) != opened
        self.opened[name] = opened
        return changed

    def carrier(self, _name: str) -> bool:
        return self.up

    def hears(self, _bridge: str, _port: str, _seconds: float) -> bool:
        return self.heard

    def learned(self, _bridge: str, _ports: Any) -> dict[str, dict[str, float]]:
        return self.macs

    def address(self, _name: str) -> bytes:
        return bytes.fromhex("020000000001")


class Wire:
    """A raw socket that keeps what it is to send, and gives what it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, str]] = []
        self.waiting: list[bytes] = []

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append((data, address[0]))

    def recv(self, _size: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(0)


class Bench:
    def __init__(self) -> None:
        self.links, self.wire, self.now = FakeLinks(), Wire(), 0.0
        self.segment = Segment(SETTINGS, OWN, self.links, KEY, 0.0)  # type: ignore[arg-type]
        self.segment.socket = self.wire  # type: ignore[assignment]
        self.logged: list[str] = []
        self.answering = True

    def run(self, seconds: float) -> None:
        for _beat in range(round(seconds * 10)):
            self.now += 0.1
            if self.answering:
                self.segment.answered(self.now, "198.18.1.20")
                self.segment.answered(self.now, "fd00::9")
            self.segment.decide(self.now, False, self.logged.append)
            self.segment.announce(self.now, self.wire)  # type: ignore[arg-type]

    def beat(self, signed: bytes, count: int, active: bool = True, **values: Any) -> bytes:
        said = Message("gw2", active, Fitness.FIT, 9, 1)
        return wire.encode(wire.Beat(1001, said, count, **values), signed)

    def from_lan(self, data: bytes) -> None:
        self.wire.waiting.append(wire.frame(bytes(6), data))
        self.segment.hear_lan(self.now)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.run(1)
    assert bench.links.opened["vx1001"]
    return bench


def test_the_port_follows_the_election(bench: Bench) -> None:
    assert bench.logged == ["segment office: active, term 1"]
    bench.segment.hear_overlay(bench.now, bench.beat(PEER_KEY, 1), "fd00::2")
    bench.run(0.1)
    assert not bench.links.opened["vx1001"]
    assert bench.logged[1:] == ["segment office: standby, term 1"]


def test_a_port_that_somebody_else_opened_is_closed(bench: Bench) -> None:
    bench.links.opened["vx1001"] = False
    bench.run(0.1)
    assert bench.links.opened["vx1001"]
    assert bench.logged[1:] == ["segment office: port vx1001 was closed by somebody else"]


def test_a_lan_without_an_answer_and_without_a_frame_closes_the_port(bench: Bench) -> None:
    bench.answering = False
    bench.run(1)
    # it still hears something, and is the last one
    assert bench.links.opened["vx1001"]
    bench.links.heard = False
    bench.run(0.1)
    assert not bench.links.opened["vx1001"]
    assert bench.segment.status(bench.now)["fitness"] == "deaf"


def test_attack_a_forged_beat_of_the_lan_closes_nothing(bench: Bench) -> None:
    bench.segment.hear_overlay(bench.now, bench.beat(PEER_KEY, 1, active=False, key=PEER_KEY), "fd00::2")
    bench.from_lan(bench.beat(bytes(16), 50))
    bench.run(0.1)
    assert bench.links.opened["vx1001"]
    bench.from_lan(bench.beat(PEER_KEY, 51))
    bench.run(0.1)
    assert not bench.links.opened["vx1001"]


def test_attack_an_old_beat_said_again_counts_for_nothing(bench: Bench) -> None:
    bench.segment.hear_overlay(bench.now, bench.beat(PEER_KEY, 1, active=False, key=PEER_KEY), "fd00::2")
    bench.from_lan(bench.beat(PEER_KEY, 60, active=False))
    bench.from_lan(bench.beat(PEER_KEY, 55))
    bench.run(0.1)
    assert bench.links.opened["vx1001"]


def test_attack_a_beat_over_the_overlay_from_an_address_that_is_no_peer(bench: Bench) -> None:
    bench.segment.hear_overlay(bench.now, bench.beat(PEER_KEY, 1), "fd00::7")
    bench.run(0.1)
    assert bench.links.opened["vx1001"]


def test_whoever_takes_over_shows_each_side_the_machines_of_the_other() -> None:
    bench = Bench()
    told = {"lan_macs": ("02000000000a",), "far_macs": ("02000000000b",)}
    bench.segment.hear_overlay(0.0, bench.beat(PEER_KEY, 1, **told), "fd00::2")
    bench.run(1)
    announced = [(data[6:12].hex(), port) for data, port in bench.wire.sent]
    # its own address, too, and all of it twice
    assert set(announced) == {("02000000000a", "vx1001"), ("020000000001", "vx1001"), ("02000000000b", "lan1001")}
    assert len(announced) == 6


def test_what_the_active_one_learned_is_told(bench: Bench) -> None:
    bench.links.macs = {"lan1001": {"02000000000a": 1.0}, "vx1001": {"02000000000b": 2.0}}
    (told,) = bench.segment.learned_beats(1)
    beat = wire.decode(told)
    assert beat is not None
    assert (beat.lan_macs, beat.far_macs) == (("02000000000a",), ("02000000000b",))


def test_one_that_stops_says_so(bench: Bench) -> None:
    lan, overlay = bench.segment.beats(5, resigned=True)
    for data in (lan, overlay):
        beat = wire.decode(data)
        assert beat is not None
        assert (beat.message.active, beat.message.fitness) == (False, Fitness.DEAF)
    # the key never crosses the LAN
    assert b'"key"' not in lan
    assert b'"key"' in overlay


def test_an_echo_request_has_its_checksum() -> None:
    words = struct.unpack("!4H", icmp.request(4, 7, 1))
    total = sum(words)
    assert ((total & 0xFFFF) + (total >> 16)) == 0xFFFF


def test_settings_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    path = tmp_path / "elector.json"
    path.write_text("{}")
    with pytest.raises(BadInput, match=r"The settings .*elector\.json cannot be used: KeyError"):
        read_settings(path)
