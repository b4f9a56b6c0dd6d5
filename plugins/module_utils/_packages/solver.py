# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a goal to the packages that shall be there: what is installed is kept, the rest is as new as it may be.

A search with preferences finds the answer nearly always; where it finds none, a proof decides, so that "impossible" is
said only where it is so. Nothing here depends on the order of the input or on the clock.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from .._common.errors import BadInput
from .explanations import impossible
from .facts import Fact
from .plan import Step, plan
from .problem import Problem
from .proof import Proof
from .requests import Request
from .search import search
from .universe import Candidate, Goal, Installed, Universe, Wanted


class Impossible(BadInput):
    """No selection meets the goal. The message names the shortest reason that was found, `facts` are its links."""

    def __init__(self, sentence: str, facts: list[Fact]) -> None:
        super().__init__(sentence)
        self.facts = facts


@dataclass(frozen=True)
class Solution:
    """What shall be there, by name, and the steps to it.

    `unmet` are requests of installed packages that were unmet before and stay so, by label. `found_by` tells the tests
    and the benchmark which way the answer came: "calm", "search" or "proof".
    """

    problem: Problem
    chosen: Mapping[str, Candidate]
    steps: tuple[Step, ...]
    unmet: Mapping[str, tuple[Request, ...]] = field(default_factory=dict)
    found_by: str = "search"


@contextmanager
def without_collection() -> Iterator[None]:
    """Hundreds of thousands of clauses are made and kept to the end: looking for rubbish among them finds none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@without_collection()
def solve(universe: Universe, goal: Goal) -> Solution:
    """The packages that meet the goal. Raises Impossible (a BadInput) with the reason."""
    universe, unmet = _as_it_is(universe, goal)
    problem = Problem(universe, goal)
    chosen, found_by = _find(problem)
    if any(name not in chosen for name in problem.asked):
        chosen = _kept(problem, chosen)
    chosen = _polished(problem, chosen)
    candidates = {name: problem.at(chosen[name]) for name in sorted(chosen)}
    unmet = {name: requests for name, requests in unmet.items() if name in chosen}
    return Solution(problem, candidates, plan(universe, candidates), unmet, found_by)


def _find(problem: Problem) -> tuple[dict[str, int], str]:
    if problem.ruled_out is not None:
        if all(need.package in problem.calm for need in problem.wanted) and problem.calm.issuperset(problem.asked):
            return problem.closure({}), "calm"
        found = search(problem)
        if found is not None:
            return found, "search"
        found = Proof(problem).selection()
        if found is not None:
            return problem.closure(found), "proof"
    # once more with all that was ruled out at first sight, since the reason may lie there
    problem = Problem(problem.universe, problem.goal, narrow=False)
    proof = Proof(problem)
    found = proof.selection()
    if found is None:
        facts = proof.reason()
        raise Impossible(impossible(problem, facts), facts)
    return problem.closure(found), "proof"


def _kept(problem: Problem, chosen: dict[str, int]) -> dict[str, int]:
    """The selection, or the one that a proof begins with keeping, whichever changes less once nothing more can stay."""
    proof = Proof(problem)
    other = proof.selection()
    tries = [chosen] if other is None else [chosen, problem.closure(other)]
    return min((_taken_back(problem, proof, one) for one in tries), key=lambda one: _changes(problem, one))


def _changes(problem: Problem, chosen: dict[str, int]) -> tuple[int, int]:
    removed = sum(name not in chosen for name in problem.asked)
    return removed, removed + sum(problem.installed_number(name) != number for name, number in chosen.items())


def _taken_back(problem: Problem, proof: Proof, chosen: dict[str, int]) -> dict[str, int]:
    """Take back each removal that nothing forces: beside the others as they are, or else with other versions."""
    for name in problem.asked:
        if name in chosen:
            continue
        others = [other for other in problem.asked if other in chosen and other not in problem.calm]
        still = [number for other in others if (number := chosen[other]) == problem.best(other)]
        present = [literal for other in [name, *others] for literal in proof.presence(other)]
        found = proof.selection([problem.best(name), *still, *present]) or proof.selection(present)
        if found is not None:
            chosen = problem.closure(found)
    return chosen


def _polished(problem: Problem, chosen: dict[str, int]) -> dict[str, int]:
    """Take what is liked better wherever it fits with all the others as they are, until nothing changes."""
    better = True
    while better:
        better = False
        taken = set(chosen.values())
        # for each name, what they would take who need something of it; the number 0 is the goal
        users: dict[str, list[tuple[int, tuple[int, ...]]]] = {}
        for number in [0, *sorted(taken)]:
            _note(problem, users, number)
        for name in sorted(chosen):
            here = chosen[name]
            for number in problem.domains[name]:
                if number == here:
                    break
                others = [options for user, options in users.get(name, ()) if user in taken or not user]
                if all(number in options for options in others) and _fits(problem, number, taken - {here}):
                    chosen[name] = number
                    taken = (taken - {here}) | {number}
                    _note(problem, users, number)
                    better = True
                    break
        chosen = problem.closure(chosen)
    return chosen


def _note(problem: Problem, users: dict[str, list[tuple[int, tuple[int, ...]]]], number: int) -> None:
    for need in problem.needs[number] if number else problem.wanted:
        users.setdefault(need.package, []).append((number, need.options))


def _fits(problem: Problem, number: int, taken: set[int]) -> bool:
    """Whether a candidate can join `taken`; calm names that it needs come with it."""
    return taken.isdisjoint(problem.clashes[number]) and all(
        not taken.isdisjoint(need.options) for need in problem.open_needs(number)
    )


def _as_it_is(universe: Universe, goal: Goal) -> tuple[Universe, dict[str, tuple[Request, ...]]]:
    """The universe in which an installed package that was broken before, and cannot be mended, stays as it is.

    Only a conflict, a ban or nobody's need may remove a package; that one of its needs left the repository is none.
    """
    here = {name: item.candidate for name, item in universe.installed.items()}
    unmet: dict[str, tuple[Request, ...]] = {}
    for name, item in universe.installed.items():
        missing = tuple(request for request in item.candidate.depends if not _met(request, here))
        if item.asked and missing and not _possible(universe, goal, item.candidate):
            unmet[name] = missing
    if not unmet:
        return universe, {}
    reached = set(Problem(replace(universe, installed={}), goal).domains)
    unmet = {name: missing for name, missing in unmet.items() if name not in reached}
    candidates, installed = dict(universe.candidates), dict(universe.installed)
    for name, missing in unmet.items():
        broken = here[name]
        stays = replace(broken, depends=tuple(request for request in broken.depends if request not in missing))
        candidates[name] = tuple(stays if candidate is broken else candidate for candidate in candidates[name])
        installed[name] = Installed(stays)
    return replace(universe, candidates=candidates, installed=installed), unmet


def _met(request: Request, here: Mapping[str, Candidate]) -> bool:
    return request.package in here and request.allows(here[request.package].version)


def _possible(universe: Universe, goal: Goal, candidate: Candidate) -> bool:
    """Whether an installed package can stay in its version, were it alone on the machine."""
    alone = {name: group if name != candidate.package else (candidate,) for name, group in universe.candidates.items()}
    wanted = (Wanted(Request(candidate.package, ()), "what is installed"),)
    problem = Problem(Universe(alone), replace(goal, wanted=wanted))
    return Proof(problem).selection() is not None
