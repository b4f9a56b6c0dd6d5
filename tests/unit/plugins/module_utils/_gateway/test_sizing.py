# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's table, the model of the traffic, and what a site says when it does not hold."""

from __future__ import annotations

import math
from typing import Any

import pytest
from bocage_core._gateway.sizing import (
    MEAN_MBIT,
    Demand,
    Gateway,
    Need,
    Resources,
    capacity,
    lacks,
    need,
    size_site,
    without,
)
from hypothesis import given
from hypothesis import strategies as st

LARGE = Resources(cpu_count=9, memory_gb=16, nic_count=2, nic_gbit=10, disk_gb=50)
MIDDLE = Resources(cpu_count=6, memory_gb=13, nic_count=2, nic_gbit=1, disk_gb=50)


@pytest.mark.parametrize(
    ("connections", "row"),
    [
        (0, (1, 8, 1)),
        (1, (2, 9, 1)),
        (150, (2, 9, 1)),
        (151, (3, 10, 1)),
        (600, (5, 12, 1)),
        (601, (6, 13, 10)),
        (1200, (9, 16, 10)),
    ],
)
def test_the_rows_of_the_table(connections: int, row: tuple[int, int, int]) -> None:
    found = need(connections)
    assert (found.cpu_count, found.memory_gb, found.nic_gbit) == row
    assert (found.nic_count, found.disk_gb) == (2, 50)


def test_the_traffic_of_the_most_connections_is_that_of_the_design() -> None:
    assert pytest.approx(160) == 1200 * MEAN_MBIT
    assert need(1200, 1).line_mbit == pytest.approx(160)
    assert need(1200, 5).line_mbit == pytest.approx(800)


@pytest.mark.parametrize(
    ("change", "most", "binding"),
    [
        ({}, 1200, "limit"),
        ({"cpu_count": 4}, 450, "vCPU"),
        ({"memory_gb": 9.4}, 150, "memory"),
        ({"memory_gb": 7.8}, 0, "memory"),
        ({"nic_gbit": 1}, 600, "network"),
        ({"nic_count": 1}, 0, "network"),
        ({"disk_gb": 40}, 0, "disk"),
        ({"uplink_mbit": 100}, 187, "traffic"),
        # the line of a small interface is wider than what the table allows it
        ({"nic_gbit": 1, "uplink_mbit": 2000}, 600, "network"),
    ],
)
def test_the_resource_that_binds(change: dict[str, Any], most: int, binding: str) -> None:
    found = capacity(Resources(**change).over(LARGE))
    assert (found.connections, found.binding) == (most, binding)


def test_what_is_not_known_is_enough() -> None:
    assert (capacity(Resources()).connections, capacity(Resources()).binding) == (1200, "limit")
    assert [one.resource for one in lacks(Resources(), 1201)] == ["limit"]


def test_the_wish_for_a_peak_narrows_the_line() -> None:
    line = Resources(uplink_mbit=100).over(LARGE)
    assert capacity(line, 1).connections == 750
    assert capacity(line, 10).connections == 75


def two(first: Resources, second: Resources, connections: int, **more: Any) -> str | None:
    demand = Demand("lyon", connections, **more)
    return size_site(demand, [Gateway("gw1", first), Gateway("gw2", second)]).problem


def test_a_site_that_holds_says_nothing() -> None:
    sized = size_site(Demand("lyon", 900), [Gateway("gw1", LARGE), Gateway("gw2", LARGE)])
    assert (sized.problem, sized.spare, sized.gateways_needed) == (None, True, 2)
    assert [(one.share, one.most, one.lacks) for one in sized.gateways] == [(450, 900, ())] * 2
    assert isinstance(sized.gateways[0].need, Need)


PROBLEMS: list[tuple[list[Resources], dict[str, Any], str]] = [
    (
        [LARGE, MIDDLE],
        {"connections": 900},
        "Site lyon cannot do without gw1: gw2 would carry all 900 connections, for which it needs 10 Gbit/s on each "
        "interface and has 1; give gw2 more, or the site another gateway.",
    ),
    (
        [MIDDLE, LARGE, LARGE],
        {"connections": 1300},
        "Site lyon cannot do without gw2: gw1 would carry 650 of 1300 connections, for which it needs 10 Gbit/s on each "
        "interface and has 1; give gw1 more, or the site another gateway.",
    ),
    (
        [LARGE, LARGE],
        {"connections": 2000},
        "Site lyon cannot do without gw2: gw1 would carry all 2000 connections, and a gateway carries at most 1200; "
        "give the site another gateway.",
    ),
    (
        [LARGE, LARGE],
        {"connections": 2401, "spare": False},
        "Site lyon is too large for its gateways: gw1 would carry 1201 of 2401 connections, and a gateway carries at "
        "most 1200; give the site another gateway.",
    ),
    (
        [Resources(cpu_count=2).over(LARGE)],
        {"connections": 151},
        "Site lyon is too large for its gateways: gw1 would carry all 151 connections, for which it needs 3 vCPU and "
        "has 2; give gw1 more, or the site another gateway.",
    ),
    (
        [Resources(memory_gb=8.2).over(LARGE)],
        {"connections": 1},
        "Site lyon is too large for its gateways: gw1 would carry all 1 connections, for which it needs 9 GB of memory "
        "and has 8.2; give gw1 more, or the site another gateway.",
    ),
    (
        [Resources(uplink_mbit=50).over(LARGE)] * 2,
        {"connections": 150, "peak_to_mean": 3},
        "Site lyon cannot do without gw2: gw1 would carry all 150 connections, for which it needs 60 Mbit/s on its "
        "slowest line and has 50; give gw1 more, or the site another gateway.",
    ),
    (
        [LARGE],
        {"connections": 10, "spare": True},
        "Site lyon cannot do without gw1, its one gateway; add another one.",
    ),
    ([], {"connections": 10}, "Site lyon has no gateway for its 10 connections; add one."),
]


@pytest.mark.parametrize(("resources", "demand", "sentence"), PROBLEMS, ids=[one[2][10:60] for one in PROBLEMS])
def test_why_a_site_does_not_hold(resources: list[Resources], demand: dict[str, Any], sentence: str) -> None:
    gateways = [Gateway(f"gw{number}", one) for number, one in enumerate(resources, start=1)]
    assert size_site(Demand("lyon", **demand), gateways).problem == sentence


def test_a_site_may_say_that_it_wants_no_spare() -> None:
    assert two(LARGE, MIDDLE, 900, spare=False) is None
    assert two(LARGE, LARGE, 1200, spare=True) is None


def test_what_the_rest_carries_when_some_are_away() -> None:
    gateways = [Gateway("gw1", LARGE), Gateway("gw2", MIDDLE), Gateway("gw3", LARGE)]
    demand = Demand("lyon", 900)
    assert without(demand, gateways, {"gw1"}) is None
    assert without(demand, gateways, {"gw1", "gw3"}) == (
        "Site lyon cannot do without gw1 and gw3: gw2 would carry all 900 connections, for which it needs 10 Gbit/s on "
        "each interface and has 1."
    )
    assert without(demand, gateways, {"gw1", "gw2", "gw3"}) == (
        "Site lyon would have no gateway left without gw1, gw2 and gw3."
    )


known = st.builds(
    Resources,
    cpu_count=st.none() | st.integers(1, 32),
    memory_gb=st.none() | st.floats(1, 64),
    nic_count=st.none() | st.integers(1, 4),
    nic_gbit=st.none() | st.sampled_from([0.1, 1, 2.5, 10, 25]),
    disk_gb=st.none() | st.floats(10, 100),
    uplink_mbit=st.none() | st.floats(1, 10000),
)


@given(known, st.floats(1, 50))
def test_a_capacity_is_the_last_that_lacks_nothing(has: Resources, peak: float) -> None:
    found = capacity(has, peak)
    assert 0 <= found.connections <= 1200
    assert not lacks(has, found.connections, peak) or found.connections == 0
    assert found.binding in {one.resource for one in lacks(has, found.connections + 1, peak)}


@given(st.lists(known, min_size=1, max_size=6), st.integers(0, 8000), st.none() | st.booleans())
def test_a_site_holds_exactly_when_it_holds_with_each_gateway_away(
    resources: list[Resources], connections: int, spare: bool | None
) -> None:
    gateways = [Gateway(f"gw{number}", one) for number, one in enumerate(resources)]
    demand = Demand("lyon", connections, spare=spare)
    sized = size_site(demand, gateways)
    share = math.ceil(connections / len(gateways))
    holds = not any(lacks(one.resources, share) for one in gateways)
    if sized.spare:
        holds = holds and not any(without(demand, gateways, {one.name}) for one in gateways)
    assert (sized.problem is None) == holds
