# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a repository is for a machine, which of equals is taken, and what is told of the rest."""

from __future__ import annotations

import pytest
from bocage_core._packages.matching import Machine
from bocage_core._packages.offers import offers
from bocage_core._packages.requests import parse_request
from bocage_core._packages.solver import Impossible, solve
from bocage_core._packages.universe import Goal, Universe, Wanted
from wapt_vectors import table

MACHINE = Machine(
    architectures=("x64", "x86"), locales=("fr", "en"), maturities=("PROD", "BETA"), target_os=("linux", "debian")
)
GOAL = Goal((Wanted(parse_request("a"), "host:erp1"),))


def solved(rows: list[dict[str, str]], goal: Goal = GOAL) -> str:
    found = offers(rows, MACHINE)
    return solve(Universe.of(found.candidates, left_out=found.left_out), goal).chosen["a"].sha256


def row(version: str, sha256: str, **fields: str) -> dict[str, str]:
    return {"package": "a", "version": version, "sha256": sha256, **fields}


def test_among_equal_versions_the_best_fit_is_taken() -> None:
    locales = [row("1-0", "english", locale="en"), row("1-0", "french", locale="fr"), row("1-0", "any")]
    architectures = [
        row("1-0", "all", architecture="all"),
        row("1-0", "small", architecture="x86"),
        row("1-0", "large", architecture="x64"),
    ]
    maturities = [row("1-0", "beta", maturity="BETA"), row("1-0", "good", maturity="PROD")]
    for rows, best in ((locales, "french"), (architectures, "large"), (maturities, "good")):
        assert solved(rows) == solved(rows[::-1]) == best
    assert solved([row("1-0", "french", locale="fr"), row("2-0", "english", locale="en")]) == "english"


def test_scenarios_of_wapt_with_variants() -> None:
    """WAPT's own scenarios with variants say which version is taken; so do we, and always the same variant."""
    for name in ("locale preference", "maturity preference rev", "arch preference"):
        (scenario,) = [one for one in table("solver.json")["scenarios"] if one["name"] == name]
        rows = [row(entry[1], f"{place}", **entry[4]) for place, entry in enumerate(scenario["repo"])]
        chosen = rows[int(solved(rows))]
        assert chosen["version"] == scenario["result"]["install"][0][1].partition("=")[2]


def test_what_is_not_for_the_machine_is_left_out_and_told() -> None:
    found = offers([row("1-0", "", architecture="arm64"), row("1.x", ""), row("2-0", "", depends="b (<2)")], MACHINE)
    assert not found.candidates
    assert [version for version, _ in found.left_out["a"]] == ["1-0", "1.x", "2-0"]
    with pytest.raises(Impossible) as caught:
        solve(Universe.of([], left_out=found.left_out), GOAL)
    assert "host:erp1 needs a, but a 1-0 is not for this machine: its architecture is arm64" in str(caught.value)
