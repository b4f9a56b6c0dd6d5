# SPDX-License-Identifier: GPL-3.0-or-later
"""libsolv as the referee: whether a goal can be met, and with how many changes its own policy would meet it."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import solv
from bocage_core._packages.requests import Constraint, Request
from bocage_core._packages.universe import Candidate, Goal, Universe

_FLAGS = {"=": solv.REL_EQ, ">": solv.REL_GT, "<": solv.REL_LT, ">=": solv.REL_GT | solv.REL_EQ}
_FLAGS["<="] = solv.REL_LT | solv.REL_EQ
_OPPOSITES = {"=": ("<", ">"), ">": ("<=",), "<": (">=",), ">=": ("<",), "<=": (">",)}
_GOAL = "the-goal"


class Referee:
    """A universe in libsolv's terms. Versions must have a packaging number."""

    def __init__(self, universe: Universe, goal: Goal) -> None:
        self._universe = universe
        pool = self._pool = solv.Pool()
        pool.setdisttype(solv.Pool.DISTTYPE_RPM)
        pool.setarch("x86_64")
        repository, here = pool.add_repo("repository"), pool.add_repo("installed")
        self._candidates: dict[int, Candidate] = {}
        for name, group in universe.candidates.items():
            for candidate in group:
                item = universe.installed.get(name)
                is_here = item is not None and item.candidate is candidate
                added = self._add(here if is_here else repository, name, str(candidate.version))
                self._candidates[added.id] = candidate
                for request in candidate.depends:
                    added.add_requires(self._relation(request))
                for request in candidate.conflicts:
                    added.add_conflicts(self._relation(request))
        self._goal = self._add(repository, _GOAL, "1-0")
        for item in goal.wanted:
            self._goal.add_requires(self._relation(item.request))
        for rule in goal.forbidden:
            self._goal.add_conflicts(self._relation(rule.request))
        for rule in goal.pins:
            for constraint in rule.request.constraints:
                for operator in _OPPOSITES[constraint.operator]:
                    opposite = Request(rule.request.package, (Constraint(operator, constraint.version),))
                    self._goal.add_conflicts(self._relation(opposite))
        pool.installed = here
        pool.createwhatprovides()

    def solve(self) -> dict[str, Candidate] | None:
        """What libsolv would have afterwards, by name; None if it says that nothing is possible."""
        solver = self._pool.Solver()
        for flag in ("ALLOW_DOWNGRADE", "ALLOW_UNINSTALL", "ALLOW_VENDORCHANGE", "ALLOW_ARCHCHANGE"):
            solver.set_flag(getattr(solv.Solver, f"SOLVER_FLAG_{flag}"), 1)
        job = self._pool.Job(solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE, self._goal.id)
        if solver.solve([job]):
            return None
        transaction = solver.transaction()
        left = [*transaction.newsolvables(), *transaction.keptsolvables()]
        chosen = (self._candidates[item.id] for item in left if item.id != self._goal.id)
        return {candidate.package: candidate for candidate in chosen}

    def _add(self, repository: solv.Repo, name: str, version: str) -> solv.XSolvable:
        added = repository.add_solvable()
        added.name, added.evr, added.arch = name, version, "noarch"
        added.add_provides(self._pool.rel2id(self._pool.str2id(name), self._pool.str2id(version), solv.REL_EQ))
        return added

    def _relation(self, request: Request) -> solv.Dep:
        named = self._pool.Dep(request.package)
        relations = [
            named.Rel(_FLAGS[one.operator], self._pool.Dep(str(one.version))) for one in request.constraints
        ] or [named]
        # all of them by one and the same package
        return functools.reduce(lambda first, second: first.Rel(solv.REL_WITH, second), relations)


def changes(universe: Universe, chosen: Mapping[str, Candidate]) -> int:
    """How many packages are other than they are installed."""
    here = {name: item.candidate for name, item in universe.installed.items()}
    return sum(here.get(name) is not chosen.get(name) for name in {*here, *chosen})


def wrong(universe: Universe, goal: Goal, chosen: Mapping[str, Candidate]) -> list[str]:
    """What a selection breaks, judged without the solver's own tables."""
    found = [f"{item.origin}: {item.request}" for item in goal.wanted if not met(chosen, item.request)]
    found += [f"{rule.origin} bans" for rule in goal.forbidden if met(chosen, rule.request)]
    for rule in goal.pins:
        if rule.request.package in chosen and not met(chosen, rule.request):
            found.append(f"{rule.origin} pins")
    for name, candidate in chosen.items():
        if candidate not in universe.candidates[name]:
            found.append(f"{candidate} is not offered")
        found += [f"{candidate} needs {request}" for request in candidate.depends if not met(chosen, request)]
        for request in candidate.conflicts:
            if request.package != name and met(chosen, request):
                found.append(f"{candidate} conflicts with {request}")
    return found


def met(chosen: Mapping[str, Candidate], request: Request) -> bool:
    return request.package in chosen and request.allows(chosen[request.package].version)
