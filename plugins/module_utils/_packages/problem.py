# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A goal in a universe as numbers: what can matter, what may not be, what excludes what, and what needs no search.

Candidates are numbered from 1 on. The domain of a name lists its numbers, the one that is liked best first: what is
installed unless it is to be upgraded, then the newest; without those that the goal rules out by itself. A name is calm
if its first candidate fits every demand that anything here could make, conflicts with nothing here, and needs calm
names only: then that candidate is taken whenever somebody needs the name, and neither search sees it. In a real estate
nearly all names are calm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .facts import Conflicts, Depends, Need
from .narrowing import Narrowing
from .requests import Request
from .universe import Candidate, Goal, Rule, Universe


class Problem:
    """The goal as numbers. Built once; read by both searches, by the plan and by the explanations.

    needs[number]: what a candidate needs. clashes[number]: what it cannot be together with, and why (both directions).
    wanted: needs of the goal. asked: installed names to keep where nothing forbids it, sorted. ruled_out: numbers that
    cannot be taken; None if the goal is impossible at first sight. Without `narrow` there are none, and a proof then
    knows all reasons.
    """

    def __init__(self, universe: Universe, goal: Goal, narrow: bool = True) -> None:
        self.universe = universe
        self.goal = goal
        self.domains: dict[str, tuple[int, ...]] = {}
        self.excluded: dict[Candidate, Rule] = {}
        self.needs: list[tuple[Need, ...]] = [()]
        self.clashes: list[dict[int, Conflicts]] = [{}]
        self.numbers: dict[Candidate, int] = {}
        self._candidates: list[Candidate] = []
        self._offered: dict[str, tuple[int, ...]] = self.domains
        self._matches: dict[Request, tuple[int, ...]] = {}
        self._rules = _rules_by_name(goal)
        kept = [name for name, item in universe.installed.items() if item.asked]
        self._reach([item.request.package for item in goal.wanted] + kept)
        for number, candidate in enumerate(self._candidates, 1):
            self.numbers[candidate] = number
            self.needs.append(self._needs_of(candidate))
        self.clashes += [{} for _candidate in self._candidates]
        self._find_clashes()
        self.wanted = tuple(Need(item.request.package, self.matches(item.request), item) for item in goal.wanted)
        self._offered = dict(self.domains)
        self.ruled_out: set[int] | None = Narrowing(self).ruled_out() if narrow else set()
        gone = self.ruled_out or set()
        for name in {self.at(number).package for number in gone}:
            self.domains[name] = tuple(number for number in self.domains[name] if number not in gone)
        self.asked = tuple(name for name in sorted(kept) if self.domains[name])
        self.calm = self._find_calm()
        self.searched = tuple(name for name in sorted(self.domains) if name not in self.calm and self.domains[name])

    def at(self, number: int) -> Candidate:
        return self._candidates[number - 1]

    def matches(self, request: Request) -> tuple[int, ...]:
        """The numbers that a request allows and no rule excludes, the best first."""
        found = self._matches.get(request)
        if found is None:
            domain = self._offered.get(request.package, ())
            found = tuple(number for number in domain if request.allows(self.at(number).version))
            self._matches[request] = found
        return found

    def open_needs(self, number: int) -> Iterator[Need]:
        """The needs of a candidate that a search must meet: those of calm names are met anyway."""
        return (need for need in self.needs[number] if need.package not in self.calm)

    def best(self, name: str) -> int:
        return self.domains[name][0]

    def installed_number(self, name: str) -> int:
        """The number of what is installed under a name; 0 where nothing is, or where it may not stay."""
        item = self.universe.installed.get(name)
        number = 0 if item is None else self.numbers.get(item.candidate, 0)
        return number if number in self.domains.get(name, ()) else 0

    def closure(self, chosen: dict[str, int]) -> dict[str, int]:
        """What of `chosen` is needed or asked for, with the calm names that it needs; the rest is dropped."""
        found: dict[str, int] = {}
        names = [need.package for need in self.wanted]
        names += [name for name in self.asked if name in chosen or name in self.calm]
        while names:
            name = names.pop()
            if name in found:
                continue
            number = chosen.get(name, 0) or (self.best(name) if name in self.calm else 0)
            if number:
                found[name] = number
                names += [need.package for need in self.needs[number]]
        return found

    def holds(self, chosen: dict[str, int]) -> bool:
        """Whether a selection meets the goal, has all that it needs, and nothing that excludes another."""
        taken = set(chosen.values())
        return (
            all(not taken.isdisjoint(need.options) for need in self.wanted)
            and all(self.domains[name].count(number) for name, number in chosen.items())
            and all(self.fits(number, taken) for number in taken)
        )

    def fits(self, number: int, taken: set[int]) -> bool:
        """Whether a candidate has what it needs among `taken` and conflicts with none of them."""
        return taken.isdisjoint(self.clashes[number]) and all(
            not taken.isdisjoint(need.options) for need in self.needs[number]
        )

    def _reach(self, names: Iterable[str]) -> None:
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in self.domains:
                continue
            domain = [candidate for candidate in self.universe.candidates.get(name, ()) if self._allowed(candidate)]
            here = self.universe.installed.get(name)
            if here is not None and not self.goal.upgrades(name):
                domain.sort(key=lambda candidate, here=here: candidate is not here.candidate)  # type: ignore[misc]
            first = len(self._candidates) + 1
            self._candidates += domain
            self.domains[name] = tuple(range(first, first + len(domain)))
            waiting += [request.package for candidate in domain for request in candidate.depends]

    def _allowed(self, candidate: Candidate) -> bool:
        pins, bans = self._rules.get(candidate.package, ((), ()))
        broken = [rule for rule in pins if not rule.request.allows(candidate.version)]
        broken += [rule for rule in bans if rule.request.allows(candidate.version)]
        if broken:
            self.excluded[candidate] = broken[0]
        return not broken

    def _needs_of(self, candidate: Candidate) -> tuple[Need, ...]:
        needs = []
        for request in candidate.depends:
            options = self.matches(request)
            if request.package == candidate.package:
                # itself or nothing, since only one version can be there
                if request.allows(candidate.version):
                    continue
                options = ()
            needs.append(Need(request.package, options, Depends(candidate, request)))
        return tuple(needs)

    def _find_clashes(self) -> None:
        for number, candidate in enumerate(self._candidates, 1):
            for request in candidate.conflicts:
                # another version of the same package is never there anyway
                if request.package == candidate.package or request.package not in self.domains:
                    continue
                fact = Conflicts(candidate, request)
                for other in self.matches(request):
                    self.clashes[number].setdefault(other, fact)
                    self.clashes[other].setdefault(number, fact)

    def _find_calm(self) -> frozenset[str]:
        gone = self.ruled_out or set()
        restless = {
            name
            for name, domain in self.domains.items()
            if not domain or any(other not in gone for other in self.clashes[domain[0]])
        }
        needed_by: dict[str, list[str]] = {}
        possible = (self.needs[number] for domain in self.domains.values() for number in domain)
        for needs in [self.wanted, *possible]:
            for need in needs:
                domain = self.domains[need.package]
                if not domain or domain[0] not in need.options:
                    restless.add(need.package)
        for name, domain in self.domains.items():
            for need in self.needs[domain[0]] if domain else ():
                needed_by.setdefault(need.package, []).append(name)
        waiting = list(restless)
        while waiting:
            for name in needed_by.get(waiting.pop(), ()):
                if name not in restless:
                    restless.add(name)
                    waiting.append(name)
        return frozenset(self.domains) - restless


def _rules_by_name(goal: Goal) -> dict[str, tuple[list[Rule], list[Rule]]]:
    rules: dict[str, tuple[list[Rule], list[Rule]]] = {}
    for place, group in enumerate((goal.pins, goal.forbidden)):
        for rule in group:
            rules.setdefault(rule.request.package, ([], []))[place].append(rule)
    return rules
