# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's own folder, as its report tells of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import collect_agent as own
from bocage_agent.collect_agent import SEEN, Home, collect_agent
from bocage_core._common import program_list, programs
from bocage_core._state.sections import check_sections

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VERSION = "0.1.0-abc"


@pytest.fixture
def place(tmp_path: Path) -> Home:
    root = tmp_path / "bocage" / "agent"
    lib = root / VERSION / "lib" / "bocage_agent"
    lib.mkdir(parents=True)
    (lib / "main.py").write_text("main")
    (root / "current").symlink_to(VERSION)
    for path in (root.parent, *root.parent.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    (tmp_path / "lists").mkdir()
    (tmp_path / "state").mkdir()
    program_list.write(tmp_path / "lists" / f"{VERSION}.json", root / VERSION)
    return Home(root, VERSION)


def section(place: Home, now: datetime = NOW) -> dict[str, Any]:
    folder = place.root.parents[1]
    found = collect_agent(folder / "state", now, place, folder / "lists")
    assert found is not None
    check_sections({"agent": found}, "the report")
    return found


def test_an_agent_that_is_as_it_was_installed(place: Home) -> None:
    assert section(place) == {"version": VERSION, "managed": False, "read_at": "2026-11-22T12:00:00Z", "drift": []}


def test_contents_are_read_again_after_a_day_or_a_change_and_not_otherwise(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    section(place)
    assert section(place, NOW + timedelta(hours=23))["read_at"] == "2026-11-22T12:00:00Z"
    assert section(place, NOW + timedelta(hours=25))["read_at"] == "2026-11-23T13:00:00Z"
    # a clock that went back
    assert section(place, NOW)["read_at"] == "2026-11-22T12:00:00Z"
    with monkeypatch.context() as unread:
        unread.setattr(program_list, "_digest", lambda path: pytest.fail(f"{path} is read"))
        section(place, NOW + timedelta(hours=1))
    os.utime(place.root / VERSION / "lib" / "bocage_agent" / "main.py")
    assert section(place, NOW + timedelta(hours=2))["read_at"] == "2026-11-22T14:00:00Z"


def test_what_was_altered_is_drift_until_it_is_put_right(place: Home) -> None:
    section(place)
    main = place.root / VERSION / "lib" / "bocage_agent" / "main.py"
    main.write_text("evil")
    for hours in (1, 2):
        found = section(place, NOW + timedelta(hours=hours))
        # read once, and told each time
        assert (found["drift"], found["read_at"]) == ([f"{main} was altered on the host."], "2026-11-22T13:00:00Z")
    main.write_text("main")
    assert section(place, NOW + timedelta(hours=3))["drift"] == []


def test_folders_above_are_looked_at(place: Home) -> None:
    place.root.chmod(0o777)
    assert section(place)["drift"] == [f"{place.root} is writable by others (mode 0777)."]


def test_many_differences_are_few_sentences(place: Home) -> None:
    for number in range(9):
        (place.root / VERSION / f"{number}.py").touch(0o644)
    drift = section(place)["drift"]
    assert len(drift) == 5
    assert drift[-1] == "5 more files of the agent are not as they were installed."


def test_another_list_counts_at_once(place: Home) -> None:
    section(place)
    main = place.root / VERSION / "lib" / "bocage_agent" / "main.py"
    main.write_text("main of another build")
    program_list.write(place.root.parents[1] / "lists" / f"{VERSION}.json", place.root / VERSION)
    assert section(place, NOW + timedelta(hours=1))["drift"] == []


def test_a_missing_list_is_drift(place: Home) -> None:
    section(place)
    (place.root.parents[1] / "lists" / f"{VERSION}.json").unlink()
    said = f"The list of files of the agent {VERSION} is missing or damaged; run the role agent."
    assert section(place)["drift"] == [said]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version":"0.1.0-abc"}'])
def test_a_damaged_memory_is_made_anew(place: Home, content: bytes) -> None:
    (place.root.parents[1] / "state" / SEEN).write_bytes(content)
    assert section(place)["drift"] == []


def test_a_package_that_looks_after_it_is_told(place: Home) -> None:
    programs.set_managed(place.root.parents[1] / "lists", VERSION)
    assert section(place)["managed"] is True


def test_where_an_agent_is_installed(place: Home) -> None:
    file = place.root / "current" / "lib" / "bocage_agent" / "main.py"
    assert own.home(str(file)) == place
    (place.root / "current").unlink()
    assert own.home(str(place.root / VERSION / "lib" / "bocage_agent" / "main.py")) is None
    assert own.home() is None
    assert collect_agent(place.root, NOW) is None
