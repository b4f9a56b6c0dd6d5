# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths are measured, when again, and what is said of them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import collect_mtu as module
from bocage_agent.collect_mtu import MOST_AT_ONCE, collect_mtu
from bocage_core._common import timestamps
from bocage_core._mesh.path_sizes import PathSize
from bocage_core._state.inventory_drift import mtu_drift
from bocage_core._state.sections import MAX_PATHS, check_sections

HUB, GATEWAY = "fd7b:4c1e:90a2::1", "fd7b:4c1e:90a2:1::1"


class Host:
    """A host with paths, of which some carry less than planned or do not answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.carried: dict[str, int | None] = {}
        self.asked: list[list[str]] = []
        self.plan({HUB: 1340, GATEWAY: 1340})

    def plan(self, sizes: dict[str, int]) -> None:
        paths = [
            {"peer": f"host{number}", "address": one, "mtu": mtu} for number, (one, mtu) in enumerate(sizes.items())
        ]
        (self.folder / "paths.json").write_text(json.dumps(paths))

    def measure(self, _run: Any, paths: list[dict[str, Any]], *_limits: float) -> list[PathSize]:
        self.asked.append([path["address"] for path in paths])
        return [
            PathSize(
                peer=path["peer"],
                address=path["address"],
                interface="bocage0",
                planned=path["mtu"],
                allowed=path["mtu"],
                measured=self.carried.get(path["address"], path["mtu"]),
                underlay=1400,
                beyond=False,
            )
            for path in paths
        ]

    def collect(self) -> list[Any]:
        return collect_mtu(lambda _command: (1, "", ""), self.folder, self.folder, self.measure)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    moment = timestamps.now()

    def pass_time(seconds: int) -> None:
        nonlocal moment
        moment += timedelta(seconds=seconds)

    monkeypatch.setattr(module.timestamps, "now", lambda: moment)
    return pass_time


def test_a_path_is_measured_once_and_remembered(host: Host, later: Any) -> None:
    first = host.collect()
    assert first[0] == {"peer": "host0", "planned": 1340, "allowed": 1340, "measured": 1340, "underlay": 1400}
    later(3600)
    assert host.collect() == first
    assert host.asked == [[HUB, GATEWAY]]
    later(6 * 3600)
    host.collect()
    assert len(host.asked) == 2


def test_what_is_planned_anew_is_measured_anew(host: Host) -> None:
    host.collect()
    host.plan({HUB: 1340, GATEWAY: 1420})
    assert [path["planned"] for path in host.collect()] == [1340, 1420]
    assert host.asked[1:] == [[GATEWAY]]


def test_a_narrow_path_comes_first_and_is_looked_at_again_soon(host: Host, later: Any) -> None:
    host.carried[GATEWAY] = 1280
    assert [path["measured"] for path in host.collect()] == [1280, 1340]
    host.carried.clear()
    later(601)
    assert [path["measured"] for path in host.collect()] == [1340, 1340]
    assert host.asked == [[HUB, GATEWAY], [GATEWAY]]


def test_a_peer_that_does_not_answer_is_left_out_and_tried_again(host: Host, later: Any) -> None:
    host.carried[HUB] = None
    assert [path["peer"] for path in host.collect()] == ["host1"]
    assert [path["peer"] for path in host.collect()] == ["host1"]
    later(601)
    host.carried.clear()
    assert [path["peer"] for path in host.collect()] == ["host0", "host1"]


def test_a_large_hub_measures_a_few_at_a_time(host: Host) -> None:
    host.plan({f"fd7b::{number:x}": 1340 for number in range(1, 101)})
    found = [len(host.collect()) for _report in range(8)]
    assert found == [16, 32, 48, 50, 50, 50, 50, 50]
    assert [len(asked) for asked in host.asked] == [MOST_AT_ONCE] * 6 + [4]
    assert len({address for asked in host.asked for address in asked}) == 100


def test_what_is_said_is_taken_by_readers_and_becomes_sentences(host: Host) -> None:
    host.plan({f"fd7b::{number:x}": 1440 for number in range(1, 17)})
    host.carried = {"fd7b::9": 1340}
    mesh = {
        "interface": "bocage0",
        "backend": "kernel",
        "addresses": [],
        "drift": [],
        "peers": [],
        "peer_count": 0,
        "paths": host.collect(),
    }
    check_sections({"mesh": mesh}, "the report")
    assert len(mesh["paths"]) <= MAX_PATHS
    assert mtu_drift(mesh) == [
        "The path to host8 carries 1340 bytes in one piece instead of the planned 1440: its underlay carries 1400; give "
        "the narrower end this underlay_mtu, and no mesh_mtu."
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "nonsense"])
def test_without_usable_paths_nothing_is_measured(host: Host, text: str) -> None:
    (host.folder / "paths.json").write_text(text)
    assert host.collect() == []
    (host.folder / "paths.json").unlink()
    assert host.collect() == []
    assert host.asked == []


def test_a_damaged_memory_is_as_good_as_none(host: Host) -> None:
    host.collect()
    (host.folder / "mtu.json").write_text("[")
    assert len(host.collect()) == 2
    assert len(host.asked) == 2
