# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search with preferences: resolvelib over the names that are not calm.

Each name has one more choice, "absent". A need rules it out, a conflict rules out what it names: so a conflict is one
more demand on a name, in both directions, and no special case. What is kept and touched by nobody takes no round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._common.errors import BadInput
from .facts import Need
from .problem import Problem

try:
    from resolvelib import BaseReporter
    from resolvelib.resolvers import Resolution, ResolutionImpossible, ResolutionTooDeep
except ImportError:
    # documentation can be read, and a module can say what it misses, where the library is not installed
    MISSING_LIBRARY: str | None = "resolvelib"
else:
    MISSING_LIBRARY = None

# Each round looks at every name, so more than this would take longer than the proof that follows.
_MOST_ROUNDS = 200


class _Choice:
    """A candidate, or with the number 0 the absence of a package. `bit` is its place in the name's order."""

    __slots__ = ("bit", "number", "package")

    def __init__(self, package: str, number: int, bit: int) -> None:
        self.package = package
        self.number = number
        self.bit = bit


class _Demand:
    """Which choices of a name are possible, as a mask of bits."""

    __slots__ = ("mask", "package")

    def __init__(self, package: str, mask: int) -> None:
        self.package = package
        self.mask = mask


def search(problem: Problem) -> dict[str, int] | None:
    """Numbers by name that meet the problem, or None where this search found none, which proves nothing."""
    if MISSING_LIBRARY is not None:
        raise BadInput(
            f"The Python library {MISSING_LIBRARY} is missing on this machine; install what requirements/runtime.in"
            " of bocage.fleet lists."
        )
    provider = _Provider(problem)
    demands = provider.first_demands()
    if len(demands) > _MOST_ROUNDS:
        return None
    resolution: Any = Resolution(provider, BaseReporter())  # type: ignore[arg-type]
    try:
        mapping = resolution.resolve(demands, max_rounds=_MOST_ROUNDS).mapping
    except (ResolutionImpossible, ResolutionTooDeep):
        return None
    chosen = provider.base | {name: choice.number for name, choice in mapping.items()}
    found = problem.closure({name: number for name, number in chosen.items() if number})
    return found if problem.holds(found) else None


class _Provider:
    """What resolvelib asks (its AbstractProvider, by shape)."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._choices: dict[str, list[_Choice]] = {}
        self._bits: dict[int, int] = {}
        self._demands: dict[tuple[str, int], tuple[_Demand, ...]] = {}
        self._found: dict[tuple[str, int], list[_Choice]] = {}
        self.base, self._loose = _base(problem)
        # for each name: kept packages that need something of it, with what would do
        self._leaning: dict[str, list[tuple[int, tuple[int, ...]]]] = {}
        for number in self.base.values():
            for need in problem.open_needs(number):
                self._leaning.setdefault(need.package, []).append((number, need.options))

    def first_demands(self) -> list[_Demand]:
        """The goal, and a round for each kept package that cannot simply stay as it is."""
        found = [self._demand(need) for need in self._problem.wanted if need.package not in self._problem.calm]
        return found + [_Demand(name, self._all(name)) for name in self._loose]

    def identify(self, requirement_or_candidate: _Demand | _Choice) -> str:
        return requirement_or_candidate.package

    def get_preference(self, *args: Any, **kwargs: Any) -> int:
        """Never needed: one name is left to choose from."""
        return 0

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[str],
        resolutions: Mapping[str, _Choice],
        candidates: Mapping[str, Iterator[_Choice]],
        information: Mapping[str, Iterator[Any]],
        backtrack_causes: Iterable[Any],
    ) -> list[str]:
        """First what just failed, then what somebody needs, in the order in which it came up."""
        names = list(identifiers)
        causes = {cause.requirement.package for cause in backtrack_causes}
        causes |= {cause.parent.package for cause in backtrack_causes if cause.parent is not None}
        for name in names:
            if name in causes:
                return [name]
        for name in names:
            if next(iter(candidates[name])).number:
                return [name]
        return names[:1]

    def find_matches(
        self, identifier: str, requirements: Mapping[str, Iterator[_Demand]], incompatibilities: Mapping[str, Any]
    ) -> list[_Choice]:
        mask = -1
        for demand in requirements[identifier]:
            mask &= demand.mask
        for choice in incompatibilities[identifier]:
            mask &= ~choice.bit
        found = self._found.get((identifier, mask))
        if found is None:
            found = [choice for choice in self._choices_of(identifier) if choice.bit & mask]
            self._found[identifier, mask] = found
        return found

    def is_satisfied_by(self, requirement: _Demand, candidate: _Choice) -> bool:
        return bool(requirement.mask & candidate.bit)

    def get_dependencies(self, candidate: _Choice) -> tuple[_Demand, ...]:
        key = (candidate.package, candidate.number)
        found = self._demands.get(key)
        if found is None:
            found = self._demands[key] = tuple(self._demands_of(candidate))
        return found

    def _demands_of(self, choice: _Choice) -> Iterator[_Demand]:
        problem = self._problem
        apart: dict[str, int] = {}
        if choice.number:
            for need in problem.open_needs(choice.number):
                yield self._demand(need)
            for other in problem.clashes[choice.number]:
                name = problem.at(other).package
                if name not in problem.calm:
                    apart[name] = apart.get(name, 0) | self._bit(other)
        for number, options in self._leaning.get(choice.package, ()):
            if choice.number not in options:
                name = problem.at(number).package
                apart[name] = apart.get(name, 0) | self._bit(number)
        for name, mask in apart.items():
            yield _Demand(name, self._all(name) & ~mask)

    def _demand(self, need: Need) -> _Demand:
        return _Demand(need.package, sum(self._bit(number) for number in need.options))

    def _all(self, name: str) -> int:
        return (1 << len(self._choices_of(name))) - 1

    def _bit(self, number: int) -> int:
        self._choices_of(self._problem.at(number).package)
        # what is ruled out is no choice
        return self._bits.get(number, 0)

    def _choices_of(self, name: str) -> list[_Choice]:
        found = self._choices.get(name)
        if found is None:
            problem = self._problem
            ranked = sorted(problem.domains.get(name, ()), key=self._breaks)
            numbers = [*ranked, 0] if name in self.base or name in self._loose else [0, *ranked]
            found = self._choices[name] = [_Choice(name, number, 1 << place) for place, number in enumerate(numbers)]
            self._bits.update((choice.number, choice.bit) for choice in found if choice.number)
        return found

    def _breaks(self, number: int) -> int:
        """How many kept packages could not stay beside a candidate."""
        leaning = self._leaning.get(self._problem.at(number).package, ())
        clashes = sum(
            self.base.get(self._problem.at(other).package) == other for other in self._problem.clashes[number]
        )
        return clashes + sum(number not in options for _name, options in leaning)


def _base(problem: Problem) -> tuple[dict[str, int], list[str]]:
    """What stays as it is unless something touches it, by name; and the names that cannot just stay."""
    base: dict[str, int] = {}
    waiting = [name for name in problem.asked if name not in problem.calm]
    wanted = set(waiting)
    while waiting:
        name = waiting.pop()
        number = problem.best(name) if name in wanted else problem.installed_number(name)
        if name in base or not number:
            continue
        base[name] = number
        waiting += [need.package for need in problem.open_needs(number)]
    taken = set(base.values())
    loose = [
        name
        for name, number in sorted(base.items())
        if not taken.isdisjoint(problem.clashes[number])
        or any(taken.isdisjoint(need.options) for need in problem.open_needs(number))
    ]
    return base, loose
