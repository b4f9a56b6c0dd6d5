# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a goal rules out by itself: a root with one version needs what that needs, and so on.

`unit:lab` pins an editor, and each host of it has that one version of `unit:lab`: then newer editors are out before
any search. Each pair of a candidate and a need is looked at once or twice.
"""

from __future__ import annotations

from typing import Protocol

from .facts import Conflicts, Need


class Tables(Protocol):
    """What of a problem is read here."""

    domains: dict[str, tuple[int, ...]]
    needs: list[tuple[Need, ...]]
    clashes: list[dict[int, Conflicts]]
    wanted: tuple[Need, ...]


class Narrowing:
    """One pass from the goal down."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._left = {name: set(domain) for name, domain in tables.domains.items()}
        self._name = {number: name for name, domain in tables.domains.items() for number in domain}
        # who needs a candidate, as one of the options
        self._users: dict[int, list[tuple[int, Need]]] = {}
        for number in self._name:
            for need in tables.needs[number]:
                for option in need.options:
                    self._users.setdefault(option, []).append((number, need))
        self._certain: set[str] = set()
        self._settled: set[str] = set()
        self._out: list[int] = []
        self._due: list[Need] = []

    def ruled_out(self) -> set[int] | None:
        """Numbers that no solution has; None if there is no solution at all."""
        for number in self._name:
            if any(not need.options for need in self._tables.needs[number]):
                self._drop(number)
        self._due += self._tables.wanted
        while self._out or self._due:
            if self._out:
                self._follow(self._out.pop())
            else:
                self._require(self._due.pop())
        if any(not self._left[name] for name in self._certain):
            return None
        return {number for number, name in self._name.items() if number not in self._left[name]}

    def _drop(self, number: int) -> None:
        left = self._left[self._name[number]]
        if number in left:
            left.remove(number)
            self._out.append(number)

    def _follow(self, number: int) -> None:
        """A candidate went: who has no other option goes too, and the last of its name that must be there is certain."""
        for user, need in self._users.get(number, ()):
            if self._left[need.package].isdisjoint(need.options):
                self._drop(user)
        self._settle(self._name[number])

    def _require(self, need: Need) -> None:
        self._certain.add(need.package)
        for number in self._left[need.package].difference(need.options):
            self._drop(number)
        self._settle(need.package)

    def _settle(self, name: str) -> None:
        left = self._left[name]
        if name in self._certain and name not in self._settled and len(left) == 1:
            self._settled.add(name)
            (number,) = left
            self._due += self._tables.needs[number]
            for other in self._tables.clashes[number]:
                self._drop(other)
