# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read: why this version, why it leaves, why nothing is possible."""

from __future__ import annotations

import pytest
from bocage_core._packages.requests import parse_request
from bocage_core._packages.solver import Impossible
from bocage_core._packages.universe import EVERYTHING, Rule
from solving import Row, said, solved

LAB: list[Row] = [["lab", "3-0", "app(<1.3)", "", "unit"]]


def test_kept_because_a_unit_pins() -> None:
    repository: list[Row] = [*LAB, ["app", "1.3"], ["app", "1.4"]]
    for upgrade in (frozenset[str](), frozenset([EVERYTHING])):
        result = solved(repository, "lab", installed=[["app", "1.2"]], upgrade=upgrade)
        assert said(result, "app") == "app: kept 1.2 because unit:lab pins < 1.3."


def test_kept_because_nothing_asks_for_another() -> None:
    result = solved([["app", "1.2"], ["app", "1.3"]], installed=[["app", "1.2"]])
    assert said(result, "app") == "app: kept 1.2, which is installed; 1.3 is there for an upgrade."
    result = solved([], installed=[["app", "1.2"]])
    assert said(result, "app") == "app: kept 1.2, which is installed."


def test_installed_because_somebody_needs_it_and_why_not_newer() -> None:
    result = solved([*LAB, ["app", "1.2"], ["app", "1.3"]], "lab", "app")
    assert said(result, "app") == (
        "app: 1.2 is installed because host:erp1 needs it; 1.3 is not taken because unit:lab pins < 1.3."
    )
    assert said(result, "lab") == "lab: 3-0 is installed because host:erp1 needs it."


def test_a_reason_is_followed_to_its_origin() -> None:
    repository: list[Row] = [["app", "1-0"], ["app", "2-0", "runtime(>=2)"], ["runtime", "1-0"], ["runtime", "2-0"]]
    repository.append(["school", "1-0", "runtime(<2)", "", "profile"])
    result = solved(repository, "app", "school")
    assert said(result, "app") == (
        "app: 1-0 is installed because host:erp1 needs it; 2-0 is not taken because app 2-0 needs runtime (>= 2), and"
        " profile:school pins < 2."
    )


def test_upgraded_downgraded_and_replaced() -> None:
    repository: list[Row] = [["app", "1.2"], ["app", "1.4"]]
    result = solved(repository, "app(>=1.3)", installed=[["app", "1.2"]])
    assert said(result, "app") == "app: upgraded from 1.2 to 1.4 because host:erp1 needs app (>= 1.3)."
    result = solved(repository, installed=[["app", "1.2"]], upgrade=frozenset(["app"]))
    assert said(result, "app") == "app: upgraded from 1.2 to 1.4, which is newer."
    result = solved([*repository, *LAB], "lab", installed=[["app", "1.4"]])
    assert said(result, "app") == "app: downgraded from 1.4 to 1.2 because unit:lab pins < 1.3."


def test_removed_because_of_a_conflict_a_ban_or_nobody() -> None:
    result = solved([["new", "1-0", "", "old(<2)"]], "new", installed=[["old", "1-0"]])
    assert said(result, "old") == "old: 1-0 is removed because new 1-0 conflicts with old (< 2)."
    result = solved([["new", "1-0"]], "new", installed=[["old", "1-0", "", "new"]])
    assert said(result, "old") == "old: 1-0 is removed because old 1-0 conflicts with new."
    ban = (Rule(parse_request("game"), "policy:office"),)
    result = solved([], installed=[["game", "1-0"]], forbidden=ban)
    assert said(result, "game") == "game: 1-0 is removed because policy:office forbids game."
    result = solved([], automatic=[["library", "1-0"]])
    assert said(result, "library") == "library: 1-0 is removed because nothing needs it any more."


def test_removed_because_what_it_needs_has_to_change() -> None:
    repository: list[Row] = [["library", "2-0"], ["app", "1-0", "library(>=2)"]]
    result = solved(repository, "app", installed=[["tool", "1-0", "library(<2)"], ["library", "1-0"]])
    assert said(result, "tool") == (
        "tool: 1-0 is removed because tool 1-0 needs library (< 2), and app 1-0 needs library (>= 2)."
    )


def test_absent() -> None:
    assert said(solved([["app", "1-0"]]), "app") == "app: not installed, and nothing needs it."


IMPOSSIBLE: dict[str, tuple[list[Row], list[str], str]] = {
    "nothing of that name": ([], ["zz"], "host:erp1 needs zz, but there is no such package for this machine."),
    "no such version": (
        [["a", "1-0"], ["a", "2-0"]],
        ["a(>=3)"],
        "host:erp1 needs a (>= 3), but there are only 2-0 and 1-0.",
    ),
    "two pins": (
        [*LAB, ["app", "1.2"], ["app", "1.4"], ["sales", "1-0", "app(>=1.4)", "", "group"]],
        ["lab", "sales"],
        "host:erp1 needs lab; host:erp1 needs sales; unit:lab 3-0 needs app (< 1.3); group:sales 1-0 needs app (>= 1.4).",
    ),
    "all versions": (
        [["a", "1-0", "b(=9)"], ["a", "2-0", "b(=9)"], ["b", "1-0"]],
        ["a"],
        "host:erp1 needs a; a 2-0 and 1-0 need b (= 9), but there is only 1-0.",
    ),
    "a chain, and nothing beside it": (
        [
            ["a", "1-0", "b,x"],
            ["b", "1-0", "c"],
            ["c", "1-0", "gone"],
            ["x", "1-0"],
            ["x", "2-0", "", "y"],
            ["y", "1-0"],
        ],
        ["a", "x", "y"],
        "host:erp1 needs a; a 1-0 needs b; b 1-0 needs c; c 1-0 needs gone, but there is no such package for this machine.",
    ),
    "a conflict": (
        [["a", "1-0", "", "b"], ["b", "1-0"]],
        ["a", "b"],
        "host:erp1 needs a; host:erp1 needs b; a 1-0 conflicts with b.",
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_why_nothing_is_possible(name: str) -> None:
    repository, wanted, sentence = IMPOSSIBLE[name]
    with pytest.raises(Impossible) as caught:
        solved(repository, *wanted)
    start = "The packages cannot be chosen: "
    end = " Ask for other versions, or publish a package that fits."
    assert str(caught.value) == start + sentence + end


def test_a_reason_that_is_too_long_is_cut() -> None:
    repository: list[Row] = [[f"p{place:02}", "1-0", f"p{place + 1:02}"] for place in range(30)]
    with pytest.raises(Impossible) as caught:
        solved(repository, "p00")
    assert "; and 19 more. Ask for" in str(caught.value)
    assert "there is no such package" in str(caught.value)
    assert len(caught.value.facts) == 31


def test_versions_are_told_newest_first_whatever_was_tried_first() -> None:
    repository: list[Row] = [["a", f"{number}-0", "b(=9)"] for number in (1, 2, 3)]
    with pytest.raises(Impossible, match=r"a 3-0, 2-0 and 1-0 need b \(= 9\)"):
        solved(repository, "a", installed=[["a", "1-0", "b(=9)"]])
