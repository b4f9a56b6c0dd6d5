# SPDX-License-Identifier: GPL-3.0-or-later
"""When a gateway is too small, and when it is nearly full."""

from __future__ import annotations

from bocage_core._gateway.headroom import Verdict, judge
from bocage_core._gateway.sizing import Demand, Gateway, Resources, size_site

LARGE = Resources(cpu_count=9, memory_gb=16, nic_count=2, nic_gbit=10, disk_gb=50)


def verdict(connections: int, has: Resources = LARGE, percent: int = 20, **section: int) -> Verdict:
    demand = Demand("lyon", connections, headroom_percent=percent, spare=False)
    (sized,) = size_site(demand, [Gateway("gw1", has)]).gateways
    return judge(demand, sized, section)


def test_room_is_enough_up_to_the_last_connection_of_it() -> None:
    assert verdict(960) == Verdict()
    assert verdict(961).low == ("Less than 20 % of gw1 is to spare: 961 of 1200 connections, where limit binds.",)
    assert verdict(1200, percent=0) == Verdict()


def test_one_that_is_too_small_is_told_of_once() -> None:
    small = verdict(451, Resources(cpu_count=4, memory_gb=9).over(LARGE), conntrack_count=9, conntrack_max=10)
    assert small.low == ()
    assert small.undersized == (
        "For 451 connections gw1 needs 5 vCPU and has 4.",
        "For 451 connections gw1 needs 12 GB of memory and has 9.",
    )


def test_what_is_there_counts_where_it_is_more_than_what_was_asked() -> None:
    assert verdict(0, clients=960) == Verdict()
    assert verdict(0, clients=1201).undersized == (
        "For 1201 clients gw1 needs room for 1201 connections and has 1200.",
    )


def test_the_table_of_flows() -> None:
    assert verdict(0, conntrack_count=80, conntrack_max=100) == Verdict()
    assert verdict(0, conntrack_count=81, conntrack_max=100).low == (
        "Less than 20 % of the table of flows of gw1 is to spare: 81 of 100.",
    )
