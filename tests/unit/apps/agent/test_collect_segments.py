# SPDX-License-Identifier: GPL-3.0-or-later
"""Which segments a gateway is active for, from what its elector writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from bocage_agent.collect_segments import collect_segments
from bocage_core._common.refused import Refused
from bocage_core._state.sections import check_sections

STATUS = {
    "voice": {"active": True, "fitness": "fit", "term": 3, "seconds": 9.1, "peers": {}, "lan": {}, "overlay": {}},
    "data": {"active": False, "fitness": "drained", "term": 2, "seconds": 9.1, "peers": {}, "lan": {}, "overlay": {}},
}
FOUND = [
    {"name": "data", "active": False, "fitness": "drained"},
    {"name": "voice", "active": True, "fitness": "fit"},
]


def section(path: Path, now: float = 1000) -> dict[str, Any] | None:
    os.utime(path, (990, 990))
    found = collect_segments(path, now)
    check_sections({"segments": found}, "the report")
    return found


def test_segments_of_a_gateway(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(json.dumps(STATUS))
    assert section(tmp_path / "status.json") == {"segments": FOUND, "drift": []}


def test_a_host_without_an_election_has_no_section(tmp_path: Path) -> None:
    assert collect_segments(tmp_path / "status.json") is None


def test_an_elector_that_is_silent_is_active_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(json.dumps(STATUS))
    found = section(tmp_path / "status.json", now=1090)
    assert found is not None
    assert found["drift"] == ["The election of segments has been silent for 100 seconds."]
    assert not any(one["active"] for one in found["segments"])


@pytest.mark.parametrize("text", ["", "[]", '{"voice": 1}', '{"voice": {"active": true}}'])
def test_what_cannot_be_read_is_drift(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    assert section(tmp_path / "status.json") == {
        "segments": [],
        "drift": ["What the election of segments wrote cannot be read; see bocage-segments-elector."],
    }


@pytest.mark.parametrize(
    "entry", [1, {"name": "a b", "active": True, "fitness": "fit"}, {"name": "data", "active": 1, "fitness": "fit"}]
)
def test_a_segment_of_another_form_is_refused(entry: object) -> None:
    with pytest.raises(Refused):
        check_sections({"segments": {"segments": [entry], "drift": []}}, "the report")
