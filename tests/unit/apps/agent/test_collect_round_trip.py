# SPDX-License-Identifier: GPL-3.0-or-later
"""Which peers are asked how far they are, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import collect_mtu, make_report
from bocage_agent.collect_round_trip import MOST_PEERS, collect_round_trip
from bocage_core._common.errors import BocageError
from bocage_core._state.sections import check_sections

SIZE = {"allowed": 1420, "measured": 1420, "underlay": 1500}
MESH: dict[str, Any] = {
    "interface": "bocage0",
    "backend": "kernel",
    "addresses": [],
    "drift": [],
    "peers": [],
    "peer_count": 0,
}


class Peers:
    """Peers by address: seconds that they take, None where they are silent now."""

    def __init__(self, folder: Path, **seconds: float | None) -> None:
        self.folder = folder
        self.seconds = {f"fd7b::{name}": one for name, one in seconds.items()}
        self.asked: list[str] = []
        paths = [{"peer": f"host{one}", "address": one, "mtu": 1420} for one in self.seconds]
        (folder / "paths.json").write_text(json.dumps(paths))
        self.remember(dict.fromkeys(self.seconds, SIZE))

    def remember(self, sizes: Mapping[str, Any]) -> None:
        """What measuring the paths found last."""
        known = {one: {"planned": 1420, "until": 2**40, "size": size} for one, size in sizes.items()}
        (self.folder / "mtu.json").write_text(json.dumps(known))

    def probe(self, addresses: Sequence[str]) -> dict[str, float]:
        self.asked = list(addresses)
        return {one: taken for one in addresses if (taken := self.seconds[one]) is not None}

    def collect(self) -> int | None:
        return collect_round_trip(self.folder, self.folder, self.probe)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({"1": 0.0123}, 12300),
        # one that is far away does not decide
        ({"1": 0.010, "2": 0.9, "3": 0.012}, 12000),
        ({"1": 0.010, "2": 0.020}, 15000),
        ({"1": 0.010, "2": None, "3": 0.020}, 15000),
        ({"1": None}, None),
        ({}, None),
    ],
)
def test_the_median_of_those_that_answer(
    tmp_path: Path, seconds: dict[str, float | None], expected: int | None
) -> None:
    assert Peers(tmp_path, **seconds).collect() == expected


def test_peers_that_were_silent_or_not_measured_yet_are_not_waited_for(tmp_path: Path) -> None:
    peers = Peers(tmp_path, **{"1": 0.1, "2": 0.1, "3": 0.1})
    peers.remember({"fd7b::1": None, "fd7b::3": SIZE})
    peers.collect()
    assert peers.asked == ["fd7b::3"]
    peers.remember({})
    peers.asked = []
    assert peers.collect() is None and peers.asked == []


def test_a_hub_asks_the_same_few_each_time(tmp_path: Path) -> None:
    peers = Peers(tmp_path, **{f"{number:x}": 0.01 for number in range(1, 101)})
    for _report in range(2):
        peers.collect()
        assert peers.asked == [f"fd7b::{number:x}" for number in range(1, MOST_PEERS + 1)]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An agent whose paths are measured already."""
    Peers(tmp_path, **{"1": 0.01})
    monkeypatch.setattr(collect_mtu, "collect_mtu", lambda *_given: [{"peer": "h", "planned": 1, **SIZE}])
    return type("Folders", (), {"mesh_directory": tmp_path, "state_directory": tmp_path})


def test_it_is_in_the_report_beside_the_sizes(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for taken, told in ((15000, {"round_trip_microseconds": 15000}), (None, {})):
        monkeypatch.setattr("bocage_agent.collect_round_trip.collect_round_trip", lambda *_given, taken=taken: taken)
        problems: list[str] = []
        found = make_report.collect_paths(settings, problems)
        assert {name: value for name, value in found.items() if name != "paths"} == told and problems == []
        check_sections({"mesh": {**MESH, **found}}, "the report")


@pytest.mark.parametrize("error", [PermissionError(1, "not permitted"), BocageError("not permitted")])
def test_a_failure_is_said_and_takes_the_sizes_not_with_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_given: Any) -> int:
        raise error

    monkeypatch.setattr("bocage_agent.collect_round_trip.collect_round_trip", fail)
    problems: list[str] = []
    assert list(make_report.collect_paths(settings, problems)) == ["paths"]
    assert len(problems) == 1 and problems[0].startswith("The paths of this host could not be measured: ")
    assert make_report.collect_paths(settings, [])["paths"] != []


def test_without_paths_nothing_is_asked(tmp_path: Path) -> None:
    settings: Any = type("Folders", (), {"mesh_directory": tmp_path, "state_directory": tmp_path})
    assert make_report.collect_paths(settings, []) == {"paths": []}
