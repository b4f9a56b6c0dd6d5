# SPDX-License-Identifier: GPL-3.0-or-later
"""Short ways to write a small universe and to read what was solved."""

from __future__ import annotations

from typing import Any

from bocage_core._packages.explanations import why
from bocage_core._packages.requests import parse_request
from bocage_core._packages.solver import Solution, solve
from bocage_core._packages.universe import Candidate, Goal, Installed, Universe, Wanted

# package, version, depends, conflicts, section
Row = list[Any]


def candidate(row: Row) -> Candidate:
    return Candidate.parse(*row[:4], section=row[4] if len(row) > 4 and isinstance(row[4], str) else "base")


def solved(
    repository: list[Row],
    *wanted: str,
    installed: list[Row] | None = None,
    automatic: list[Row] | None = None,
    **goal: Any,
) -> Solution:
    present = [Installed(candidate(row)) for row in installed or []]
    present += [Installed(candidate(row), asked=False) for row in automatic or []]
    universe = Universe.of([candidate(row) for row in repository], present)
    asked = tuple(Wanted(parse_request(text), "host:erp1") for text in wanted)
    return solve(universe, Goal(asked, **goal))


def versions(solution: Solution) -> dict[str, str]:
    return {name: str(chosen.version) for name, chosen in solution.chosen.items()}


def steps(solution: Solution) -> list[str]:
    return [f"{step.action} {step.package}" for step in solution.steps]


def said(solution: Solution, name: str) -> str:
    return why(solution.problem, solution.chosen, name)
