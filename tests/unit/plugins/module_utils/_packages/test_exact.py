# SPDX-License-Identifier: GPL-3.0-or-later
"""The search that learns, against trying everything."""

from __future__ import annotations

import itertools

from bocage_core._packages.exact import Exact
from hypothesis import given, settings
from hypothesis import strategies as st

VARIABLES = 6
LITERALS = st.integers(1, VARIABLES).flatmap(lambda variable: st.sampled_from([variable, -variable]))
CLAUSES = st.lists(st.lists(LITERALS, min_size=1, max_size=3, unique_by=abs), min_size=1, max_size=40)


def holds(clauses: list[list[int]], values: tuple[bool, ...]) -> bool:
    return all(any(values[abs(literal) - 1] == (literal > 0) for literal in clause) for clause in clauses)


def possible(clauses: list[list[int]], assumed: list[int] = []) -> bool:  # noqa: B006 read only
    everything = itertools.product([False, True], repeat=VARIABLES)
    return any(holds([*clauses, *([literal] for literal in assumed)], values) for values in everything)


def made(clauses: list[list[int]]) -> Exact:
    exact = Exact(VARIABLES)
    for place, clause in enumerate(clauses):
        exact.add(clause, ("clause", place))
    return exact


def chooser(exact: Exact):  # type: ignore[no-untyped-def]
    return lambda: next((-one for one in range(1, VARIABLES + 1) if not exact.value[one]), 0)


@settings(max_examples=60, deadline=None)
@given(CLAUSES, st.lists(LITERALS, max_size=3, unique_by=abs))
def test_it_decides_as_trying_everything_does(clauses: list[list[int]], assumed: list[int]) -> None:
    exact = made(clauses)
    # under assumptions first: what is learned there must not spoil what follows
    assert exact.solve(chooser(exact), assumed) == possible(clauses, assumed)
    found = exact.solve(chooser(exact))
    assert found == possible(clauses)
    if found:
        assert holds(clauses, tuple(exact.value[one] > 0 for one in range(1, VARIABLES + 1)))
    else:
        core = [clauses[place] for _, place in exact.core()]  # type: ignore[misc]
        assert not possible(core)


def test_what_is_learned_is_told_by_what_it_follows_from() -> None:
    exact = made([[1, 2], [1, -2], [-1, 3], [-1, -3], [4, 5]])
    assert not exact.solve(chooser(exact))
    assert sorted(exact.core()) == [("clause", place) for place in range(4)]  # type: ignore[type-var]
