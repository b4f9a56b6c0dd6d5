# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that hosts report, in the inventory."""

from __future__ import annotations

from typing import Any

import pytest

PACKAGES: dict[str, Any] = {
    "installed": {"editor": "1.0-1"},
    "installed_count": 1,
    "installed_digest": "a" * 64,
    "problems": [],
    "problem_count": 0,
    "needs_upgrade": False,
    "errors": 0,
    "audits": {},
    "offline_records": [],
    "refused": [],
    "interrupted": [],
    "metadata": {"root": 1, "timestamp": 7},
    "rollouts": {},
    "last_update_at": "2026-11-21T12:00:00Z",
    "last_problem": "",
}
WAITING = {"package": "fonts", "state": "NEED-INSTALL", "version": None, "wanted": "2.0", "reason": ""}
FAILED = {"package": "tool", "state": "ERROR", "version": "1", "wanted": "2", "reason": "The licence is missing."}
RING = {"ring": 2, "pending": True, "taken": False, "digest": "a" * 64}
FETCHED = {
    "since": "2026-11-20T00:00:00Z",
    "site_bytes": 300,
    "site_requests": 3,
    "elsewhere_bytes": 100,
    "elsewhere_requests": 1,
    "site_percent": 75,
}
REPOSITORY: dict[str, Any] = {
    "ends": [
        {
            "name": "base",
            "kind": "metadata",
            "ends_at": "2026-11-25T12:00:00Z",
            "state": "alert",
            "signed_by": "holders",
        }
    ],
    "end_count": 7,
    "expiring": ["the list base ends at 2026-11-25T12:00:00Z and has to be signed by its holders before"],
    "expiring_count": 1,
    "problem": "",
}
FRESH = {**REPOSITORY, "expiring": [], "expiring_count": 0}
GROUPS = ("packages_need_upgrade", "packages_error", "drift_packages", "packages_expiring")


def load(folder: Any, **changes: Any) -> Any:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes(sections={"packages": {**PACKAGES, **changes}}))
    return folder.load(reports="reports")


def groups(loaded: Any) -> list[str]:
    return [name for name in GROUPS if loaded.group(name) == ["gw1"]]


def test_versions_are_a_variable_of_their_own(folder: Any) -> None:
    loaded = load(folder)
    reported = loaded.reported()
    assert reported["packages"] == {"editor": "1.0-1"}
    assert reported["sections"]["packages"]["metadata"] == {"root": 1, "timestamp": 7}
    assert "installed" not in reported["sections"]["packages"]
    assert groups(loaded) == [] and "packages" not in reported["drift"]


def test_from_where_packages_came_is_a_figure_to_compare(folder: Any) -> None:
    reported = load(folder, fetched=FETCHED).reported()
    assert reported["sections"]["packages"]["fetched"] == FETCHED


def test_the_groups_exist_also_when_they_are_empty(folder: Any) -> None:
    loaded = folder.load()
    assert [loaded.group(name) for name in GROUPS] == [[], [], [], []]


def test_what_only_waits_for_an_upgrade_is_no_drift(folder: Any) -> None:
    assert groups(load(folder, problems=[WAITING], problem_count=1, needs_upgrade=True)) == ["packages_need_upgrade"]


def test_who_waits_for_a_ring_is_in_its_group(folder: Any) -> None:
    rollouts = {
        "editor-2": RING,
        "fonts": {**RING, "ring": 3, "pending": False, "taken": True},
        "x": {**RING, "ring": 0},
    }
    loaded = load(folder, rollouts=rollouts)
    assert loaded.group("ring_2_pending") == ["gw1"]
    for name in ("ring_0_pending", "ring_3_pending"):
        assert name not in loaded.inventory.groups


@pytest.mark.parametrize(
    ("changes", "expected", "sentence"),
    [
        (
            {"problems": [FAILED], "problem_count": 1, "errors": 1},
            ["packages_error", "drift_packages"],
            "tool is in ERROR: The licence is missing.",
        ),
        (
            {"audits": {"editor": {"answer": "WARNING", "reason": ""}}},
            ["drift_packages"],
            "The audit of editor says WARNING.",
        ),
        (
            {"problem_count": 30, "errors": 4},
            ["packages_error", "drift_packages"],
            "Packages in ERROR or MISSING that the report had no room for: 4; `bocage-agent packages` on the host names them.",
        ),
        (
            {"audit_count": 3},
            ["drift_packages"],
            "Audits that are not OK and that the report had no room for: 3; `bocage-agent packages` on the host names them.",
        ),
        ({"interrupted": ["editor"]}, ["drift_packages"], "Work on editor was cut off."),
        ({"last_problem": "No replica answered."}, ["drift_packages"], "No replica answered."),
    ],
)
def test_what_does_not_mend_itself_is_drift(folder: Any, changes: Any, expected: list[str], sentence: str) -> None:
    loaded = load(folder, **changes)
    assert groups(loaded) == expected
    assert loaded.reported()["drift"]["packages"] == [sentence]


@pytest.mark.parametrize(
    "changes",
    [
        {"installed": []},
        {"installed": {"a\tb": "1"}},
        {"installed": {"a": 1}},
        {"installed": {f"p{number}": "1" for number in range(201)}, "installed_count": 201},
        {"installed_count": 0},
        {"installed_digest": "x"},
        {"problems": [{**FAILED, "state": "GOOD"}]},
        {"problems": [{**FAILED, "reason": "\x1b[2J"}]},
        {"problems": [FAILED] * 21},
        {"needs_upgrade": 1},
        {"audits": {"editor": "OK"}},
        {"offline_records": [{"package": "editor"}]},
        {"refused": [{"package": "editor", "code": "revoked", "reason": "", "at": "now"}]},
        {"metadata": {"root": "1"}},
        {"rollouts": {"editor-2": {**RING, "taken": "yes"}}},
        {"rollouts": {"editor-2": {**RING, "ring": 21}}},
        {"rollouts": {"editor-2": {**RING, "due": "no"}}},
        {"audit_count": -1},
        {"rollouts": {"editor-2": {**RING, "audited_at": "soon"}}},
        {"rollouts": {"editor-2": {"digest": "a" * 64, "taken": True}}},
        {"fetched": []},
        {"fetched": {**FETCHED, "since": "yesterday"}},
        {"fetched": {**FETCHED, "site_bytes": -1}},
        {"fetched": {**FETCHED, "elsewhere_requests": None}},
        {"fetched": {**FETCHED, "site_percent": 101}},
        {"fetched": {**FETCHED, "site_percent": "75"}},
        {"last_update_at": "yesterday"},
        {"last_problem": None},
        {"interrupted": ["{{ evil }}\n"]},
    ],
)
def test_sections_that_no_agent_writes_are_not_believed(folder: Any, changes: Any) -> None:
    loaded = load(folder, **changes)
    assert (loaded.state(), groups(loaded)) == ("state_untrusted", [])


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (REPOSITORY, ["packages_expiring"]),
        (FRESH, []),
        ({**FRESH, "problem": "The ends cannot be read."}, ["packages_expiring"]),
    ],
)
def test_who_serves_what_is_about_to_end_is_in_a_group(folder: Any, section: Any, expected: list[str]) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes(sections={"packages": PACKAGES, "repository": section}))
    loaded = folder.load(reports="reports")
    assert groups(loaded) == expected
    assert loaded.reported()["sections"]["repository"] == section


@pytest.mark.parametrize(
    "changes",
    [
        {"ends": {}},
        {"ends": REPOSITORY["ends"] * 21, "end_count": 21},
        {"ends": [{**REPOSITORY["ends"][0], "name": "\x1b[2J"}]},
        {"ends": [{**REPOSITORY["ends"][0], "kind": "letter"}]},
        {"ends": [{**REPOSITORY["ends"][0], "state": "soon"}]},
        {"ends": [{**REPOSITORY["ends"][0], "ends_at": "soon"}]},
        {"ends": [{**REPOSITORY["ends"][0], "signed_by": "me"}]},
        {"ends": ["base"]},
        {"end_count": 0},
        {"expiring": "all"},
        {"expiring": ["\n"]},
        {"expiring": ["x"] * 21, "expiring_count": 21},
        {"expiring_count": 0},
        {"expiring_count": True},
        {"problem": None},
    ],
)
def test_ends_that_no_agent_writes_are_not_believed(folder: Any, changes: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes(sections={"repository": {**REPOSITORY, **changes}}))
    loaded = folder.load(reports="reports")
    assert (loaded.state(), groups(loaded)) == ("state_untrusted", [])
