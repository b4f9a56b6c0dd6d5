# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the steps from what is installed to what shall be there.

What a package needs comes before it, who needs a package leaves before it, and what conflicts leaves before the other
comes. Cycles are legal: they are opened where the fewest wait, at a conflict last of all, by name among equals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from .universe import Candidate, Universe

Action = Literal["remove", "install", "upgrade", "downgrade", "replace"]


@dataclass(frozen=True)
class Step:
    """One package changes. `here` is what is installed, `then` what shall be; replace: same version, other content."""

    action: Action
    package: str
    here: Candidate | None
    then: Candidate | None


def plan(universe: Universe, chosen: Mapping[str, Candidate]) -> tuple[Step, ...]:
    """The steps in their order; none if everything is there."""
    steps: dict[str, Step] = {}
    for name in sorted({*universe.installed, *chosen}):
        item = universe.installed.get(name)
        here, then = item.candidate if item else None, chosen.get(name)
        if here is not then:
            steps[name] = Step(_action(here, then), name, here, then)
    first = _before(steps)
    urgent: dict[str, set[str]] = {name: set() for name in steps}
    for earlier, later in _conflicting(steps):
        first[later].add(earlier)
        urgent[later].add(earlier)
    order: list[str] = []
    for group in _groups(first):
        order += _opened(group, first, urgent)
    return tuple(steps[name] for name in order)


def _action(here: Candidate | None, then: Candidate | None) -> Action:
    if then is None:
        return "remove"
    if here is None:
        return "install"
    if then.version == here.version:
        return "replace"
    return "upgrade" if then.version > here.version else "downgrade"


def _before(steps: Mapping[str, Step]) -> dict[str, set[str]]:
    """For each step those that come before it: of what it needs, and if it leaves, of those that needed it."""
    first: dict[str, set[str]] = {name: set() for name in steps}
    for name, step in steps.items():
        for request in step.then.depends if step.then is not None else ():
            other = steps.get(request.package)
            if other is not None and other.then is not None and other is not step:
                first[name].add(request.package)
        for request in step.here.depends if step.here is not None else ():
            other = steps.get(request.package)
            if other is not None and other.then is None and other is not step:
                first[request.package].add(name)
    return first


def _conflicting(steps: Mapping[str, Step]) -> Iterator[tuple[str, str]]:
    """Pairs of steps, the first of which clears the way for the second."""
    for step in steps.values():
        for comes in (True, False):
            # what comes conflicts with what is here, or what is here conflicts with what comes
            candidate = step.then if comes else step.here
            for request in candidate.conflicts if candidate is not None else ():
                other = steps.get(request.package)
                if other is None or other is step:
                    continue
                met = other.here if comes else other.then
                if met is not None and request.allows(met.version):
                    yield (other.package, step.package) if comes else (step.package, other.package)


def _groups(first: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected groups, each after those that it waits for (Tarjan, 1972), without recursion."""
    found: list[list[str]] = []
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    standing: set[str] = set()
    for root in first:
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = []
        entered: str | None = root
        while entered is not None or work:
            if entered is not None:
                index[entered] = low[entered] = len(index)
                stack.append(entered)
                standing.add(entered)
                work.append((entered, iter(sorted(first[entered]))))
            name, others = work[-1]
            entered = None
            for other in others:
                if other not in index:
                    entered = other
                    break
                if other in standing:
                    low[name] = min(low[name], index[other])
            if entered is not None:
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[name])
            if low[name] == index[name]:
                place = stack.index(name)
                found.append(sorted(stack[place:]))
                standing.difference_update(stack[place:])
                del stack[place:]
    return found


def _opened(group: list[str], first: Mapping[str, set[str]], urgent: Mapping[str, set[str]]) -> list[str]:
    """The order in a group: who waits for nobody, and if there is none, who waits for the fewest."""
    waiting = {name: first[name].intersection(group) for name in group}
    order: list[str] = []
    while waiting:
        left = waiting.keys()
        name = min(left, key=lambda item: (len(urgent[item] & left), len(waiting[item]), item))
        order.append(name)
        del waiting[name]
        for others in waiting.values():
            others.discard(name)
    return order
