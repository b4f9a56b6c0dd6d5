# SPDX-License-Identifier: GPL-3.0-or-later
"""WAPT's scenarios with each difference named, and what the solver prefers, keeps and removes."""

from __future__ import annotations

import gc

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._packages import search, solver
from bocage_core._packages.problem import Problem
from bocage_core._packages.requests import parse_request, parse_requests
from bocage_core._packages.solver import Impossible, Solution, solve
from bocage_core._packages.universe import EVERYTHING, Candidate, Goal, Rule, Universe, Wanted
from solving import solved, steps, versions
from wapt_vectors import table

SCENARIOS = {scenario["name"]: scenario for scenario in table("solver.json")["scenarios"]}

# Where our answer is not WAPT's: what is there afterwards, or what the message has, and why.
DIFFERENCES: dict[str, tuple[dict[str, str] | str, str]] = {
    "missing": ("there is no such package", "a request that nothing meets is an error, and not a line of a result"),
    "cycle": ({"a": "1-0", "b": "1-0"}, "packages may need each other; WAPT counts to a depth and gives up"),
    "missing dep": ("zz, but there is no such package", "WAPT installs a without what it needs"),
    "conflicting constraints on shared dep": (
        "c 1-0 needs d (= 2)",
        "WAPT installs two versions of d, one over the other",
    ),
    "older top would be satisfiable": ({"a": "1-0", "b": "1-0"}, "WAPT does not go back to a 1-0"),
    "conflict inside request set": ("a 1-0 conflicts with b", "WAPT looks for conflicts among what is installed only"),
    "conflict with own dependency": ("a 1-0 conflicts with b", "WAPT does not look for it, and finishes half"),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_of_wapt(name: str) -> None:
    scenario = SCENARIOS[name]
    wanted = [str(request) for text in scenario["request"] for request in parse_requests(text)]
    upgrade = frozenset([EVERYTHING]) if scenario["options"].get("forceupgrade") else frozenset()

    def run() -> Solution:
        return solved(scenario["repo"], *wanted, installed=scenario["installed"], upgrade=upgrade)

    if name in DIFFERENCES:
        expected, _reason = DIFFERENCES[name]
        if isinstance(expected, str):
            with pytest.raises(Impossible) as caught:
                run()
            assert expected in str(caught.value)
        else:
            assert versions(run()) == expected
        return
    verdict = scenario["result"]
    told = [row[1].split("=") for part in ("install", "additional", "skipped", "upgrade") for row in verdict[part]]
    result = run()
    assert versions(result) == dict(told)
    removed = {step.package for step in result.steps if step.action == "remove"}
    assert removed == {row[0] for row in verdict["remove"]}


def test_what_is_installed_is_kept_and_the_rest_is_the_newest() -> None:
    repository = [["a", "1-0"], ["a", "2-0"], ["b", "1-0"], ["b", "2-0"]]
    result = solved(repository, "a", "b", installed=[["a", "1-0"]])
    assert versions(result) == {"a": "1-0", "b": "2-0"}
    assert steps(result) == ["install b"]


def test_upgrade_of_one_package_leaves_the_others() -> None:
    repository = [["a", "1-0"], ["a", "2-0"], ["b", "1-0"], ["b", "2-0"]]
    here = [["a", "1-0"], ["b", "1-0"]]
    assert steps(solved(repository, installed=here, upgrade=frozenset(["b"]))) == ["upgrade b"]
    assert steps(solved(repository, installed=here, upgrade=frozenset([EVERYTHING]))) == ["upgrade a", "upgrade b"]


def test_packages_that_pin_each_other_are_upgraded_together() -> None:
    repository = [["a", "2-0", "b(=2-0)"], ["b", "2-0", "a(=2-0)"]]
    here = [["a", "1-0", "b(=1-0)"], ["b", "1-0", "a(=1-0)"]]
    result = solved(repository, installed=here, upgrade=frozenset([EVERYTHING]))
    assert versions(result) == {"a": "2-0", "b": "2-0"}


def test_what_came_for_another_leaves_with_it_and_what_was_asked_for_stays() -> None:
    repository = [["tool", "1-0"], ["library", "1-0"]]
    result = solved(repository, installed=[["tool", "1-0"]], automatic=[["library", "1-0"]])
    assert versions(result) == {"tool": "1-0"}
    assert steps(result) == ["remove library"]
    result = solved([], installed=[["tool", "1-0", "library"]], automatic=[["library", "1-0"]])
    assert steps(result) == []


def test_a_conflict_declared_by_either_side_removes_what_is_installed() -> None:
    for repository, here in (
        ([["new", "1-0", "", "old"]], [["old", "1-0"]]),
        ([["new", "1-0"]], [["old", "1-0", "", "new"]]),
    ):
        result = solved(repository, "new", installed=here)
        assert steps(result) == ["remove old", "install new"]


def test_an_older_version_is_taken_before_something_is_removed() -> None:
    # the newest needs what conflicts with the installed tool, two steps away
    repository = [
        ["app", "1-0"],
        ["app", "2-0", "runtime"],
        ["runtime", "1-0", "driver"],
        ["driver", "1-0", "", "tool"],
    ]
    result = solved(repository, "app", installed=[["tool", "1-0"]])
    assert versions(result) == {"app": "1-0", "tool": "1-0"}


def test_what_must_change_is_upgraded_rather_than_removed() -> None:
    repository = [["library", "2-0"], ["tool", "2-0", "library(>=2)"], ["app", "1-0", "library(>=2)"]]
    here = [["tool", "1-0", "library(<2)"], ["library", "1-0"]]
    result = solved(repository, "app", installed=here)
    assert versions(result) == {"app": "1-0", "library": "2-0", "tool": "2-0"}


def test_pins_hold_only_what_is_there() -> None:
    pins = (Rule(parse_request("a(<2)"), "unit:lab"), Rule(parse_request("b(<2)"), "unit:lab"))
    result = solved([["a", "1-0"], ["a", "2-0"], ["b", "2-0"]], "a", pins=pins)
    assert versions(result) == {"a": "1-0"}
    with pytest.raises(Impossible, match=r"host:erp1 needs b, but unit:lab pins < 2"):
        solved([["b", "2-0"]], "b", pins=pins)


def test_what_is_forbidden_leaves_and_is_not_taken() -> None:
    ban = (Rule(parse_request("game"), "policy:office"),)
    assert steps(solved([["game", "1-0"]], installed=[["game", "1-0"]], forbidden=ban)) == ["remove game"]
    with pytest.raises(Impossible, match=r"app 1-0 needs game, but policy:office forbids game"):
        solved([["app", "1-0", "game"], ["game", "1-0"]], "app", forbidden=ban)
    some = (Rule(parse_request("game(>=2)"), "policy:office"),)
    assert versions(solved([["game", "1-0"], ["game", "2-0"]], "game", forbidden=some)) == {"game": "1-0"}


def test_what_was_broken_before_stays_and_is_told() -> None:
    result = solved([["app", "1-0"]], "app", installed=[["old", "1-0", "gone,app"]])
    assert steps(result) == ["install app"]
    assert [str(request) for request in result.unmet["old"]] == ["gone", "app"]


def test_what_was_broken_before_is_mended_where_it_can_be() -> None:
    result = solved([["library", "1-0"]], installed=[["tool", "1-0", "library"]])
    assert steps(result) == ["install library"]
    assert not result.unmet


def test_what_was_broken_and_is_now_required_is_replaced_by_a_version_that_works() -> None:
    result = solved([["old", "2-0"]], "old", installed=[["old", "1-0", "gone"]])
    assert steps(result) == ["upgrade old"]


def test_kinds_of_packages_are_roots_alike_and_may_form_a_cycle() -> None:
    universe = Universe.of(
        [
            Candidate.parse("erp1", "1-0", "lab,accounting", section="host"),
            Candidate.parse("lab", "1-0", "editor(<2),erp1", section="unit"),
            Candidate.parse("accounting", "1-0", "editor", section="group"),
            Candidate.parse("editor", "1-0"),
            Candidate.parse("editor", "2-0"),
        ]
    )
    result = solve(universe, Goal((Wanted(parse_request("erp1"), "this host"),)))
    assert versions(result) == {"accounting": "1-0", "editor": "1-0", "erp1": "1-0", "lab": "1-0"}


def test_a_conflict_with_its_own_name_means_other_versions() -> None:
    assert versions(solved([["a", "2-0", "", "a(<2)"]], "a", installed=[["a", "1-0"]], upgrade=frozenset("a")))


def test_a_package_that_needs_another_version_of_itself_is_impossible() -> None:
    with pytest.raises(Impossible, match="needs another version of itself"):
        solved([["a", "1-0", "a(>=2)"], ["a", "2-0", "a(=1)"]], "a")


def test_the_order_of_the_input_does_not_matter() -> None:
    repository = [
        ["a", "1-0", "c"],
        ["a", "2-0", "d"],
        ["c", "1-0"],
        ["d", "1-0", "", "c"],
        ["b", "1-0", "c"],
    ]
    first = solved(repository, "a", "b")
    assert versions(first) == versions(solved(repository[::-1], "b", "a"))
    assert versions(first) == {"a": "1-0", "b": "1-0", "c": "1-0"}


def test_without_resolvelib_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MISSING_LIBRARY", "resolvelib")
    with pytest.raises(BadInput, match="library resolvelib is missing on this machine; install what requirements"):
        solved([["a", "1-0"], ["a", "2-0", "", "b(=2)"], ["b", "1-0"], ["b", "2-0"]], "a", "b")


def test_a_chain_of_a_thousand_and_more_does_not_reach_the_limit_of_recursion() -> None:
    length = 1500
    repository = [[f"p{place}", "1-0", f"p{place + 1}(=1)"] for place in range(length)]
    repository += [[f"p{length}", "1-0"], [f"p{length}", "2-0"]]
    result = solved(repository, "p0")
    assert len(result.steps) == length + 1
    assert steps(result)[0] == f"install p{length}"


def test_collection_is_as_it_was_after_an_answer_and_after_none(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    real = solver._find

    def watched(problem: Problem) -> tuple[dict[str, int], str]:
        seen.append(gc.isenabled())
        return real(problem)

    monkeypatch.setattr(solver, "_find", watched)
    repository = [("a", "1"), ("b", "1", "", "a")]
    possible, impossible = Universe.of([Candidate.parse("a", "1")]), Universe.of([])
    goal = Goal((Wanted(parse_request("a")),))
    try:
        for on in (True, False):
            (gc.enable if on else gc.disable)()
            solve(possible, goal)
            assert gc.isenabled() is on
            with pytest.raises(Impossible):
                solve(impossible, goal)
            assert gc.isenabled() is on
            with pytest.raises(Impossible):
                solved(repository, "a", "b")
            assert gc.isenabled() is on
    finally:
        gc.enable()
    assert seen == [False] * 6
