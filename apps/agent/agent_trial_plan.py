# SPDX-License-Identifier: GPL-3.0-or-later
"""What is next for an agent on trial. Pure: the same state gives the same action, whatever cut off the one before.

The new agent has to make a report that the registry takes. It has failed if it makes none in its time; if the registry
answers and refuses it, and took those of the agent before; or if the registry is there for the agent before and not for
it. A host without a network proves nothing: its trial goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from .agent_trial import Trial

# So often a watcher may be begun anew before its time counts as over: the new agent may take the host down with it.
MOST_STARTS = 5


@dataclass(frozen=True)
class Said:
    """What the new agent told of its last report."""

    delivered: bool
    refused: bool
    problem: str = ""


@dataclass(frozen=True)
class State:
    trial: Trial
    current: str | None
    """The version that the link leads to."""
    old_exists: bool
    new_exists: bool
    seconds: int
    said: Said | None = None
    old_is_heard: bool | None = None
    """Whether the registry takes reports of the agent before; None where nobody has asked."""
    asked: bool = True
    """Whether who watches has had the new agent report itself; what an earlier watcher heard may be gone."""


@dataclass(frozen=True)
class Action:
    name: str
    reason: str = ""


SWITCH, ASK, ASK_OLD, GO_ON = "switch", "ask", "ask-old", "go-on"
KEEP, RETURN, PUT_BACK, LEAVE, FINISH = "keep", "return", "put-back", "leave", "finish"


def plan(state: State) -> Action:
    trial = state.trial
    if trial.step in ("kept", "returned", "left"):
        return Action(FINISH)
    if trial.step == "returning":
        if not state.old_exists:
            return Action(LEAVE, f"{trial.reason}; the agent {trial.old} is gone, so that there is none to return to")
        return Action(PUT_BACK)
    if not state.new_exists:
        if state.current == trial.new:
            return _return(state, "its folder is gone")
        return Action(LEAVE, f"The folder of the agent {trial.new} was gone before it ran")
    if trial.step == "prepared":
        if state.current not in (trial.old, trial.new):
            return _other(state)
        return Action(SWITCH)
    if state.current != trial.new:
        return _other(state)
    return _judge(state)


def _judge(state: State) -> Action:
    trial, said = state.trial, state.said
    if said is not None and said.delivered:
        return Action(KEEP)
    if trial.waited < state.seconds and trial.starts < MOST_STARTS:
        return Action(ASK)
    if said is None and not state.asked and trial.starts < MOST_STARTS:
        return Action(ASK)
    if said is None:
        return _return(state, f"it made no report in {state.seconds} seconds")
    if said.refused:
        if trial.refused_before:
            return Action(GO_ON)
        return _return(state, f"the registry refuses its report: {said.problem}")
    if state.old_is_heard is None:
        return Action(ASK_OLD)
    if state.old_is_heard:
        return _return(state, f"it does not reach the registry, which the agent before does: {said.problem}")
    return Action(GO_ON)


def _return(state: State, why: str) -> Action:
    trial = state.trial
    return Action(RETURN, f"The agent {trial.new} was put back to {trial.old}, because {why.rstrip('.')}")


def _other(state: State) -> Action:
    found = state.current or "nothing"
    return Action(LEAVE, f"While the agent {state.trial.new} was on trial, {found} was put in its place")
