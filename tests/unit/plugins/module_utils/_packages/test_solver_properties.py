# SPDX-License-Identifier: GPL-3.0-or-later
"""libsolv referees random universes: the same can be met, what we choose is valid, and it changes hardly more."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from bocage_core._packages.explanations import why
from bocage_core._packages.facts import Conflicts, Depends, Fact
from bocage_core._packages.problem import Problem
from bocage_core._packages.proof import Proof
from bocage_core._packages.solver import Impossible, Solution, solve
from bocage_core._packages.universe import Candidate, Goal, Installed, Universe, Wanted
from random_universes import Drawn, Shape, draw, shapes
from referee import Referee, changes, wrong

SHAPES = {
    "tiny and strict": (Shape(8, versions=3, needs=1.3, strict=0.7, conflicts=0.5), 70),
    "loose": (Shape(15, needs=1.5, versions=5), 50),
    "leaning downwards": (Shape(40, needs=2.0, reach=6, strict=0.3), 20),
    "sixty": (Shape(60, needs=1.6, conflicts=0.15, strict=0.4, wanted=5), 15),
    "ranges": (Shape(25, versions=6, needs=1.3, strict=0.6, conflicts=0.3, double=0.7), 60),
    "much installed": (Shape(30, needs=1.0, conflicts=0.6, installed=0.9, wanted=2), 30),
}


def answer(drawn: Drawn) -> Solution | None:
    try:
        return solve(drawn.universe, drawn.goal)
    except Impossible:
        return None


@pytest.mark.parametrize("name", SHAPES)
def test_the_referee_agrees(name: str) -> None:
    shape, count = SHAPES[name]
    seen: Counter[str] = Counter()
    for seed in range(count):
        drawn = draw(seed, shape)
        ours, theirs = answer(drawn), Referee(drawn.universe, drawn.goal).solve()
        assert (ours is None) == (theirs is None), f"seed {seed}"
        seen["possible" if ours else "impossible"] += 1
        if ours is None or theirs is None:
            continue
        assert not wrong(drawn.universe, drawn.goal, ours.chosen), f"seed {seed}"
        seen["changes"] += changes(drawn.universe, ours.chosen)
        seen["the referee's changes"] += changes(drawn.universe, theirs)
    print(name, dict(seen))
    assert seen["possible"] > count // 20
    assert seen["impossible"] > count // 20
    # its policy is another; ours may keep a newer or an older one here and there, and no more than that
    assert seen["changes"] <= seen["the referee's changes"] * 1.2


def test_the_referee_agrees_about_two_thousand_packages() -> None:
    """One universe of each kind; `make bench` has more of them."""
    seen: Counter[str] = Counter()
    for name, shape in shapes(2000):
        drawn = draw(0, shape)
        ours, theirs = answer(drawn), Referee(drawn.universe, drawn.goal).solve()
        assert (ours is None) == (theirs is None), name
        seen["possible" if ours else "impossible"] += 1
        if ours is not None and theirs is not None:
            assert not wrong(drawn.universe, drawn.goal, ours.chosen), name
            seen["changes"] += changes(drawn.universe, ours.chosen)
            seen["the referee's changes"] += changes(drawn.universe, theirs)
    print(dict(seen))
    assert seen["possible"] and seen["changes"] <= seen["the referee's changes"] * 1.2


def test_the_order_of_the_input_does_not_matter() -> None:
    for seed in range(25):
        drawn = draw(seed, SHAPES["loose"][0])
        candidates = [one for group in drawn.universe.candidates.values() for one in group]
        random.Random(seed).shuffle(candidates)
        again = Universe.of(candidates, [*drawn.universe.installed.values()][::-1])
        first, second = answer(drawn), answer(Drawn(again, drawn.goal))
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            assert first.chosen == second.chosen
            assert first.steps == second.steps


def test_a_second_run_changes_nothing() -> None:
    for seed in range(25):
        drawn = draw(seed, SHAPES["loose"][0])
        first = answer(drawn)
        if first is not None:
            asked = drawn.universe.installed
            here = [Installed(candidate, asked=name in asked) for name, candidate in first.chosen.items()]
            candidates = [one for group in drawn.universe.candidates.values() for one in group]
            assert not solve(Universe.of(candidates, here), drawn.goal).steps, f"seed {seed}"


def test_what_is_removed_cannot_stay() -> None:
    removed = 0
    for seed in range(40):
        drawn = draw(seed, Shape(30, needs=1.0, conflicts=1.0, strict=0.2, installed=0.9, wanted=5))
        found = answer(drawn)
        if found is None:
            continue
        for step in found.steps:
            if step.action == "remove" and step.package in found.problem.asked:
                removed += 1
                proof = Proof(found.problem)
                together = [step.package, *(name for name in found.problem.asked if name in found.chosen)]
                present = [literal for name in together for literal in proof.presence(name)]
                assert not proof.presence(step.package) or proof.selection(present) is None, f"seed {seed}"
                assert "is removed because" in why(found.problem, found.chosen, step.package)
    assert removed > 5


def test_each_fact_of_a_reason_is_needed() -> None:
    """The goal and the universe are cut down to the facts: still impossible; and possible without any one of them."""
    for seed in range(30):
        drawn = draw(seed, SHAPES["tiny and strict"][0])
        try:
            solve(drawn.universe, drawn.goal)
        except Impossible as error:
            assert not possible(drawn, error.facts), f"seed {seed}"
            for place in range(len(error.facts)):
                rest = error.facts[:place] + error.facts[place + 1 :]
                assert possible(drawn, rest), f"seed {seed}: {error.facts[place]} is superfluous"


def possible(drawn: Drawn, facts: list[Fact]) -> bool:
    """Whether something meets the facts alone; pins and bans stand."""
    candidates, copies = [], {}
    for group in drawn.universe.candidates.values():
        for one in group:
            depends = tuple(fact.request for fact in facts if isinstance(fact, Depends) and fact.candidate is one)
            conflicts = tuple(fact.request for fact in facts if isinstance(fact, Conflicts) and fact.candidate is one)
            copies[one] = Candidate(one.package, one.version, depends, conflicts, one.sha256, one.section)
            candidates.append(copies[one])
    wanted = tuple(fact for fact in facts if isinstance(fact, Wanted))
    universe = Universe.of(candidates)
    problem = Problem(universe, Goal(wanted, drawn.goal.pins, drawn.goal.forbidden))
    return Proof(problem).selection() is not None
