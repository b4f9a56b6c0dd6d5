# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the steps: needs first, conflicts out of the way, cycles opened in one way."""

from __future__ import annotations

from bocage_core._packages.plan import Step, plan
from bocage_core._packages.requests import parse_request
from bocage_core._packages.solver import Impossible, solve
from bocage_core._packages.universe import Candidate, Installed, Rule, Universe
from random_universes import Shape, draw
from solving import solved, steps


def test_what_a_package_needs_comes_first() -> None:
    assert steps(solved([["a", "1-0", "b"], ["b", "1-0", "c"], ["c", "1-0"]], "a")) == [
        "install c",
        "install b",
        "install a",
    ]


def test_who_needs_a_package_leaves_before_it() -> None:
    ban = (Rule(parse_request("library"), "policy:office"),)
    here = [["app", "1-0", "library"], ["library", "1-0"], ["zoo", "1-0", "app"]]
    assert steps(solved([], installed=here, forbidden=ban)) == ["remove zoo", "remove app", "remove library"]


def test_what_conflicts_leaves_before_the_other_comes() -> None:
    repository = [["app", "1-0", "driver"], ["driver", "1-0", "", "zold"]]
    assert steps(solved(repository, "app", installed=[["zold", "1-0"]])) == [
        "remove zold",
        "install driver",
        "install app",
    ]


def test_an_upgrade_that_ends_a_conflict_comes_first() -> None:
    repository = [["app", "1-0", "", "tool(<2)"], ["tool", "2-0"]]
    assert steps(solved(repository, "app", installed=[["tool", "1-0"]])) == ["upgrade tool", "install app"]


def test_cycles_are_opened_where_the_fewest_wait() -> None:
    repository = [["a", "1-0", "b"], ["b", "1-0", "c"], ["c", "1-0", "a,d"], ["d", "1-0"], ["top", "1-0", "c"]]
    assert steps(solved(repository, "top")) == ["install d", "install a", "install c", "install b", "install top"]


def test_a_conflict_counts_more_than_a_cycle() -> None:
    # a and b need each other, and b cannot come while old is there, which needs nothing
    repository = [["a", "1-0", "b"], ["b", "1-0", "a", "old"]]
    assert steps(solved(repository, "a", installed=[["old", "1-0"]]))[0] == "remove old"


def test_same_version_with_other_content_is_replaced() -> None:
    here, there = Candidate.parse("a", "1-0", sha256="1" * 64), Candidate.parse("a", "1-0", sha256="2" * 64)
    universe = Universe.of([there], [Installed(here)])
    assert plan(universe, {"a": there}) == (Step("replace", "a", here, there),)
    assert plan(universe, {"a": here}) == ()


def test_random_plans_lead_from_what_is_there_to_what_shall_be() -> None:
    shape = Shape(25, needs=1.2, conflicts=0.5, installed=0.8, wanted=3)
    walked = 0
    for seed in range(40):
        drawn = draw(seed, shape)
        try:
            solution = solve(drawn.universe, drawn.goal)
        except Impossible:
            continue
        present = {name: item.candidate for name, item in drawn.universe.installed.items()}
        for place, step in enumerate(solution.steps, 1):
            assert present.get(step.package) is step.here
            present.pop(step.package, None)
            if step.then is not None:
                present[step.package] = step.then
                walked += 1
                # nobody is beside what it conflicts with, unless both are still to change
                later = {other.package for other in solution.steps[place:]}
                for request in step.then.conflicts:
                    other = present.get(request.package)
                    clash = other is not None and other is not step.then and request.allows(other.version)
                    assert not clash or request.package in later, f"seed {seed}: {step.package}"
        assert present == solution.chosen, f"seed {seed}"
    assert walked > 50
