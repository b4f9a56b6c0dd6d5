# SPDX-License-Identifier: GPL-3.0-or-later
"""What is next for an agent on trial, from every state that a cut can leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bocage_agent.agent_trial import Trial
from bocage_agent.agent_trial_plan import MOST_STARTS, Said, State, plan

TRIAL = Trial("0.2-1", "0.1-old", "0.2-new")
REFUSED = Said(delivered=False, refused=True, problem="Its form is wrong.")
UNHEARD = Said(delivered=False, refused=False, problem="It does not answer.")
HEARD = Said(delivered=True, refused=False)


def state(step: str = "switched", current: str = "0.2-new", **changes: Any) -> State:
    trial = {name: changes.pop(name) for name in ("waited", "starts", "refused_before", "reason") if name in changes}
    return replace(State(replace(TRIAL, step=step, **trial), current, True, True, 300), **changes)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (state("prepared", "0.1-old"), "switch"),
        # cut off between the link and the note of it
        (state("prepared", "0.2-new"), "switch"),
        (state("prepared", "0.3-other"), "leave"),
        (state("prepared", "0.1-old", new_exists=False), "leave"),
        (state(), "ask"),
        (state(said=HEARD), "keep"),
        (state(said=HEARD, waited=999), "keep"),
        (state(said=UNHEARD, waited=299), "ask"),
        (state(said=REFUSED, waited=10), "ask"),
        (state(current="0.3-other"), "leave"),
        (state(new_exists=False), "return"),
        (state(waited=300), "return"),
        (state(waited=300, asked=False), "ask"),
        (state(waited=10, starts=MOST_STARTS, asked=False), "return"),
        (state(said=REFUSED, waited=300), "return"),
        (state(said=REFUSED, waited=300, refused_before=True), "go-on"),
        (state(said=UNHEARD, waited=300), "ask-old"),
        (state(said=UNHEARD, waited=300, old_is_heard=True), "return"),
        (state(said=UNHEARD, waited=300, old_is_heard=False), "go-on"),
        (state("returning"), "put-back"),
        # cut off between the link and the note of it
        (state("returning", "0.1-old"), "put-back"),
        (state("returning", old_exists=False), "leave"),
        (state("kept"), "finish"),
        (state("returned", "0.1-old"), "finish"),
        (state("left", "0.3-other"), "finish"),
    ],
)
def test_each_state_has_its_action(given: State, name: str) -> None:
    assert plan(given).name == name
    assert plan(given) == plan(given)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (state(waited=300), "because it made no report in 300 seconds"),
        (state(said=REFUSED, waited=300), "because the registry refuses its report: Its form is wrong"),
        (
            state(said=UNHEARD, waited=300, old_is_heard=True),
            "because it does not reach the registry, which the agent before does: It does not answer",
        ),
        (state(new_exists=False), "because its folder is gone"),
    ],
)
def test_one_sentence_says_why_it_went_back(given: State, reason: str) -> None:
    assert plan(given).reason == f"The agent 0.2-new was put back to 0.1-old, {reason}"


def test_a_host_without_a_network_waits_for_ever() -> None:
    """Its time begins again each time that nobody hears either of the two."""
    given = state(said=UNHEARD)
    for _round in range(100):
        given = replace(given, trial=replace(given.trial, waited=300))
        assert plan(given).name == "ask-old"
        assert plan(replace(given, old_is_heard=False)).name == "go-on"


def test_the_reason_of_a_return_that_cannot_be_is_kept() -> None:
    found = plan(state("returning", old_exists=False, reason="It was put back"))
    assert found.reason == "It was put back; the agent 0.1-old is gone, so that there is none to return to"
