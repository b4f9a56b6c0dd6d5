# SPDX-License-Identifier: GPL-3.0-or-later
"""Rings open, wait, stop and go back by nothing but what hosts report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bocage_core._common import dsse, timestamps
from bocage_core._common.errors import BadInput
from bocage_core._common.rollout import Host, State
from bocage_core._packages import downgrades
from bocage_core._packages.rollout_document import Locked, RolloutDocument, parse, render
from bocage_core._packages.rollout_progress import Progress, Report, advance, command, observe

KEY = dsse.generate_private_key()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOSTS = [Host(f"00000000-0000-4000-8000-00000000000{one}", f"desk{one}", "lyon") for one in range(1, 4)]
DOCUMENT = RolloutDocument(
    definition={
        "name": "editor-2",
        "salt": "s",
        "rings": [{"name": "pilots", "hosts": ["desk1"]}, {"name": "rest", "hosts": ["desk2", "desk3"]}],
        "gates": {"soak_seconds": 60, "metrics": [{"name": "system.load", "most_ratio": 2}]},
        "roll_back": True,
        "expires": "2026-12-01T00:00:00Z",
    },
    state=State(),
    before={"editor": Locked("1.0", ("a" * 64,)), "base": Locked("1", ("c" * 64,))},
    after={"editor": Locked("2.0", ("b" * 64,)), "base": Locked("1", ("c" * 64,))},
    tickets=(),
)
BEFORE, AFTER = DOCUMENT.lock_digest("before"), DOCUMENT.lock_digest("after")


def said(
    digest: str | None,
    *problems: dict[str, Any],
    due: bool | None = None,
    audit: str = "",
    age: int = 0,
    audited: int | None = 0,
    **told: Any,
) -> Report:
    """`audited`: seconds after `NOW`; None before any audit, -1 where there is nothing to audit."""
    if due is None:
        due = any(one["state"].startswith("NEED-") for one in problems)
    entry: dict[str, Any] = {"digest": digest, "taken": digest == AFTER, "due": due, **told}
    if audited != -1:
        entry["audited_at"] = None if audited is None else timestamps.write(NOW + timedelta(seconds=audited))
    section = {
        "rollouts": {} if digest is None else {"editor-2": entry},
        "problems": list(problems),
        "problem_count": len(problems),
        "audits": {"editor": {"answer": audit, "reason": "it is down"}} if audit else {},
    }
    return Report({"packages": section, "system": {"load": 1}}, NOW - timedelta(seconds=age))


def problem(state: str, wanted: str | None = "2.0", package: str = "editor") -> dict[str, Any]:
    return {"package": package, "state": state, "version": None, "wanted": wanted, "reason": "no room."}


def taken(document: RolloutDocument, reports: dict[str, Report], after: int = 0) -> Progress:
    moment = NOW + timedelta(seconds=after)
    return advance(document, HOSTS, reports, moment, lambda one: downgrades.sign(one, KEY), [dsse.public_key_of(KEY)])


def unticketed(document: RolloutDocument) -> RolloutDocument:
    return replace(document, definition={**document.definition, "roll_back": False})


@pytest.mark.parametrize(
    ("report", "changed", "error"),
    [
        (said(None), False, ""),
        (said(BEFORE), False, ""),
        (said(AFTER), True, ""),
        (said(AFTER, problem("NEED-UPGRADE")), False, ""),
        (said(AFTER, problem("ERROR")), True, "editor 2.0: no room"),
        # a failure of before, of another package, or one that nobody can see
        (said(AFTER, problem("ERROR", "1.0")), True, ""),
        (said(AFTER, problem("ERROR", "3", package="base")), True, ""),
        # the host itself says whether something of the rollout is to come, however much a report leaves out
        (said(AFTER, problem("NEED-INSTALL", "1", package="other"), due=False), True, ""),
        (said(AFTER, due=True), False, ""),
        (Report({"system": {}}, NOW), None, ""),
    ],
)
def test_what_a_report_says(report: Report, changed: bool | None, error: str) -> None:
    found = observe(DOCUMENT, {"desk1": report}, NOW).get("desk1")
    assert (None if found is None else found.changed) == changed
    assert (found.error if found else "") == error


def test_an_audit_that_fails_and_silence_count_once_the_host_has_it() -> None:
    document = replace(DOCUMENT, definition={**DOCUMENT.definition, "gates": {"silence_seconds": 60}})
    assert observe(document, {"desk1": said(AFTER, audit="ERROR")}, NOW)["desk1"].audit_failed
    assert not observe(document, {"desk1": said(BEFORE, audit="ERROR")}, NOW)["desk1"].audit_failed
    assert not observe(document, {"desk1": said(AFTER, audit="WARNING")}, NOW)["desk1"].audit_failed
    assert observe(document, {"desk1": said(AFTER, age=61)}, NOW)["desk1"].silent
    assert observe(document, {"desk1": said(BEFORE, age=61)}, NOW)["desk1"].problem(audits=True) == ""


def test_a_host_that_began_and_fell_silent_has_failed() -> None:
    """It told that it begins, and nothing since; one that began with what was before it is on its way back."""
    waits = problem("NEED-UPGRADE")
    began = said(AFTER, waits, age=86_401, begun=True)
    found = observe(DOCUMENT, {"desk1": began}, NOW)["desk1"]
    assert (found.changed, found.begun, found.silent) == (False, True, True)
    assert not observe(DOCUMENT, {"desk1": said(BEFORE, waits, begun=True)}, NOW)["desk1"].begun
    first = taken(unticketed(DOCUMENT), {})
    back = taken(first.document, {"desk1": began})
    assert back.document.state.phase == "stopped"
    assert "it began to take the change and does not report any more" in back.document.state.reason
    slow = said(AFTER, waits, age=86_399, begun=True)
    assert taken(first.document, {"desk1": slow}).document.state.phase == "running"


def test_figures_are_taken_by_their_way_in_the_report() -> None:
    assert observe(DOCUMENT, {"desk1": said(AFTER)}, NOW)["desk1"].metrics == {"system.load": 1.0}


def test_a_good_one_goes_through_its_rings() -> None:
    document = unticketed(DOCUMENT)
    first = taken(document, {})
    assert first.document.state.phase == "running" and first.step.change == ("desk1",) and first.audit == ()
    good = {"desk1": said(AFTER), "desk2": said(BEFORE), "desk3": said(BEFORE)}
    waits = taken(first.document, good, 59)
    assert waits.step.change == () and waits.audit == ("desk1",)
    assert render(waits.document) == render(first.document), "nothing to publish while it soaks"
    unseen = taken(first.document, {**good, "desk1": said(AFTER, audited=None)}, 61)
    assert unseen.document.state.ring == 0, "it was never asked whether it is well"
    assert unseen.step.health["pilots"].waiting == "0 of 1 hosts have been audited since the ring was soaked"
    assert taken(first.document, {**good, "desk1": said(AFTER, audited=59)}, 61).document.state.ring == 0
    nothing = taken(first.document, {**good, "desk1": said(AFTER, audited=-1)}, 61)
    assert nothing.document.state.ring == 1 and nothing.audit == (), "it has nothing to be asked about"
    second = taken(first.document, {**good, "desk1": said(AFTER, audited=60)}, 61)
    assert second.document.state.ring == 1 and second.step.change == ("desk2", "desk3")
    everybody = {host.name: said(AFTER, audited=150) for host in HOSTS}
    done = taken(parse(render(second.document)), everybody, 200)
    assert done.document.state.phase == "done" and done.step.change == ()


def test_a_bad_one_is_taken_back_in_its_first_ring() -> None:
    first = taken(unticketed(DOCUMENT), {})
    backed = replace(first.document, definition=DOCUMENT.definition)
    bad = {"desk1": said(AFTER, audit="ERROR"), "desk2": said(BEFORE), "desk3": said(BEFORE)}
    back = taken(replace(backed, tickets=()), bad, 5)
    assert back.document.state.phase == "rolling_back"
    assert back.step.undo == ("desk1",) and back.audit == ()
    assert (
        "ring pilots: 1 of 1 hosts failed" in back.document.state.reason
        and "its audit fails" in back.document.state.reason
    )
    still = taken(back.document, {**bad, "desk1": said(BEFORE, problem("NEED-UPGRADE", "1.0"))}, 10)
    assert still.step.undo == ("desk1",), "it has heard of it, and not done it"
    over = taken(still.document, {**bad, "desk1": said(BEFORE)}, 15)
    assert over.document.state.phase == "rolled_back" and over.step.undo == ()
    assert "ring pilots" in over.document.state.reason, "why stays"


def test_what_a_person_decides() -> None:
    running = replace(DOCUMENT, state=State("running", 0, NOW))
    paused = command(running, "pause", NOW, "holidays")
    assert paused.state.phase == "paused" and paused.state.reason == "holidays"
    assert command(paused, "resume", NOW, "back").state.phase == "running"
    assert command(running, "abort", NOW, "no").state.phase == "aborted"
    assert command(running, "roll_back", NOW, "no").state.phase == "rolling_back"
    with pytest.raises(BadInput, match="The rollout editor-2 is running and cannot become running"):
        command(running, "resume", NOW, "x")
