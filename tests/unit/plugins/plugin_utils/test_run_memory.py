# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations kept from one run to the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.run_memory import Estimate, load_steps, save_steps


def test_steps_come_back(tmp_path: Path) -> None:
    file = tmp_path / "new folder/memory.json"
    save_steps(file, "site.yml", [("a", 1.234), ("b", 2)])
    save_steps(file, "prove.yml", [("c", 3)])
    assert load_steps(file, "site.yml") == [("a", 1.23), ("b", 2.0)]
    assert load_steps(file, "other.yml") == []
    assert [path.name for path in file.parent.iterdir()] == ["memory.json"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"site.yml": 3}', '{"site.yml": ["a", ["b"]]}'])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, content: str) -> None:
    file = tmp_path / "memory.json"
    file.write_text(content)
    assert load_steps(file, "site.yml") == []
    save_steps(file, "site.yml", [("a", 1)])
    assert load_steps(file, "site.yml") == [("a", 1.0)]


def test_old_playbooks_are_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    for number in range(60):
        save_steps(file, f"{number}.yml", [("a", 1)])
    assert list(json.loads(file.read_text())) == [f"{number}.yml" for number in range(10, 60)]


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "memory.json").mkdir()
    with pytest.raises(OSError, match=r"memory\.json"):
        save_steps(tmp_path / "memory.json", "site.yml", [("a", 1)])
    assert [path.name for path in tmp_path.iterdir()] == ["memory.json"]


def test_an_estimate_follows_the_run() -> None:
    estimate = Estimate([("a", 10), ("b", 20), ("c", 30)])
    assert estimate.remaining(0) == 60
    estimate.task_started("a")
    assert estimate.remaining(4) == 56
    # It takes longer than last time.
    assert estimate.remaining(15) == 50
    # A task that was not there last time, then one is left out.
    estimate.task_started("new")
    assert estimate.remaining(1) == 50
    estimate.task_started("c")
    assert estimate.remaining(1) == 29


def test_the_same_task_twice_is_found_in_order() -> None:
    estimate = Estimate([("a", 10), ("a", 20)])
    estimate.task_started("a")
    assert estimate.remaining(0) == 30
    estimate.task_started("a")
    assert estimate.remaining(0) == 20


def test_without_a_memory_there_is_no_estimate() -> None:
    estimate = Estimate([])
    estimate.task_started("a")
    assert estimate.remaining(1) is None
