# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher of traffic classes: whom it hears, and what it does on a network of its own with the real ip and nft."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "tests/unit/plugins/module_utils"))

from network_namespace import NetworkNamespace, need  # noqa: E402


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("class_watch", ROOT / "roles/voice/files/class_watch.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


watch = load()
MARK = 0x0B0C0100
MARKS = """\
table inet bocage_class_marks
delete table inet bocage_class_marks
table inet bocage_class_marks {
  set c100_v4 { type ipv4_addr; flags interval,timeout; }
  set c100_v6 { type ipv6_addr; flags interval,timeout; }
}
"""


class World:
    """A clock, a WireGuard with two peers, those of them who answer, and whoever was asked."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.allowed = {"hub": "fd00::/48 198.19.0.0/16", "gateway": "fd00:0:0:1::1/128 198.19.1.1/32 198.18.1.0/24"}
        self.asked: list[tuple[str, int, int]] = []
        self.answering: set[str] = set()
        self.waiting: list[int] = []
        self.namespace: NetworkNamespace | None = None

    def run(self, command: Sequence[str], given: str = "") -> tuple[int, str, str]:
        if command[0] == "wg":
            return 0, "".join(f"{key}\t{value}\n" for key, value in self.allowed.items()), ""
        if self.namespace is None:
            return 1, "", "there is no such thing here"
        if given:
            return self.namespace.run(["sh", "-c", f"{' '.join(command)} <<'END'\n{given}END"])
        return self.namespace.run(list(command))

    def ask(self, address: str, mark: int, dscp: int, calls: bool) -> int:
        self.asked.append((address, mark, dscp))
        if {"fd00::1": "hub", "fd00:0:0:1::1": "gateway"}[address] in self.answering:
            self.waiting.append(len(self.asked))
        return len(self.asked)

    def answers(self) -> list[int]:
        found, self.waiting = self.waiting, []
        return found

    def hearing(self) -> Any:
        return watch.Hearing(self.run, lambda: self.time, self)

    def pass_time(self, hearing: Any, seconds: int) -> None:
        for _second in range(seconds):
            self.time += 1
            hearing.ask([interface()])


def interface() -> dict[str, Any]:
    return {
        "name": "v1", "mark": MARK, "dscp": 46, "sets": {"4": "c100_v4", "6": "c100_v6"},
        "peers": [
            {"public_key": "hub", "address": "fd00::1", "calls": False},
            {"public_key": "gateway", "address": "fd00:0:0:1::1", "calls": False},
        ],
    }  # fmt: skip


def holds(ranges: list[tuple[int, int]], address: str) -> bool:
    return any(first <= int(ipaddress.ip_address(address)) <= last for first, last in ranges)


def test_ranges_are_those_whose_longest_prefix_is_alive() -> None:
    nested = [(0, 99, True), (10, 19, False), (15, 15, True), (20, 29, True), (90, 99, False), (200, 200, True)]
    assert watch.live_ranges(nested) == [(0, 9), (15, 15), (20, 89), (200, 200)]
    assert watch.live_ranges([]) == []
    assert watch.live_ranges([(0, 9, False)]) == []
    assert watch.live_ranges([(0, 9, True), (10, 19, True)]) == [(0, 19)]
    largest = 2**128 - 1
    assert watch.live_ranges([(0, largest, True), (largest, largest, False)]) == [(0, largest - 1)]


def test_ranges_agree_with_the_longest_match() -> None:
    dice = random.Random(4)
    for _round in range(200):
        networks = {
            ipaddress.ip_network((dice.randrange(256) >> (8 - length) << (8 - length), 24 + length))
            for length in (dice.randrange(9) for _one in range(12))
        }
        alive = {network: dice.random() < 0.6 for network in networks}
        ranges = watch.live_ranges(
            (int(one.network_address), int(one.broadcast_address), state) for one, state in alive.items()
        )
        for number in range(256):
            matching = [one for one in networks if ipaddress.ip_address(number) in one]
            wanted = bool(matching) and alive[max(matching, key=lambda one: one.prefixlen)]
            assert any(first <= number <= last for first, last in ranges) == wanted


def test_a_peer_is_carried_after_it_answered() -> None:
    world = World()
    hearing = world.hearing()
    world.answering = {"gateway"}
    hearing.ask([interface()])
    assert hearing.listen("v1")[0] == 0
    world.pass_time(hearing, 1)
    heard, ranges = hearing.listen("v1")
    assert heard == 1
    assert holds(ranges[4], "198.18.1.20") and holds(ranges[6], "fd00:0:0:1::1")
    assert not holds(ranges[6], "fd00:0:0:2::1")


def test_a_peer_that_falls_silent_is_left() -> None:
    world = World()
    hearing = world.hearing()
    world.answering = {"hub", "gateway"}
    world.pass_time(hearing, 5)
    assert hearing.listen("v1")[0] == 2
    world.answering = {"hub"}
    world.pass_time(hearing, 16)
    heard, ranges = hearing.listen("v1")
    assert heard == 1
    # what is behind the silent one does not go to the other, whose prefix is shorter
    assert holds(ranges[6], "fd00:0:0:2::1") and not holds(ranges[6], "fd00:0:0:1::1")
    assert not holds(ranges[4], "198.18.1.20")
    world.answering = {"hub", "gateway"}
    world.pass_time(hearing, 6)
    assert hearing.listen("v1")[0] == 2


def test_everybody_is_asked_in_the_class_and_not_too_often() -> None:
    world = World()
    world.pass_time(world.hearing(), 20)
    assert set(world.asked) == {("fd00::1", MARK, 46), ("fd00:0:0:1::1", MARK, 46)}
    assert len(world.asked) == 10


def test_an_answer_that_nobody_asked_for_is_no_answer() -> None:
    world = World()
    hearing = world.hearing()
    hearing.ask([interface()])
    world.waiting = [4711]
    world.pass_time(hearing, 1)
    assert hearing.listen("v1")[0] == 0


def test_real_echoes() -> None:
    need("ip")
    try:
        echo = watch.Echo("::1")
    except PermissionError:
        pytest.skip("raw sockets need privileges")
    number = echo.ask("::1", 0, 46, False)
    deadline = time.monotonic() + 5
    found: list[int] = []
    while not found and time.monotonic() < deadline:
        found = echo.answers()
    assert found == [number]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    need("nft", "ip", "tc")
    with NetworkNamespace() as namespace:
        made = World()
        made.namespace = namespace
        # stands for the interface of the class, of which only the name matters here
        namespace.must("ip", "link", "add", "v1", "type", "veth", "peer", "name", "far1")
        for name in ("v1", "far1"):
            namespace.must("ip", "link", "set", name, "up")
        yield made


def watcher_of(world: World, tmp_path: Path, **changes: Any) -> Any:
    marks = tmp_path / "marks.nft"
    marks.write_text(MARKS)
    settings = {
        "source": "fd00::9", "interfaces": [interface()], "marks_file": str(marks),
        "marks_table": "bocage_class_marks", "shaping_file": None, "uplink_interface": None, "handle": "b0ca", **changes,
    }  # fmt: skip
    made = watch.Watcher(settings, world, world.run, lambda: world.time)
    made.load_marks()
    return made


def carried(world: World) -> str:
    assert world.namespace is not None
    return world.namespace.must("nft", "list", "set", "inet", "bocage_class_marks", "c100_v4")


def test_rules_routes_and_leases_come_and_come_back(world: World, tmp_path: Path) -> None:
    assert world.namespace is not None
    watcher = watcher_of(world, tmp_path)
    watcher.round()
    for family in ("-4", "-6"):
        assert "fwmark 0xb0c0100 lookup 185336064" in world.namespace.must("ip", family, "rule", "show")
        shown = world.namespace.must("ip", family, "route", "show", "table", str(MARK))
        assert "default dev v1 proto 176" in shown
    assert "198.18.1.0" not in carried(world)
    world.answering = {"hub", "gateway"}
    world.time += 4
    watcher.round()
    world.time += 1
    watcher.round()
    assert "198.18.1.0/24 timeout 20s" in carried(world)
    # each is put back: the rules after a while, the others in the next round
    world.namespace.must("ip", "rule", "del", "fwmark", str(MARK))
    world.namespace.must("ip", "route", "flush", "table", str(MARK))
    world.namespace.must("nft", "flush", "ruleset")
    for _round in range(8):
        world.time += 2
        watcher.round()
    assert "0xb0c0100" in world.namespace.must("ip", "rule", "show")
    assert "default dev v1" in world.namespace.must("ip", "route", "show", "table", str(MARK))
    assert "198.18.1.0/24" in carried(world)
    watcher.stop()
    assert world.namespace.must("nft", "list", "tables") == ""


def test_rules_of_classes_that_are_gone_are_removed_and_no_others(world: World, tmp_path: Path) -> None:
    assert world.namespace is not None
    world.namespace.must("ip", "rule", "add", "fwmark", str(MARK + 7), "lookup", str(MARK + 7))
    world.namespace.must("ip", "rule", "add", "fwmark", "77", "lookup", "77")
    watcher_of(world, tmp_path).round()
    rules = world.namespace.must("ip", "rule", "show")
    assert "0xb0c0107" not in rules
    assert "0xb0c0100" in rules and "0x4d" in rules


def test_leases_run_out_by_themselves(world: World, tmp_path: Path) -> None:
    """Where the watcher hangs or dies, everything takes the ordinary interfaces."""
    watcher = watcher_of(world, tmp_path)
    world.answering = {"hub", "gateway"}
    watcher.round()
    world.time += 1
    watcher.round()
    assert world.namespace is not None
    shown = json.loads(world.namespace.must("nft", "--json", "list", "set", "inet", "bocage_class_marks", "c100_v6"))
    elements = next(one["set"]["elem"] for one in shown["nftables"] if "set" in one)
    assert elements
    assert all(one["elem"]["expires"] <= watch.LEASE_SECONDS for one in elements)
    assert watch.RENEW_SECONDS + 2 * watch.TICK_SECONDS < watch.LEASE_SECONDS


def test_an_uplink_that_was_made_anew_is_shaped_again(world: World, tmp_path: Path) -> None:
    assert world.namespace is not None
    if world.namespace.run(["tc", "qdisc", "add", "dev", "lo", "root", "handle", "b0ca:", "htb"])[0] != 0:
        pytest.skip("this kernel has no HTB")
    shaping = tmp_path / "shaping.tc"
    shaping.write_text("qdisc add dev v1 root handle b0ca: htb default 10\n")
    watcher = watcher_of(world, tmp_path, shaping_file=str(shaping), uplink_interface="v1")
    watcher.round()
    assert "htb b0ca:" in world.namespace.must("tc", "qdisc", "show", "dev", "v1")
    world.namespace.must("tc", "qdisc", "replace", "dev", "v1", "root", "handle", "7:", "pfifo")
    world.time += watch.HEAL_SECONDS
    watcher.round()
    assert "pfifo 7:" in world.namespace.must("tc", "qdisc", "show", "dev", "v1")


def test_settings_must_be_named() -> None:
    assert watch.main([]) == 2
