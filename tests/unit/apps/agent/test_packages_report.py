# SPDX-License-Identifier: GPL-3.0-or-later
"""A host on which much fails can still say so: what a report leaves out, what it keeps, and what it counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bocage_agent import make_report, packages_report
from bocage_agent.packages_store import Row, Store, put_facts, put_row
from bocage_core._state.report import MAX_REPORT_BYTES
from bocage_core._state.sections import check_sections
from sealed_host import SealedHost

LONG = "é" * 400
KEPT = {
    "versions": {"zoom": ["2", ["a" * 64], "rollout zoom-2, ring pilots"], "other": ["1", [], "rollout other, ring x"]},
    "withheld": {"zoom-help": "rollout zoom-2, ring pilots"},
    "tickets": [],
    "rollouts": {},
}


def told(name: str, number: int) -> dict[str, Any]:
    return {name: {"ring": 1, "pending": False, "taken": number == 45, "digest": "a" * 64}}


def section(folder: Path, rows: list[Row], **facts: Any) -> dict[str, Any]:
    store = Store.open(folder)
    try:
        with store.step() as step:
            for row in rows:
                put_row(step, row)
            put_facts(step, facts)
    finally:
        store.close()
    found = packages_report.section(folder)
    assert found is not None
    check_sections({"packages": found}, "the report")
    return found


def test_failures_of_what_is_rolled_out_are_named_before_others(tmp_path: Path) -> None:
    rows = [Row(f"p{one:02}", "ERROR", "no", "1", audit="ERROR", audit_reason="down") for one in range(30)]
    rows += [Row(f"w{one:02}", "NEED-UPGRADE", "", "1", audit="WARNING") for one in range(30)]
    rows.append(Row("zoom", "ERROR", "no room", "1", "2", audit="ERROR", audit_reason="it is down"))
    found = section(tmp_path, rows, kept=KEPT)
    assert [one["package"] for one in found["problems"]] == ["zoom", *(f"p{one:02}" for one in range(19))]
    assert list(found["audits"]) == ["zoom", *(f"p{one:02}" for one in range(19))]
    assert (found["problem_count"], found["errors"], found["audit_count"]) == (61, 31, 61)


@pytest.mark.parametrize(
    ("rows", "due"),
    [
        ([], False),
        ([Row("zoom", "OK", "", "2")], False),
        ([Row("zoom", "ERROR", "no room", "1")], False),
        ([Row("zoom", "MISSING", "gone")], False),
        ([Row("zoom", "NEED-UPGRADE", "", "1")], True),
        ([Row("zoom", "OK", "", "2"), Row("zoom-help", "NEED-REMOVE", "", "1")], True),
        # what another rollout waits for, or an upgrade without one
        ([Row("other", "NEED-INSTALL"), *(Row(f"w{one}", "NEED-INSTALL") for one in range(30))], False),
    ],
)
def test_whether_something_of_a_rollout_is_to_come(tmp_path: Path, rows: list[Row], due: bool) -> None:
    found = section(tmp_path, rows, kept=KEPT, rollouts=told("zoom-2", 45))
    assert found["rollouts"]["zoom-2"]["due"] is due


def test_rollouts_that_are_under_way_are_told_before_those_of_before(tmp_path: Path) -> None:
    many = {name: one for number in range(50) for name, one in told(f"r{number:02}", number).items()}
    found = section(tmp_path, [], rollouts=many)
    assert (len(found["rollouts"]), found["rollout_count"]) == (packages_report.MAX_ROLLOUTS, 50)
    assert "r45" in found["rollouts"] and "r44" not in found["rollouts"]


def test_a_report_in_which_all_fails_is_made(tmp_path: Path, sealed: SealedHost) -> None:
    """As much of everything as a host can have, in words of the greatest length, still is one report that counts."""
    rows = [Row(f"{'n' * 90}{one:03}", "ERROR", LONG, "1", "2", audit="ERROR", audit_reason=LONG) for one in range(300)]
    many = {name: one for number in range(300) for name, one in told(f"{'r' * 50}{number:03}", number).items()}
    metadata = {f"{'d' * 60}{number}": 1 for number in range(500)}
    found = section(tmp_path, rows, rollouts=many, metadata=metadata)
    found["sessions"] = [{"package": "n" * 90, "users": 1, "version": "1", "reason": "é" * 200}] * 20
    report = sealed.host.report(sections={"packages": found})
    fitted, envelope = make_report.sign_fitting(report, sealed.host.report_private)
    assert len(envelope) <= MAX_REPORT_BYTES
    kept = fitted.sections["packages"]
    assert (kept["errors"], kept["problem_count"], kept["audit_count"]) == (300, 300, 300)
    assert kept["problems"][0] == found["problems"][0] and len(kept["problems"]) > 1
    assert next(iter(kept["audits"])) == next(iter(found["audits"]))
    assert kept["installed"] == {} and kept["installed_count"] == 300
