# SPDX-License-Identifier: GPL-3.0-or-later
"""A change goes through rings by what hosts report, and stops and goes back without a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bocage_core._common import rollout as machine
from bocage_core._common.errors import BadInput
from bocage_core._common.rollout import Host, Rollout, State, Step, read_rollout, read_state, state_as_data, step
from bocage_core._common.rollout_gates import Observation
from hypothesis import given, settings
from hypothesis import strategies as st

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOSTS = [Host(f"id-{number}", f"h{number}", "lyon") for number in range(10)]
GOOD = Observation(changed=True)
BAD = Observation(changed=True, error="its service does not start")


def rollout(**changes: Any) -> Rollout:
    return read_rollout(
        {
            "name": "editor-2",
            "salt": "s",
            "rings": [
                {"name": "first", "hosts": ["h0", "h1"]},
                {"name": "second", "hosts": ["h2", "h3", "h4"]},
                {"name": "rest", "share_percent": 100},
            ],
            "gates": {"soak_seconds": 600, "sample_percent": 100},
            **changes,
        }
    )


def after(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def test_the_first_ring_opens_and_nobody_else_is_changed() -> None:
    done = step(rollout(), State(), HOSTS, {}, START)
    assert done.state.phase == "running" and done.state.ring == 0
    assert done.change == ("h0", "h1") and done.undo == ()
    again = step(rollout(), done.state, HOSTS, {}, START)
    assert again.state == done.state and again.change == done.change


def test_a_ring_opens_after_the_soak_and_with_enough_hosts() -> None:
    state = step(rollout(), State(), HOSTS, {}, START).state
    well = {"h0": GOOD, "h1": GOOD}
    assert step(rollout(), state, HOSTS, well, after(599)).state.ring == 0
    waiting = step(rollout(), state, HOSTS, {"h0": GOOD}, after(6000))
    assert waiting.state.ring == 0 and waiting.change == ("h1",)
    assert waiting.health["first"].waiting == "1 of 2 hosts have taken the change; nothing is known of h1"
    opened = step(rollout(), state, HOSTS, well, after(600))
    assert opened.state.ring == 1 and opened.change == ("h2", "h3", "h4")
    assert step(rollout(), opened.state, HOSTS, well, after(700)).state.ring == 1, "its own soak"


def test_to_the_end() -> None:
    state, seen, now = State(), {}, START
    for _turn in range(10):
        done = step(rollout(), state, HOSTS, seen, now)
        seen |= dict.fromkeys(done.change, GOOD)
        state, now = done.state, now + timedelta(seconds=600)
    assert state.phase == "done" and len(seen) == 10
    assert [entry.split(" ", 1)[1] for entry in state.history] == [
        "running: ring first opened, 2 hosts",
        "running: ring second opened, 3 hosts",
        "running: ring rest opened, 5 hosts",
        "done: all rings have taken it",
    ]


def test_a_bad_change_stops_in_the_first_ring_and_goes_back() -> None:
    state = step(rollout(), State(), HOSTS, {}, START).state
    done = step(rollout(), state, HOSTS, {"h0": BAD}, after(5))
    assert done.state.phase == "rolling_back" and done.undo == ("h0",) and done.change == ()
    assert done.state.reason == ("ring first: 1 of 2 hosts failed, 0 may; the first is h0: its service does not start")
    over = step(rollout(), done.state, HOSTS, {"h0": Observation()}, after(60))
    assert over.state.phase == "rolled_back" and over.state.reason == done.state.reason and over.undo == ()
    assert step(rollout(), over.state, HOSTS, {}, after(90)) == Step(over.state)


def test_without_a_way_back_it_only_stops() -> None:
    mine = rollout(roll_back=False)
    state = step(mine, State(), HOSTS, {}, START).state
    done = step(mine, state, HOSTS, {"h0": BAD}, after(5))
    assert done.state.phase == "stopped" and done.undo == () and done.change == ()


@pytest.mark.parametrize(
    "bad",
    [
        Observation(changed=True, audit_failed=True),
        Observation(changed=True, silent=True),
        Observation(changed=True, error="x"),
    ],
)
def test_what_counts_as_a_failure(bad: Observation) -> None:
    state = step(rollout(), State(), HOSTS, {}, START).state
    assert step(rollout(), state, HOSTS, {"h0": bad}, after(5)).state.phase in ("rolling_back", "rolled_back")


def test_a_host_that_ends_over_the_change_is_a_failure_and_one_that_sleeps_is_none() -> None:
    """With a sample of half the ring: what died may not be outvoted by the other one."""
    mine = rollout(gates={"soak_seconds": 1, "sample_percent": 50})
    state = step(mine, State(), HOSTS, {}, START).state
    dead = {"h0": GOOD, "h1": Observation(begun=True, silent=True)}
    done = step(mine, state, HOSTS, dead, after(10))
    assert done.state.phase == "rolling_back" and done.undo == ("h0",)
    assert done.state.reason == (
        "ring first: 1 of 2 hosts failed, 0 may; the first is h1: it began to take the change and does not report any more"
    )
    for one in (Observation(begun=True), Observation(silent=True), Observation(), None):
        seen = {"h0": GOOD, **({} if one is None else {"h1": one})}
        assert step(mine, state, HOSTS, seen, after(10)).state.ring == 1, one


def test_a_ring_says_whom_it_waits_for() -> None:
    state = step(rollout(), State(), HOSTS, {}, START).state
    seen = {"h0": GOOD, "h1": Observation(silent=True)}
    told = step(rollout(), state, HOSTS, seen, after(10)).health["first"].waiting
    assert told == "1 of 2 hosts have taken the change; no report for long of h1"
    large = rollout(rings=[{"name": "all", "share_percent": 100}])
    state = step(large, State(), HOSTS, {}, START).state
    told = step(large, state, HOSTS, {"h0": GOOD}, after(10)).health["all"].waiting
    assert told.endswith("have taken the change; nothing is known of h1, h2, h3, h4, h5 and 4 more")


def going_back(**changes: Any) -> tuple[Rollout, State]:
    mine = rollout(**changes)
    state = step(mine, State(), HOSTS, {}, START).state
    return mine, step(mine, state, HOSTS, {"h0": BAD, "h1": GOOD}, after(5)).state


def last_words(state: State) -> str:
    return state.history[-1].split(" ", 1)[1]


def test_going_back_ends_with_the_last_host_that_reports() -> None:
    mine, state = going_back()
    assert (state.phase, step(mine, state, HOSTS, {"h0": GOOD, "h1": Observation()}, after(60)).undo) == (
        "rolling_back",
        ("h0",),
    )
    for seen, words in (
        ({"h0": Observation(), "h1": Observation()}, "every host took it back"),
        ({"h0": Observation(changed=True, silent=True), "h1": Observation()}, "hosts took it back; no report of h0"),
        ({"h0": Observation()}, "hosts took it back; no report of h1"),
        ({"h0": Observation(), "h1": Observation(silent=True)}, "hosts took it back; no report of h1"),
    ):
        over = step(mine, state, HOSTS, seen, after(90)).state
        assert (over.phase, last_words(over), over.reason) == ("rolled_back", f"rolled back: {words}", state.reason)


def test_going_back_ends_with_the_tickets() -> None:
    mine, state = going_back(expires="2026-11-22T12:00:00Z")
    seen = {"h0": GOOD, "h1": Observation(changed=True, silent=True)}
    assert step(mine, state, HOSTS, seen, after(86_399)).state.phase == "rolling_back"
    over = step(mine, state, HOSTS, seen, after(86_400)).state
    assert over.phase == "rolled_back"
    assert last_words(over) == (
        "rolled back: hosts took it back; when its tickets ended it was still on h0; no report of h1"
    )


def test_audits_can_be_left_out() -> None:
    mine = rollout(gates={"audits": False})
    state = step(mine, State(), HOSTS, {}, START).state
    seen = {"h0": Observation(changed=True, audit_failed=True)}
    assert step(mine, state, HOSTS, seen, after(5)).state.phase == "running"


def test_some_may_fail_and_a_budget_ends_it() -> None:
    mine = rollout(gates={"failed_percent": 50, "soak_seconds": 1}, error_budget_hosts=1)
    state = step(mine, State(), HOSTS, {}, START).state
    seen = {"h0": BAD, "h1": GOOD}
    state = step(mine, state, HOSTS, seen, after(10)).state
    assert state.ring == 1
    done = step(mine, state, HOSTS, {**seen, "h2": BAD}, after(20))
    assert done.state.reason == "2 hosts failed in all, and the error budget is 1"
    assert done.undo == ("h0", "h1", "h2")


def test_figures_are_compared_with_hosts_that_are_not_changed() -> None:
    mine = rollout(gates={"metrics": [{"name": "boot_seconds", "most_ratio": 1.5}], "soak_seconds": 1})
    state = step(mine, State(), HOSTS, {}, START).state
    others = {f"h{number}": Observation(metrics={"boot_seconds": 10.0}) for number in range(2, 10)}
    slow = Observation(changed=True, metrics={"boot_seconds": 16.0})
    done = step(mine, state, HOSTS, {**others, "h0": slow, "h1": slow}, after(5))
    assert done.state.reason == "ring first: boot_seconds is 16 where it was changed and 10 elsewhere, over 1.5 times"
    few = {name: one for name, one in others.items() if name in ("h2", "h3")}
    assert step(mine, state, HOSTS, {**few, "h0": slow, "h1": slow}, after(5)).state.phase == "running"
    less = rollout(gates={"metrics": [{"name": "hit_ratio", "least_ratio": 0.9}]})
    high = {name: Observation(metrics={"hit_ratio": 1.0}) for name in others}
    low = {"h0": Observation(changed=True, metrics={"hit_ratio": 0.5})}
    assert "under 0.9 times" in step(less, state, HOSTS, {**high, **low}, after(5)).state.reason


def test_windows_hold_a_site_back_and_no_other() -> None:
    mine = rollout(windows={"lyon": [{"days": ["sun"], "from": "01:00", "until": "02:00"}]})
    mixed = [*HOSTS[:1], Host("id-1", "h1", "home"), *HOSTS[2:]]
    assert step(mine, State(), mixed, {}, START).change == ("h1",)
    assert step(mine, State(), mixed, {}, datetime(2026, 11, 22, 1, 30, tzinfo=UTC)).change == ("h0", "h1")


def test_an_empty_ring_is_passed_over_and_nobody_is_a_reason_to_stop() -> None:
    mine = rollout(rings=[{"name": "none", "groups": ["nobody"]}, {"name": "all", "share_percent": 100}])
    assert step(mine, State(), HOSTS, {}, START).state.ring == 1
    assert step(mine, State(), [], {}, START).state.reason == "no host is in any of its rings"


def test_by_hand() -> None:
    state = step(rollout(), State(), HOSTS, {}, START).state
    paused = machine.pause(state, after(1), "a holiday")
    assert step(rollout(), paused, HOSTS, {"h0": BAD}, after(2)) == Step(paused)
    resumed = machine.resume(paused, after(1000), "back")
    assert step(rollout(), resumed, HOSTS, {"h0": GOOD, "h1": GOOD}, after(1100)).state.ring == 0, "soak begins anew"
    aborted = machine.abort(resumed, after(1200), "no more")
    assert aborted.ended and step(rollout(), aborted, HOSTS, {}, after(1300)).change == ()
    back = machine.roll_back(aborted, after(1400), "after all")
    assert step(rollout(), back, HOSTS, {"h1": GOOD}, after(1500)).undo == ("h1",)
    with pytest.raises(
        BadInput, match="The rollout is aborted and cannot become paused; that is for one that is pending"
    ):
        machine.pause(aborted, after(1600), "x")


def test_it_ends_when_its_tickets_do() -> None:
    mine = rollout(expires="2026-11-21T13:00:00Z")
    state = step(mine, State(), HOSTS, {}, START).state
    assert step(mine, state, HOSTS, {}, after(3600)).state.reason == "it ended on 2026-11-21T13:00:00Z"


def test_its_state_is_kept_as_data() -> None:
    mine = rollout()
    state = step(mine, State(), HOSTS, {}, START).state
    assert read_state(state_as_data(state), mine) == state
    with pytest.raises(BadInput, match="an unknown phase"):
        read_state({**state_as_data(state), "phase": "x"}, mine)
    with pytest.raises(BadInput, match="from -1 to 2 in ring"):
        read_state({**state_as_data(state), "ring": 3}, mine)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"gates": {"failed_percent": 101}},
            "failed_percent in gates of the rollout editor-2 is no number from 0 to 100",
        ),
        ({"gates": {"soak": 1}}, "unknown fields: soak"),
        ({"gates": {"metrics": [{"name": "x"}]}}, "has no limit; give most_ratio or least_ratio"),
        (
            {"gates": {"metrics": [{"name": "x", "least_ratio": 2, "most_ratio": "1.5"}]}},
            "The metric x in the gates of the rollout editor-2 has a least_ratio of 2 above its most_ratio of 1.5",
        ),
        ({"gates": {"metrics": [{"name": "x", "most_ratio": "much"}]}}, "most_ratio in a metric in .* is no number"),
        ({"gates": {"metrics": [{"most_ratio": 2}]}}, "metric in gates of the rollout editor-2 lacks name"),
        ({"gates": {"audits": "yes"}}, "is neither true nor false"),
        ({"roll_back": 1}, "is neither true nor false"),
        ({"expires": "tomorrow"}, "is not a UTC time"),
        ({"error_budget_hosts": -1}, "error_budget_hosts"),
        ({"colour": 1}, "unknown fields: colour"),
    ],
)
def test_rollouts_that_cannot_be(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        rollout(**changes)


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["good", "bad"]), st.integers(0, 900)), max_size=25))
def test_a_later_ring_never_opens_past_a_bad_one(events: list[tuple[int, str, int]]) -> None:
    mine, state, now = rollout(roll_back=False), State(), START
    seen: dict[str, Observation] = {}
    for number, kind, seconds in events:
        before = state
        done = step(mine, state, HOSTS, seen, now)
        state, now = done.state, now + timedelta(seconds=seconds)
        assert before.ring <= state.ring <= before.ring + 1
        rings = machine.members(mine, HOSTS)
        assert set(done.change) <= {name for ring in rings[: state.ring + 1] for name in ring}
        if any(one.error for one in seen.values()):
            assert state.ring == before.ring and not done.change
        if f"h{number}" in done.change:
            seen[f"h{number}"] = GOOD if kind == "good" else BAD
