# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From answers to the ability to serve."""

from __future__ import annotations

from bocage_core._segments.election import Fitness
from bocage_core._segments.fitness import Steadiness, Watch, fitness


def test_one_answer_of_several_is_enough_and_gets_old() -> None:
    watch = Watch(frozenset({"a", "b"}), 0.5)
    assert not watch.good(0.0)
    watch.answer(1.0, "a")
    watch.answer(1.0, "somebody else")
    assert watch.good(1.4)
    assert watch.answering(1.4) == {"a": True, "b": False}
    assert not watch.good(1.5)


def test_without_targets_there_is_nothing_to_go_by() -> None:
    assert Watch(frozenset(), 0.5).good(100.0)


def test_what_failed_counts_again_after_a_while() -> None:
    steady = Steadiness(5.0)
    assert steady.update(0.0, True)
    assert not steady.update(1.0, False)
    assert not steady.update(2.0, True)
    assert not steady.update(6.9, True)
    assert steady.update(7.0, True)
    assert not steady.update(7.1, False)


def test_what_has_not_worked_yet_need_not_prove_itself() -> None:
    steady = Steadiness(5.0)
    assert not steady.update(0.0, False)
    assert steady.update(1.0, True)


def test_all_ways_count() -> None:
    assert fitness(True, True, False, True) == Fitness.FIT
    assert fitness(True, True, True, True) == Fitness.DRAINED
    assert fitness(True, False, True, True) == Fitness.UNFIT
    assert fitness(False, True, False, True) == Fitness.UNFIT
    assert fitness(False, True, False, False) == Fitness.DEAF
    # a way that is good but not yet steady is heard
    assert fitness(False, True, False, True) == Fitness.UNFIT
