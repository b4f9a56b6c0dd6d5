# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a change goes through rings: one step at a time, by what hosts report. No I/O, and no clock but the one given.

pending -> running -> done
              |  ^
              v  |           stopped -> rolled back
           paused            aborted
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from . import fields, timestamps
from .errors import BadInput
from .refused import Refused
from .rings import Ring, Window, may_change, read_rings, read_windows, ring_of
from .rollout_gates import Gates, Health, Observation, judge, listed, read_gates

Phase = Literal["pending", "running", "paused", "stopped", "rolling_back", "rolled_back", "aborted", "done"]
PHASES = ("pending", "running", "paused", "stopped", "rolling_back", "rolled_back", "aborted", "done")
ENDED = ("stopped", "rolled_back", "aborted", "done")
MAX_HISTORY = 200
_ROLLOUT = frozenset({"name", "salt", "rings"})
_ROLLOUT_OPTIONAL = frozenset({"gates", "windows", "error_budget_hosts", "roll_back", "expires"})
_STATE = frozenset({"phase", "ring", "opened_at", "reason", "history"})


@dataclass(frozen=True)
class Rollout:
    """``error_budget_hosts``: so many failed hosts in all rings together end it."""

    name: str
    salt: str
    rings: tuple[Ring, ...]
    gates: Gates
    windows: Mapping[str, Sequence[Window]]
    error_budget_hosts: int | None
    roll_back: bool
    expires: datetime | None


@dataclass(frozen=True)
class Host:
    """A host that a rollout may reach. ``groups`` are those of the inventory, never what it reports of itself."""

    identifier: str
    name: str
    site: str = ""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class State:
    """``ring`` is the last one that is open; -1 before the first."""

    phase: Phase = "pending"
    ring: int = -1
    opened_at: datetime | None = None
    reason: str = ""
    history: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return self.phase in ENDED


@dataclass(frozen=True)
class Step:
    """``change``: hosts that may take the change now; ``undo``: hosts that have to take it back."""

    state: State
    change: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    health: Mapping[str, Health] = field(default_factory=dict)


def read_rollout(value: object) -> Rollout:
    """A rollout from plain data; raises BadInput in one sentence."""
    try:
        record = fields.record(value, "the rollout")
        fields.only(record, _ROLLOUT, _ROLLOUT_OPTIONAL, "the rollout")
        name = fields.text(record, "name", "the rollout")
        what = f"the rollout {name}"
        budget, expires = record.get("error_budget_hosts"), record.get("expires")
        if not isinstance(record.get("roll_back", True), bool):
            raise BadInput(f"The value of roll_back in {what} is neither true nor false.")
        return Rollout(
            name=name,
            salt=fields.text(record, "salt", what),
            rings=read_rings(record["rings"], what),
            gates=read_gates(record.get("gates", {}), what),
            windows=read_windows(record.get("windows", {}), what),
            error_budget_hosts=None if budget is None else fields.integer(record, "error_budget_hosts", what),
            roll_back=record.get("roll_back", True),
            expires=None if expires is None else timestamps.parse(expires, f"The end of {what}"),
        )
    except Refused as error:
        raise BadInput(str(error)) from error


def members(rollout: Rollout, hosts: Sequence[Host]) -> list[list[str]]:
    """Names of hosts by ring, sorted; who joins or leaves moves nobody else."""
    rings: list[list[str]] = [[] for _ring in rollout.rings]
    for host in hosts:
        index = ring_of(rollout.rings, rollout.salt, host.identifier, host.name, host.groups)
        if index is not None:
            rings[index].append(host.name)
    return [sorted(ring) for ring in rings]


def step(rollout: Rollout, state: State, hosts: Sequence[Host], seen: Mapping[str, Observation], now: datetime) -> Step:
    """What is to be done now. The same state and the same reports give the same answer, however often it is asked."""
    rings = members(rollout, hosts)
    if state.phase == "rolling_back":
        return _roll_back(rollout, rings, state, seen, now, {})
    if state.ended or state.phase == "paused":
        return Step(state)
    if rollout.expires is not None and now >= rollout.expires:
        return Step(_move(state, "stopped", now, f"it ended on {timestamps.write(rollout.expires)}"))
    untouched = [name for ring in rings[state.ring + 1 :] for name in ring]
    health = {
        rollout.rings[index].name: judge(
            rollout.gates, rings[index], untouched, seen, soaked_at(rollout, state) if index == state.ring else None
        )
        for index in range(state.ring + 1)
    }
    problem = _problem(rollout, health)
    if problem:
        if rollout.roll_back:
            return _roll_back(rollout, rings, _move(state, "rolling_back", now, problem), seen, now, health)
        return Step(_move(state, "stopped", now, problem), health=health)
    if state.ring < 0 or _may_open_next(rollout, state, health, now):
        state = _open_next(rollout, rings, state, now)
    if state.phase == "done":
        return Step(state, health=health)
    sites = {host.name: host.site for host in hosts}
    change = tuple(
        name
        for ring in rings[: state.ring + 1]
        for name in ring
        if not seen.get(name, Observation()).changed and may_change(rollout.windows, sites[name], now)
    )
    return Step(state, change=change, health=health)


def soaked_at(rollout: Rollout, state: State) -> datetime | None:
    """From when on what hosts say of the last ring counts for opening the next one."""
    return None if state.opened_at is None else state.opened_at + timedelta(seconds=rollout.gates.soak_seconds)


def _problem(rollout: Rollout, health: Mapping[str, Health]) -> str:
    for ring, one in health.items():
        if one.problems:
            return f"ring {ring}: {one.problems[0]}"
    failed = sum(len(one.failed) for one in health.values())
    if rollout.error_budget_hosts is not None and failed > rollout.error_budget_hosts:
        return f"{failed} hosts failed in all, and the error budget is {rollout.error_budget_hosts}"
    return ""


def _may_open_next(rollout: Rollout, state: State, health: Mapping[str, Health], now: datetime) -> bool:
    soaked = soaked_at(rollout, state)
    if soaked is None or now < soaked:
        return False
    return not health[rollout.rings[state.ring].name].waiting


def _open_next(rollout: Rollout, rings: Sequence[Sequence[str]], state: State, now: datetime) -> State:
    """The next ring that has hosts, or the end."""
    for index in range(state.ring + 1, len(rings)):
        if rings[index]:
            opened = f"ring {rollout.rings[index].name} opened, {len(rings[index])} hosts"
            return replace(_move(state, "running", now, opened), ring=index, opened_at=now, reason="")
    if state.ring < 0:
        return _move(state, "stopped", now, "no host is in any of its rings")
    return replace(_move(state, "done", now, "all rings have taken it"), reason="")


def _roll_back(
    rollout: Rollout,
    rings: Sequence[Sequence[str]],
    state: State,
    seen: Mapping[str, Observation],
    now: datetime,
    health: Mapping[str, Health],
) -> Step:
    """Until every host took it back that reports; whoever comes back later goes by what the last state says."""
    reached = [name for ring in rings[: state.ring + 1] for name in ring]
    undo = tuple(name for name in reached if seen.get(name, Observation()).changed)
    unknown = {name for name in reached if name not in seen or seen[name].silent}
    over = rollout.expires is not None and now >= rollout.expires
    if not over and not unknown.issuperset(undo):
        return Step(state, undo=undo, health=health)
    kept = listed("; when its tickets ended it was still on ", set(undo) - unknown)
    unheard = listed("; no report of ", unknown)
    words = f"{'every host' if not kept and not unheard else 'hosts'} took it back{kept}{unheard}"
    return Step(replace(_move(state, "rolled_back", now, words), reason=state.reason), health=health)


def pause(state: State, now: datetime, why: str) -> State:
    return _by_hand(state, ("pending", "running"), "paused", now, why)


def resume(state: State, now: datetime, why: str) -> State:
    """Soak begins anew: nobody knows what happened meanwhile."""
    resumed = _by_hand(state, ("paused",), "running" if state.ring >= 0 else "pending", now, why)
    return replace(resumed, opened_at=now if state.ring >= 0 else None, reason="")


def abort(state: State, now: datetime, why: str) -> State:
    """Nobody takes it any more; hosts keep what they have."""
    return _by_hand(state, ("pending", "running", "paused", "rolling_back"), "aborted", now, why)


def roll_back(state: State, now: datetime, why: str) -> State:
    return _by_hand(state, ("running", "paused", "stopped", "aborted", "done"), "rolling_back", now, why)


def _by_hand(state: State, allowed: Sequence[str], phase: Phase, now: datetime, why: str) -> State:
    if state.phase not in allowed:
        raise BadInput(
            f"The rollout is {state.phase.replace('_', ' ')} and cannot become {phase.replace('_', ' ')};"
            f" that is for one that is {' or '.join(allowed)}."
        )
    return _move(state, phase, now, why)


def _move(state: State, phase: Phase, now: datetime, why: str) -> State:
    entry = f"{timestamps.write(now)} {phase.replace('_', ' ')}: {why}"
    return replace(state, phase=phase, reason=why, history=(*state.history, entry)[-MAX_HISTORY:])


def state_as_data(state: State) -> dict[str, Any]:
    return {
        "phase": state.phase,
        "ring": state.ring,
        "opened_at": None if state.opened_at is None else timestamps.write(state.opened_at),
        "reason": state.reason,
        "history": list(state.history),
    }


def read_state(value: object, rollout: Rollout) -> State:
    """What `state_as_data` gave; raises BadInput where it is none or of another rollout."""
    what = f"the state of the rollout {rollout.name}"
    try:
        record = fields.record(value, what)
        fields.only(record, _STATE, frozenset(), what)
        phase, opened = record["phase"], record["opened_at"]
        if phase not in PHASES:
            raise BadInput(f"The state of the rollout {rollout.name} has an unknown phase; start the rollout anew.")
        return State(
            phase=phase,
            ring=fields.integer(record, "ring", what, -1, len(rollout.rings) - 1),
            opened_at=None if opened is None else timestamps.parse(opened, f"The time in {what}"),
            reason=fields.text(record, "reason", what),
            history=tuple(fields.texts(record, "history", what, most=MAX_HISTORY)),
        )
    except Refused as error:
        raise BadInput(str(error)) from error
