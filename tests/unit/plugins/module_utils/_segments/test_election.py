# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The election in a world where time, losses and faults are the test's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bocage_core._segments.election import Election, Fitness, Message, Times
from hypothesis import given, settings
from hypothesis import strategies as st

TIMES = Times()
BEAT = TIMES.beat


class World:
    """Gateways of one segment. ``heard(from, to)`` says whether a beat arrives."""

    def __init__(self, count: int = 2) -> None:
        self.now = 0.0
        self.gateways = [Election(f"gw{rank}", rank, 0.0, TIMES) for rank in range(count)]
        self.fitness = [Fitness.FIT] * count
        self.dead: set[int] = set()
        self.heard: Callable[[int, int], bool] = lambda _one, _other: True
        self.most_active = 0

    def run(self, seconds: float) -> None:
        for _beat in range(round(seconds / BEAT)):
            self.now += BEAT
            for place, gateway in enumerate(self.gateways):
                if place not in self.dead:
                    gateway.tick(self.now, self.fitness[place])
                    self.tell(place, gateway.message())
            self.most_active = max(self.most_active, len(self.active))

    def tell(self, place: int, message: Message) -> None:
        for other, gateway in enumerate(self.gateways):
            if other not in (place, *self.dead) and self.heard(place, other):
                gateway.hear(self.now, message)

    def restart(self, place: int) -> None:
        self.dead.discard(place)
        self.gateways[place] = Election(f"gw{place}", place, self.now, TIMES)

    @property
    def active(self) -> list[int]:
        return [place for place, one in enumerate(self.gateways) if one.active and place not in self.dead]


@pytest.fixture
def world() -> World:
    world = World()
    world.run(2)
    assert world.active == [0]
    return world


def test_nobody_is_active_before_all_could_speak() -> None:
    world = World(3)
    world.run(TIMES.dead)
    assert world.active == []
    world.run(1)
    assert (world.active, world.most_active) == ([0], 1)


def test_the_next_one_takes_over_from_the_dead(world: World) -> None:
    world.dead.add(0)
    world.run(TIMES.dead + 2 * BEAT)
    assert (world.active, world.most_active) == ([1], 1)


def test_whoever_comes_back_waits(world: World) -> None:
    world.dead.add(0)
    world.run(1)
    world.restart(0)
    world.run(5)
    assert (world.active, world.most_active) == ([1], 1)


def test_whoever_resigns_is_followed_at_once(world: World) -> None:
    world.tell(0, world.gateways[0].resign())
    world.fitness[0] = Fitness.UNFIT
    world.run(BEAT)
    assert world.active == [1]


@pytest.mark.parametrize("fitness", [Fitness.DEAF, Fitness.UNFIT, Fitness.DRAINED])
def test_a_fit_one_takes_the_place_of_another(world: World, fitness: Fitness) -> None:
    world.fitness[0] = fitness
    world.run(3 * BEAT)
    assert (world.active, world.most_active) == ([1], 1)
    world.fitness[0] = Fitness.FIT
    world.run(3)
    assert world.active == [1]


def test_the_last_one_stays_even_if_nobody_answers_it(world: World) -> None:
    world.fitness = [Fitness.UNFIT, Fitness.UNFIT]
    world.run(10)
    assert (world.active, world.most_active) == ([0], 1)
    world.dead.add(0)
    world.run(TIMES.dead + 2 * BEAT)
    assert world.active == []
    world.run(TIMES.doubt)
    assert world.active == [1]


def test_one_that_is_deaf_never_serves(world: World) -> None:
    world.fitness = [Fitness.DEAF, Fitness.DEAF]
    world.run(20)
    assert world.active == []


def test_of_two_that_were_apart_the_later_elected_stays(world: World) -> None:
    world.heard = lambda _one, _other: False
    world.run(3)
    assert world.active == [0, 1]
    world.heard = lambda _one, _other: True
    world.run(2 * BEAT)
    assert world.active == [1]


def test_of_two_equal_ones_the_preferred_stays() -> None:
    world = World()
    world.heard = lambda _one, _other: False
    world.run(2)
    assert [one.term for one in world.gateways] == [1, 1]
    world.heard = lambda _one, _other: True
    world.run(2 * BEAT)
    assert world.active == [0]


@pytest.mark.parametrize("silent", [0, 1])
def test_one_direction_is_enough_to_end_with_one(world: World, silent: int) -> None:
    world.heard = lambda one, _other: one != silent
    world.run(5)
    assert len(world.active) == 1


def test_whoever_slept_listens_first(world: World) -> None:
    world.dead.add(0)
    world.run(2)
    # its process was held up, not dead: it still takes itself for the active one
    assert world.gateways[0].active
    world.dead.clear()
    world.run(BEAT)
    assert world.active == [1]
    world.run(3)
    assert world.active == [1]


def test_its_own_words_are_no_peer() -> None:
    election = Election("gw0", 0, 0.0)
    election.hear(0.1, Message("gw0", True, Fitness.FIT, 9, 0))
    assert election.peers() == {}


faults = st.lists(
    st.tuples(
        st.sampled_from(["kill", "start", "unfit", "deaf", "drain", "fit", "deaf_way", "open_way"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.integers(1, 30),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(faults)
def test_whatever_happened_it_ends_with_one(steps: list[tuple[str, int, int, int]]) -> None:
    """After all faults are over, exactly one gateway serves, and it goes on."""
    world = World(3)
    deaf_ways: set[tuple[int, int]] = set()
    world.heard = lambda one, other: (one, other) not in deaf_ways
    for what, one, other, beats in steps:
        if what == "kill":
            world.dead.add(one)
        elif what == "start" and one in world.dead:
            world.restart(one)
        elif what in ("unfit", "deaf", "fit"):
            world.fitness[one] = Fitness[what.upper()]
        elif what == "drain":
            world.fitness[one] = Fitness.DRAINED
        elif what == "deaf_way":
            deaf_ways.add((one, other))
        elif what == "open_way":
            deaf_ways.discard((one, other))
        world.run(beats * BEAT)
    deaf_ways.clear()
    world.fitness = [Fitness.FIT] * 3
    for place in sorted(world.dead):
        world.restart(place)
    world.run(2)
    (active,) = world.active
    world.most_active = 0
    world.run(5)
    assert (world.active, world.most_active) == ([active], 1)


@settings(deadline=None)
@given(faults)
def test_while_all_hear_each_other_no_two_are_active(steps: list[tuple[str, int, int, int]]) -> None:
    world = World(3)
    for what, one, _other, beats in steps:
        if what == "kill":
            world.dead.add(one)
        elif what == "start" and one in world.dead:
            world.restart(one)
        elif what in ("unfit", "deaf", "fit"):
            world.fitness[one] = Fitness[what.upper()]
        world.run(beats * BEAT)
    assert world.most_active <= 1
