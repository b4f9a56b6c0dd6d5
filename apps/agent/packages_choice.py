# SPDX-License-Identifier: GPL-3.0-or-later
"""What to have for what is asked for, by the solver; where not all of it is possible, as much as is, in its order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bocage_core._common.errors import BadInput, BocageError
from bocage_core._packages import explanations, solver
from bocage_core._packages.requests import Constraint, Request, parse_requests
from bocage_core._packages.universe import Candidate, Goal, Installed, Rule, Universe, Wanted
from bocage_core._packages.versions import Version

from .packages_ports import CONTROL_ONLY, Offer, Solution
from .packages_rollouts import Kept

# whoever asked: "this host needs editor (>= 2)", "this host forbids editor"
_ASKED = "this host"
_MAX_NAMES = 20_000


def choose(
    requests: Iterable[str | Request],
    forbidden: Iterable[str],
    installed: Mapping[str, Offer],
    offers: Callable[[str], Sequence[Offer]],
    renew: Callable[[str], bool],
    kept: Kept = Kept(),  # noqa: B008  # it cannot be changed
) -> Solution:
    wanted: list[Request] = []
    missing: dict[str, str] = {}
    for text in requests:
        if isinstance(text, Request):
            wanted.append(text)
            continue
        try:
            wanted += parse_requests(text)
        except BadInput as error:
            missing[text[:128]] = str(error)
    found = _Reached(wanted, installed, offers, kept)
    bans = [Rule(Request(name, ()), _ASKED) for name in forbidden]
    bans += [Rule(Request(name, ()), reason) for name, reason in kept.withheld.items()]
    pins = [
        Rule(Request(name, (Constraint("=", Version.parse(version)),)), reason)
        for name, (version, _hash, reason) in kept.versions.items()
    ]
    goal = Goal(
        pins=tuple(pins),
        forbidden=tuple(bans),
        upgrade=frozenset(name for name in found.names if renew(name)),
    )
    solution = _solved(found, goal, wanted, missing)
    missing |= {name: f"The repository has no package {name} for this host" for name in missing if name in found.absent}
    return Solution(_in_order(solution, found.offers), missing, _reasons(solution))


class _Reached:
    """All candidates that the answer can hold, by following what is asked for, what is there, and what each needs."""

    def __init__(
        self,
        wanted: Sequence[Request],
        installed: Mapping[str, Offer],
        offers: Callable[[str], Sequence[Offer]],
        kept: Kept,
    ) -> None:
        self.offers: dict[Candidate, Offer] = {}
        self.names: set[str] = set()
        self.absent: set[str] = set()
        self._gone: set[str] = set()
        present = []
        for name, one in installed.items():
            candidate = self._candidate(one)
            if candidate is None:
                raise BocageError(f"The record of the installed package {name} is damaged; run `bocage-agent forget`.")
            present.append(Installed(candidate, asked=one.section not in CONTROL_ONLY))
        waiting = [one.package for one in wanted]
        waiting += [one.package for item in present for one in item.candidate.depends] + list(installed)
        candidates: list[Candidate] = []
        while waiting:
            name = waiting.pop()
            if name in self.names:
                continue
            self.names.add(name)
            if len(self.names) > _MAX_NAMES:
                raise BocageError(f"More than {_MAX_NAMES} packages depend on one another; split the repository.")
            known = [one for one in offers(name) if _readable(one) and kept.allows(one)]
            if not known:
                (self._gone if name in installed else self.absent).add(name)
            for one in known:
                candidate = self._candidate(one)
                if candidate is not None:
                    candidates.append(candidate)
                    waiting += [request.package for request in candidate.depends]
        self.everything = Universe.of(candidates, present)
        self.newest_settings = Universe.of(
            [one for one in candidates if one.section not in CONTROL_ONLY or _is_newest(one, candidates)],
            [
                one
                for one in present
                if one.candidate.section not in CONTROL_ONLY or one.candidate.package in self._gone
            ],
        )

    def _candidate(self, one: Offer) -> Candidate | None:
        """None for one that cannot be read: it does not take the others with it."""
        try:
            found = Candidate.parse(
                one.package,
                one.version,
                one.depends,
                one.conflicts,
                sha256=one.sha256,
                section=one.section,
                rank=one.rank,
            )
        except BadInput:
            return None
        self.offers[found] = one
        return found


def _readable(one: Offer) -> bool:
    try:
        Version.parse(one.version)
    except BadInput:
        return False
    return True


def _is_newest(candidate: Candidate, candidates: Sequence[Candidate]) -> bool:
    return all(one.version <= candidate.version for one in candidates if one.package == candidate.package)


def _solved(found: _Reached, goal: Goal, wanted: Sequence[Request], missing: dict[str, str]) -> solver.Solution:
    """All that was asked for, or else one after the other what fits to what came before it.

    Settings (the packages of hosts, groups, units ...) count as they are now: software gives way to them. Only where
    nothing fits to the newest ones may older ones stay, and that is told as what is missing.
    """

    def attempt(universe: Universe, given: Sequence[Request]) -> solver.Solution:
        asked = tuple(Wanted(one, _ASKED) for one in given)
        return solver.solve(universe, Goal(asked, goal.pins, goal.forbidden, goal.upgrade))

    try:
        return attempt(found.newest_settings, wanted)
    except solver.Impossible as error:
        why = str(error)
    try:
        solution = attempt(found.everything, wanted)
    except solver.Impossible:
        solution = None
    if solution is None:
        kept: list[Request] = []
        for one in wanted:
            try:
                attempt(found.everything, [*kept, one])
            except solver.Impossible as error:
                missing[one.package] = str(error)
            else:
                kept.append(one)
        solution = attempt(found.everything, kept)
    for name, chosen in solution.chosen.items():
        newest = found.newest_settings.candidates.get(name, (chosen,))[0]
        if chosen.section in CONTROL_ONLY and chosen.version < newest.version:
            missing[name] = f"{newest} cannot be had: {why}"
    return solution


def _in_order(solution: solver.Solution, offers: Mapping[Candidate, Offer]) -> tuple[Offer, ...]:
    """What comes, in the order of the steps, then what is there and stays."""
    coming = [step.then for step in solution.steps if step.then is not None]
    staying = [one for one in solution.chosen.values() if one not in coming]
    # a candidate that the solver made anew stands for what is installed under its name
    by_name = {one.package: offer for one, offer in offers.items()}
    return tuple(offers.get(one) or by_name[one.package] for one in (*coming, *staying))


def _reasons(solution: solver.Solution) -> dict[str, str]:
    """For what changes, and for what is kept though there is something newer."""
    newest = {name: group[0] for name, group in solution.problem.universe.candidates.items() if group}
    names = {step.package for step in solution.steps}
    names |= {name for name, one in solution.chosen.items() if newest.get(name) is not one}
    return {name: explanations.why(solution.problem, solution.chosen, name) for name in sorted(names)}
