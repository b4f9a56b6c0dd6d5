# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A problem as clauses: a selection if there is one, and if not, facts none of which can be left out of the reason.

This is what makes the answer certain. It is asked when the search with preferences gives up or says "impossible", and
whether a package really has to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from .exact import Exact
from .facts import Conflicts, Depends, Fact, Need
from .problem import Problem
from .universe import Wanted

# Above this, pairs of versions that exclude each other are more than a ladder of them.
_PAIRS_UP_TO = 5
# A reason that is longer than this is not made smaller: nobody reads it, and each try is a search.
_LONGEST_REASON = 400


class Proof:
    """The clauses of a problem. The wanted needs are part of them unless `wanted` gives others."""

    def __init__(self, problem: Problem, wanted: Iterable[Need] | None = None) -> None:
        self._problem = problem
        self._wanted = [need for need in (problem.wanted if wanted is None else wanted) if self._is_open(need)]
        self._exact, self._presence = clauses_of(problem, self._wanted)
        self._kept = [number for name in problem.asked if (number := self._kept_number(name))]
        self._marks: list[tuple[int, int, int, int]] = []

    def selection(self, assumed: Sequence[int] = ()) -> dict[str, int] | None:
        """Numbers by name that meet everything, chosen by preference; None if there are none.

        With `assumed`: with those numbers taken, and what presence() gave.
        """
        self._marks.clear()
        if not self._exact.solve(self._choose, assumed):
            return None
        last = len(self._problem.needs)
        taken = [literal for literal in self._exact.trail if 0 < literal < last]
        return {self._problem.at(number).package: number for number in taken}

    def presence(self, name: str) -> list[int]:
        """For selection(): an installed package that was asked for is there, in whatever version; no word if calm."""
        return [self._presence[name]] if name in self._presence else []

    def reason(self) -> list[Fact]:
        """After selection() said None without assumptions: facts that exclude each other, none of them superfluous."""
        return smallest(
            self._problem, [fact for fact in self._exact.core() if isinstance(fact, (Depends, Conflicts, Wanted))]
        )

    def _is_open(self, need: Need) -> bool:
        return need.package not in self._problem.calm

    def _kept_number(self, name: str) -> int:
        return 0 if name in self._problem.calm else self._problem.installed_number(name)

    def _choose(self) -> int:
        """Keep what is installed; then the best of what is needed; then another version of what could not be kept."""
        exact, problem = self._exact, self._problem
        value, trail = exact.value, exact.trail
        while self._marks and self._marks[-1][0] > exact.lowest:
            self._marks.pop()
        exact.lowest = exact.depth()
        kept, wanted, seen = self._marks[-1][1:] if self._marks else (0, 0, 0)
        choice = 0
        while not choice and kept < len(self._kept):
            choice = self._kept[kept] if not value[self._kept[kept]] else 0
            kept += not choice
        while not choice and wanted < len(self._wanted):
            choice = self._first_free(self._wanted[wanted])
            wanted += not choice
        while not choice and seen < len(trail):
            if 0 < trail[seen] < len(problem.needs):
                for need in problem.open_needs(trail[seen]):
                    choice = choice or self._first_free(need)
            seen += not choice
        self._marks.append((exact.depth(), kept, wanted, seen))
        return choice or self._another_version()

    def _first_free(self, need: Need) -> int:
        value = self._exact.value
        free = 0
        for number in need.options:
            if value[number] > 0:
                return 0
            if not value[number]:
                free = free or number
        return free

    def _another_version(self) -> int:
        value = self._exact.value
        for name in self._problem.asked:
            domain = self._problem.domains[name]
            if name not in self._problem.calm and not any(value[number] > 0 for number in domain):
                free = next((number for number in domain if not value[number]), 0)
                if free:
                    return free
        return 0


def clauses_of(problem: Problem, wanted: Iterable[Need]) -> tuple[Exact, dict[str, int]]:
    """What must hold of every selection; the label of a clause is the fact that it says.

    Also a variable for each asked package, which when it is assumed says that the package is there.
    """
    ladders = [name for name in problem.searched if len(problem.domains[name]) > _PAIRS_UP_TO]
    asked = [name for name in problem.asked if name not in problem.calm]
    count = len(problem.needs) - 1
    exact = Exact(count + len(asked) + sum(len(problem.domains[name]) for name in ladders))
    presence = {name: place for place, name in enumerate(asked, count + 1)}
    count += len(asked)
    for name, variable in presence.items():
        exact.add((-variable, *problem.domains[name]))
    for number in sorted(problem.ruled_out or ()):
        exact.add((-number,))
    for need in wanted:
        exact.add(need.options, need.fact)
    for name in problem.searched:
        domain = problem.domains[name]
        if len(domain) > _PAIRS_UP_TO:
            _add_ladder(exact, domain, count)
            count += len(domain)
        else:
            for pair in combinations(domain, 2):
                exact.add((-pair[0], -pair[1]))
        for number in domain:
            for need in problem.open_needs(number):
                exact.add((-number, *need.options), need.fact)
            for other, fact in problem.clashes[number].items():
                if number < other:
                    exact.add((-number, -other), fact)
    return exact, presence


def _add_ladder(exact: Exact, domain: Sequence[int], count: int) -> None:
    """At most one of a domain, by a step for each: one of the first so many is taken (Sinz, 2005)."""
    for place, number in enumerate(domain):
        step = count + place + 1
        exact.add((-number, step))
        if place + 1 < len(domain):
            exact.add((-step, step + 1))
            exact.add((-step, -domain[place + 1]))


def smallest(problem: Problem, facts: list[Fact]) -> list[Fact]:
    """Leave out, one by one, each fact without which the others still exclude each other; the shorter of two tries."""
    facts = sorted(facts, key=lambda fact: _place(problem, fact))
    if len(facts) > _LONGEST_REASON:
        return facts
    tries = [_without_superfluous(problem, facts[::-1])[::-1], _without_superfluous(problem, facts)]
    return min(tries, key=len)


def _place(problem: Problem, fact: Fact) -> tuple[int, int, str]:
    """The goal's requests in their order, then each candidate's in theirs."""
    if isinstance(fact, Wanted):
        return 0, problem.goal.wanted.index(fact), ""
    requests = fact.candidate.depends if isinstance(fact, Depends) else fact.candidate.conflicts
    number = problem.numbers[fact.candidate]
    return number, requests.index(fact.request) + (0 if isinstance(fact, Depends) else 1_000_000), str(fact.request)


def _without_superfluous(problem: Problem, facts: list[Fact]) -> list[Fact]:
    needed = facts
    place = 0
    while place < len(needed):
        rest = needed[:place] + needed[place + 1 :]
        core = _core_of(problem, rest)
        if core is None:
            place += 1
        else:
            needed = [fact for fact in rest if id(fact) in core]
    return needed


def _core_of(problem: Problem, facts: list[Fact]) -> set[int] | None:
    """The identities of those facts that exclude each other; None if all can hold."""
    clauses = [(literals, fact) for fact in facts for literals in _said_by(problem, fact)]
    variables: dict[int, int] = {}
    groups: dict[str, list[int]] = {}
    for literals, _fact in clauses:
        for number in map(abs, literals):
            if number not in variables:
                variables[number] = len(variables) + 1
                groups.setdefault(problem.at(number).package, []).append(variables[number])
    exact = Exact(len(variables))
    for group in groups.values():
        for pair in combinations(group, 2):
            exact.add((-pair[0], -pair[1]))
    for literals, fact in clauses:
        exact.add([variables[literal] if literal > 0 else -variables[-literal] for literal in literals], fact)
    value = exact.value
    if exact.solve(lambda: next((-variable for variable in variables.values() if not value[variable]), 0)):
        return None
    return {id(label) for label in exact.core()}


def _said_by(problem: Problem, fact: Fact) -> list[tuple[int, ...]]:
    """A fact as clauses over the numbers of candidates."""
    if isinstance(fact, Wanted):
        return [problem.matches(fact.request)]
    number = problem.numbers[fact.candidate]
    if isinstance(fact, Depends):
        return [(-number, *need.options) for need in problem.needs[number] if need.fact is fact]
    return [(-number, -other) for other in problem.matches(fact.request)]
