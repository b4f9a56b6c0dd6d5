# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine could have: the order of candidates, what is installed among them, and bounds."""

from __future__ import annotations

import itertools

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._packages import universe as universes
from bocage_core._packages.universe import Candidate, Installed, Universe


def test_newest_first_then_the_best_fit_whatever_the_order_of_the_input() -> None:
    rows = [("1-0", 0, "a"), ("2-0", 1, "b"), ("2-0", 0, "d"), ("2-0", 0, "c")]
    for order in itertools.permutations(rows):
        found = Universe.of([Candidate.parse("x", row[0], rank=row[1], sha256=row[2] * 64) for row in order])
        assert [one.sha256[0] for one in found.candidates["x"]] == ["c", "d", "b", "a"]


def test_what_is_installed_is_a_candidate_once() -> None:
    offered = Candidate.parse("x", "1.0", sha256="a" * 64)
    for sha256, count in (("a" * 64, 1), ("", 1), ("b" * 64, 2)):
        here = Candidate.parse("x", "1", sha256=sha256)
        found = Universe.of([offered], [Installed(here)]).candidates["x"]
        assert here in found
        assert len(found) == count


def test_a_label_names_the_kind_of_what_stands_for_the_estate() -> None:
    assert str(Candidate.parse("lab", "3-0", section="unit")) == "unit:lab 3-0"
    assert str(Candidate.parse("editor", "1-0")) == "editor 1-0"


def test_mistakes_are_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"^The package 'x' cannot be used: The request 'b \(<1\)' cannot be used"):
        Candidate.parse("x", "1-0", "b (<1)")
    with pytest.raises(BadInput, match=r"The package 'x' cannot be used: The version '1\.y' cannot be used"):
        Candidate.parse("x", "1.y")
    twice = [Installed(Candidate.parse("x", "1-0")), Installed(Candidate.parse("x", "2-0"))]
    with pytest.raises(BadInput, match="x is recorded as installed twice; repair the agent's state"):
        Universe.of([], twice)
    monkeypatch.setattr(universes, "MAX_CANDIDATES", 1)
    with pytest.raises(BadInput, match="There are more than 1 packages; split the repository"):
        Universe.of([Candidate.parse("x", "1-0"), Candidate.parse("y", "1-0")])
