# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent of a host that serves packages reports of their ends."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_agent.collect_repository import collect_repository
from bocage_core._common import timestamps
from bocage_core._packages import repository_ends
from bocage_core._state.sections import check_sections

NOW = timestamps.parse("2026-11-21T12:00:00Z", "now")
DAY = timedelta(days=1)


def write(folder: Path, *ends: repository_ends.End) -> None:
    (folder / "ends.json").write_bytes(repository_ends.render(ends))


def collected(folder: Path, now: Any = NOW) -> dict[str, Any]:
    section = collect_repository(folder, now)
    check_sections({"repository": section}, "a report")
    assert section is not None
    return section


def test_a_host_that_serves_nothing_says_nothing(tmp_path: Path) -> None:
    assert collect_repository(tmp_path, NOW) is None
    assert collect_repository(tmp_path / "nowhere", NOW) is None


def test_an_alert_comes_by_the_clock_alone(tmp_path: Path) -> None:
    write(
        tmp_path,
        repository_ends.of_metadata("base", 4, NOW + 30 * DAY),
        repository_ends.of_crl("crl/estate.crl", NOW, NOW + 15 * DAY),
    )
    section = collected(tmp_path)
    assert section == {
        "ends": [
            {
                "name": "crl/estate.crl",
                "kind": "crl",
                "ends_at": "2026-12-06T12:00:00Z",
                "state": "good",
                "signed_by": "holders",
            },
            {
                "name": "base",
                "kind": "metadata",
                "ends_at": "2026-12-21T12:00:00Z",
                "state": "good",
                "signed_by": "holders",
            },
        ],
        "end_count": 2,
        "expiring": [],
        "expiring_count": 0,
        "problem": "",
    }
    section = collected(tmp_path, NOW + 11 * DAY)
    assert section["expiring"] == [
        "the list of revoked certificates crl/estate.crl ends at 2026-12-06T12:00:00Z, and a new one has to be published"
        " before"
    ]
    assert [one["state"] for one in collected(tmp_path, NOW + 20 * DAY)["ends"]] == ["expired", "alert"]


def test_a_report_names_the_most_urgent_and_counts_all(tmp_path: Path) -> None:
    write(tmp_path, *(repository_ends.of_metadata(f"base-{one:03x}", 1, NOW + one * DAY) for one in range(256)))
    section = collected(tmp_path, NOW + 60 * DAY)
    assert (len(section["ends"]), section["end_count"]) == (20, 256)
    assert (len(section["expiring"]), section["expiring_count"]) == (20, 71)
    assert section["ends"][0]["name"] == "base-000"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "is not"),
        (b"{}", "lacks ends, format"),
        (b" " * (repository_ends.MAX_BYTES + 1), "it is larger than 524288 bytes"),
    ],
)
def test_a_damaged_file_is_told_and_stops_no_report(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "ends.json").write_bytes(content)
    problem = collected(tmp_path)["problem"]
    assert problem.startswith(f"The ends of what this host serves cannot be read from {tmp_path / 'ends.json'}"[:200])
    if len(str(tmp_path)) < 60:
        assert reason in problem


def test_attack_what_lies_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(repository_ends.render([repository_ends.of_metadata("base", 1, NOW)]))
    (tmp_path / "ends.json").symlink_to(tmp_path / "elsewhere")
    assert collected(tmp_path)["problem"] and not collected(tmp_path)["ends"]
    (tmp_path / "ends.json").unlink()
    os.mkfifo(tmp_path / "ends.json")
    assert collected(tmp_path)["problem"]
    (tmp_path / "ends.json").unlink()
    (tmp_path / "ends.json").mkdir()
    assert collected(tmp_path)["problem"]
