# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions begin again: those whose path is dead while they stand, after a while, and ever more rarely."""

from __future__ import annotations

import itertools

from bocage_core._gateway.half_sessions import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    PATIENCE_SECONDS,
    Half,
    judge,
)
from hypothesis import given
from hypothesis import strategies as st

GATEWAY, OTHER = "fd7b::1", "fd7b::2"
STEP = 2.0


def looks(rounds: list[tuple[dict[str, bool], set[str]]], step: float = STEP) -> list[tuple[float, str]]:
    """When which session began again, over looks at the paths and sessions of that moment."""
    known: dict[str, Half] = {}
    begun = []
    for number, (paths, established) in enumerate(rounds):
        again, known = judge([GATEWAY, OTHER], paths, established, known, number * step)
        begun += [(number * step, address) for address in again]
    return begun


HALF = ({GATEWAY: False, OTHER: True}, {GATEWAY, OTHER})
WELL = ({GATEWAY: True, OTHER: True}, {GATEWAY, OTHER})
AWAY = ({GATEWAY: False, OTHER: True}, {OTHER})


def test_a_session_that_stands_on_a_dead_path_begins_again_after_a_while() -> None:
    assert looks([WELL, *[HALF] * 6]) == [(STEP + PATIENCE_SECONDS, GATEWAY)]


def test_what_both_ends_agree_about_is_left_alone() -> None:
    assert looks([WELL] * 100) == []
    assert looks([AWAY] * 100) == [], "a gateway that is away has no session either"
    assert looks([({OTHER: True}, {GATEWAY, OTHER})] * 100) == [], "BFD watches no such path"


def test_a_path_that_is_late_is_waited_for() -> None:
    assert looks([AWAY, *[HALF] * 5, *[WELL] * 20]) == []
    assert looks([*[HALF] * 5, AWAY, *[HALF] * 5, WELL] * 3) == [], "a session that was begun anew counts from then"


def test_a_path_that_stays_dead_is_begun_ever_more_rarely() -> None:
    begun = [when for when, _address in looks([HALF] * 2000)]
    pauses = [after - before for before, after in itertools.pairwise(begun)]
    assert pauses[0] >= FIRST_PAUSE_SECONDS
    assert pauses == sorted(pauses)
    assert LONGEST_PAUSE_SECONDS <= pauses[-1] <= LONGEST_PAUSE_SECONDS + STEP
    assert len(begun) < 15


def test_once_it_lives_it_is_as_if_nothing_had_been() -> None:
    begun = looks([*[HALF] * 6, WELL, *[HALF] * 6])
    assert [when for when, _address in begun] == [10.0, 24.0]


@given(st.lists(st.tuples(st.fixed_dictionaries({GATEWAY: st.booleans()}), st.sets(st.just(GATEWAY))), max_size=80))
def test_nothing_begins_again_that_did_not_stand_dead_for_so_long(
    rounds: list[tuple[dict[str, bool], set[str]]],
) -> None:
    for when, address in looks(rounds):
        last = int(when / STEP)
        before = rounds[last - int(PATIENCE_SECONDS / STEP) : last + 1]
        assert all(paths[address] is False and address in established for paths, established in before)
