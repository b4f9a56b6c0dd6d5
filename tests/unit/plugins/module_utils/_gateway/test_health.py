# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway does about what it sees; and that of all gateways together, whatever they see, one stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bocage_core._gateway.health import Seen, Sibling, State, Verdict, judge
from bocage_core._gateway.routing import DRAINED, HEALTHY, UNHEALTHY
from hypothesis import given
from hypothesis import strategies as st

SILENCE, RISE = 0.3, 2.0
NOW = 100.0
WELL = Sibling(heard_at=NOW, healthy=True, drained=False, hosts=3)
FINE = State(good_since=50.0, healthy=True, since=50.0)
SEEN = Seen(now=NOW, answered_at={"198.18.1.20": NOW}, hosts=3, siblings={"gw2": WELL}, drained=False)


def verdict(before: State = FINE, **changes: Any) -> Verdict:
    return judge(replace(SEEN, **changes), before, SILENCE, RISE)


def test_all_is_well() -> None:
    found = verdict()
    assert (found.metric, found.penalty, found.release, found.doubt) == (HEALTHY, 1, False, False)
    assert found.state == FINE


def test_the_first_silence_counts_at_once() -> None:
    found = verdict(answered_at={"198.18.1.20": NOW - SILENCE - 0.01})
    assert (found.lan, found.wan, found.metric, found.release) == (False, True, UNHEALTHY, True)
    assert found.state == State(good_since=None, healthy=False, since=NOW)
    assert verdict(answered_at={"198.18.1.20": NOW - SILENCE}).lan


def test_one_target_of_several_is_enough_and_none_declared_is_no_fault() -> None:
    assert verdict(answered_at={"198.18.1.20": float("-inf"), "198.18.1.21": NOW}).lan
    assert verdict(answered_at={}).lan


def test_no_host_at_all_is_a_fault_where_another_gateway_has_some() -> None:
    assert not verdict(hosts=0).wan
    assert verdict(hosts=0, siblings={"gw2": replace(WELL, hosts=0)}).wan
    assert verdict(hosts=0, siblings={"gw2": replace(WELL, heard_at=NOW - 1)}).wan
    assert verdict(hosts=0, siblings={}).wan


def test_it_must_do_well_for_a_while_before_it_counts() -> None:
    bad = State()
    first = verdict(bad)
    assert (first.metric, first.state.good_since, first.state.healthy) == (UNHEALTHY, NOW, False)
    later = judge(replace(SEEN, now=NOW + RISE - 0.01, answered_at={}), first.state, SILENCE, RISE)
    assert later.metric == UNHEALTHY
    healthy = judge(replace(SEEN, now=NOW + RISE, answered_at={}), later.state, SILENCE, RISE)
    assert (healthy.metric, healthy.state.since) == (HEALTHY, NOW + RISE)


def test_the_last_one_stays() -> None:
    silent = {"198.18.1.20": float("-inf")}
    for siblings in (
        {},
        {"gw2": replace(WELL, healthy=False)},
        {"gw2": replace(WELL, drained=True)},
        {"gw2": replace(WELL, heard_at=NOW - SILENCE - 0.01)},
    ):
        found = verdict(answered_at=silent, siblings=siblings)
        # by a lower priority alone, which nobody takes up
        assert (found.release, found.doubt, found.metric) == (False, True, UNHEALTHY)


def test_who_is_told_of_hosts_by_a_sick_one_prefers_others() -> None:
    assert verdict(answered_at={"198.18.1.20": 0.0}).penalty == UNHEALTHY - HEALTHY
    assert verdict(drained=True).penalty == DRAINED - HEALTHY


siblings = st.builds(
    Sibling,
    heard_at=st.floats(90, 110),
    healthy=st.booleans(),
    drained=st.booleans(),
    hosts=st.integers(0, 3),
)
looks = st.lists(
    st.tuples(
        st.floats(0.01, 3),  # since the look before
        st.booleans(),  # whether the target answers
        st.integers(0, 2),
        st.dictionaries(st.sampled_from(["gw2", "gw3"]), siblings),
        st.booleans(),
    ),
    max_size=30,
)


@given(looks)
def test_no_look_contradicts_what_was_seen(steps: list[Any]) -> None:
    state, now, bad_at = State(), 95.0, 95.0
    for waited, answers, hosts, others, drained in steps:
        now += waited
        seen = Seen(now, {"198.18.1.20": now if answers else float("-inf")}, hosts, others, drained)
        found = judge(seen, state, SILENCE, RISE)
        heard = [one for one in others.values() if now - one.heard_at <= SILENCE]
        if not (found.lan and found.wan):
            bad_at = now
        assert found.lan == answers
        if found.metric == HEALTHY:
            assert found.lan and found.wan and not drained
            assert now - bad_at >= RISE
        if found.release:
            assert any(one.healthy and not one.drained for one in heard)
            assert not found.state.healthy
        if found.state.healthy and not drained:
            assert not found.doubt
        assert found.metric in (HEALTHY, UNHEALTHY, DRAINED)
        assert found.penalty >= 1, "FRR refuses to add nothing"
        state = found.state


gateways = st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.booleans(), st.booleans()), min_size=1, max_size=5)


@given(gateways)
def test_of_all_gateways_one_keeps_its_floating_addresses(site: list[Any]) -> None:
    """Each has heard what each other one found: never do all let go, however bad it is."""

    def round_of(states: list[State]) -> list[Verdict]:
        said = [
            Sibling(NOW, state.healthy, drained, hosts)
            for state, (_answers, hosts, drained, _before) in zip(states, site, strict=True)
        ]
        found = []
        for number, (answers, hosts, drained, _before) in enumerate(site):
            others = {f"gw{place}": one for place, one in enumerate(said) if place != number}
            answered = {"198.18.1.20": NOW if answers else float("-inf")}
            found.append(judge(Seen(NOW, answered, hosts, others, drained), states[number], SILENCE, RISE))
        return found

    first = round_of([FINE if before else State() for _a, _h, _d, before in site])
    settled = round_of([one.state for one in first])
    assert [one.state for one in settled] == [one.state for one in first]
    assert not all(one.release for one in settled)
    serving = [
        one for one, (_a, _h, drained, _b) in zip(settled, site, strict=True) if one.state.healthy and not drained
    ]
    # who lets go does it for one who serves and holds on
    assert not any(one.release for one in settled) or any(not one.release and not one.doubt for one in serving)
