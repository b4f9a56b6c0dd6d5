# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether clauses can be met together, always decided: search that learns a clause from each conflict.

Conflict-driven clause learning with two watched literals (Marques-Silva and Sakallah, GRASP, 1999; Moskewicz et al.,
Chaff, 2001). Literals are integers, negative for "not". Who asks decides the order of the choices, and learns from a
"no" which of the given clauses it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

# A choice that `choose` makes: a literal that is not set yet, or 0 when what is set is enough.
Choose = Callable[[], int]


class Clause:
    """At least one literal holds. `label` is the caller's; a learned clause has those that it follows from."""

    __slots__ = ("label", "literals", "parents", "settled")

    def __init__(self, literals: list[int], label: object = None) -> None:
        self.literals = literals
        self.label = label
        self.parents: list[Clause] = []
        # variables set for good whose reasons belong to the proof
        self.settled: list[int] = []


class Exact:
    """Clauses over the variables 1..count."""

    def __init__(self, count: int) -> None:
        # value[literal] is 1, -1 or 0; a negative literal counts from the end of the list
        self.value = [0] * (2 * count + 1)
        self.trail: list[int] = []
        self._level = [0] * (count + 1)
        self._reason: list[Clause | None] = [None] * (count + 1)
        self._watches: list[list[Clause]] = [[] for _literal in range(2 * count + 1)]
        self._starts: list[int] = []
        self._next = 0
        # the least depth since who asks last set it to the depth: what he saw at that depth is still so
        self.lowest = 0
        self._broken: Clause | None = None

    def add(self, literals: Iterable[int], label: object = None) -> None:
        """One more clause, before or between calls of solve()."""
        if self._starts:
            self._back_to(0)
        value = self.value
        own = list(set(literals))
        false = 0
        for literal in own:
            if value[literal] < 0:
                false += 1
        if false:
            own.sort(key=lambda literal: value[literal] < 0)
        clause = Clause(own, label)
        if false == len(own):
            self._broken = self._broken or clause
        elif false == len(own) - 1 and not value[own[0]]:
            self._set(own[0], clause)
        if len(own) > 1:
            self._watches[own[0]].append(clause)
            self._watches[own[1]].append(clause)

    def solve(self, choose: Choose, assumed: Sequence[int] = ()) -> bool:
        """Whether all clauses can hold, with `assumed` too. If so, `trail` holds the literals that were set."""
        self._back_to(0)
        while self._broken is None:
            conflict = self._propagate()
            if conflict is not None:
                if not self._starts:
                    self._broken = conflict
                    break
                self._learn(conflict)
                continue
            literal = 0
            if len(self._starts) < len(assumed):
                literal = assumed[len(self._starts)]
                if self.value[literal] < 0:
                    return False
            else:
                literal = choose()
                if not literal:
                    return True
            self._starts.append(len(self.trail))
            if not self.value[literal]:
                self._set(literal, None)
        return False

    def core(self) -> list[object]:
        """After a "no" without assumptions: the labels of clauses that cannot hold together."""
        labels: dict[int, object] = {}
        clauses = [self._broken] if self._broken is not None else []
        variables = [abs(literal) for clause in clauses for literal in clause.literals]
        seen_clauses: set[int] = set()
        seen_variables: set[int] = set()
        while clauses or variables:
            if variables:
                variable = variables.pop()
                reason = self._reason[variable]
                if variable not in seen_variables and reason is not None:
                    seen_variables.add(variable)
                    clauses.append(reason)
                    variables += map(abs, reason.literals)
                continue
            clause = clauses.pop()
            if id(clause) not in seen_clauses:
                seen_clauses.add(id(clause))
                if clause.label is not None:
                    labels[id(clause.label)] = clause.label
                clauses += clause.parents
                variables += clause.settled
        return list(labels.values())

    def depth(self) -> int:
        """How many choices stand."""
        return len(self._starts)

    def _set(self, literal: int, reason: Clause | None) -> None:
        self.value[literal] = 1
        self.value[-literal] = -1
        variable = abs(literal)
        self._level[variable] = len(self._starts)
        self._reason[variable] = reason
        self.trail.append(literal)

    def _propagate(self) -> Clause | None:
        value, trail = self.value, self.trail
        while self._next < len(trail):
            false = -trail[self._next]
            self._next += 1
            watching = self._watches[false]
            kept = self._watches[false] = []
            for place, clause in enumerate(watching):
                literals = clause.literals
                if literals[0] == false:
                    literals[0], literals[1] = literals[1], false
                first = literals[0]
                if value[first] > 0:
                    kept.append(clause)
                    continue
                for index in range(2, len(literals)):
                    other = literals[index]
                    if value[other] >= 0:
                        literals[1], literals[index] = other, false
                        self._watches[other].append(clause)
                        break
                else:
                    kept.append(clause)
                    if value[first] < 0:
                        kept += watching[place + 1 :]
                        return clause
                    self._set(first, clause)
        return None

    def _learn(self, conflict: Clause) -> None:
        """Add the clause of the first unique implication point, and go back to where it says something new."""
        here = len(self._starts)
        learned = Clause([0])
        seen: set[int] = set()
        clause: Clause | None = conflict
        open_ones = 0
        place = len(self.trail)
        back = 0
        while True:
            if clause is None:
                raise AssertionError("a decision is no consequence of a clause")
            learned.parents.append(clause)
            for literal in clause.literals:
                variable = abs(literal)
                if variable in seen or self.value[literal] > 0:
                    continue
                seen.add(variable)
                level = self._level[variable]
                if level == 0:
                    learned.settled.append(variable)
                elif level == here:
                    open_ones += 1
                else:
                    learned.literals.append(literal)
                    if level > back:
                        back = level
                        last = len(learned.literals) - 1
                        learned.literals[1], learned.literals[last] = literal, learned.literals[1]
            while True:
                place -= 1
                if abs(self.trail[place]) in seen:
                    break
            open_ones -= 1
            clause = self._reason[abs(self.trail[place])]
            if not open_ones:
                break
        learned.literals[0] = -self.trail[place]
        self._back_to(back)
        self._set(learned.literals[0], learned)
        if len(learned.literals) > 1:
            self._watches[learned.literals[0]].append(learned)
            self._watches[learned.literals[1]].append(learned)

    def _back_to(self, depth: int) -> None:
        if len(self._starts) <= depth:
            return
        self.lowest = min(self.lowest, depth)
        start = self._starts[depth]
        for literal in self.trail[start:]:
            self.value[literal] = self.value[-literal] = 0
        del self.trail[start:]
        del self._starts[depth:]
        self._next = min(self._next, start)
