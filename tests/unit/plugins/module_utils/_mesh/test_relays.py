# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs that have no tunnel between them, beside what packets do in the same plan."""

from __future__ import annotations

import itertools
from typing import Any

from bocage_core._mesh.peers import MeshPlanner
from bocage_core._mesh.relays import plan_relayed
from demo_estate import demo
from hypothesis import given, settings
from overlay_walk import Overlay
from random_estates import Written, estates, large_estate

EVERYTHING = 10**6


def relayed(written: Written, most: int = EVERYTHING) -> dict[str, Any]:
    estate = written.estate()
    return plan_relayed(estate, MeshPlanner(estate).host, most)


def test_a_desktop_and_a_teleworker_meet_at_the_hub() -> None:
    assert relayed(demo()) == {"count": 1, "pairs": [{"one": "desk1", "other": "tele1", "hubs": ["hub1"]}]}


def test_hosts_that_are_not_enrolled_or_of_another_tenant_are_no_pair() -> None:
    written = demo()
    del written.hosts["desk1"]["public_key"]
    assert relayed(written) == {"count": 0, "pairs": []}


def test_two_homes_are_two_relays() -> None:
    written = demo()
    written.add("hub2", "core", ["hubs"], mesh_endpoint="192.0.2.12", public_key="key of hub2")
    written.sites["remote"]["hub"] = "hub2"
    found = {(pair["one"], pair["other"]): pair["hubs"] for pair in relayed(written)["pairs"]}
    assert found["desk1", "tele1"] == ["hub1", "hub2"]
    assert found["hub1", "tele1"] == ["hub2"]


def test_of_many_pairs_the_first_are_listed_and_all_are_counted() -> None:
    written = large_estate(tenants=2, sites=12, hubs=2, hosts=300, seed=7)
    found = relayed(written, most=20)
    everything = relayed(written)
    assert found["count"] == everything["count"] == len(everything["pairs"]) > 1000
    assert found["pairs"] == everything["pairs"][:20]


@settings(max_examples=40, deadline=None)
@given(estates())
def test_packets_of_these_pairs_go_by_these_hubs_and_those_of_all_others_do_not(written: Written) -> None:
    overlay = Overlay(written.estate())
    found = plan_relayed(overlay.estate, overlay.plans.__getitem__, EVERYTHING)
    hubs = {(pair["one"], pair["other"]): pair["hubs"] for pair in found["pairs"]}
    assert found["count"] == len(hubs)
    for one, other in itertools.combinations(sorted(overlay.plans), 2):
        hosts = overlay.estate.hosts
        if overlay.estate.may_reach(hosts[one], hosts[other]):
            walk = overlay.walk(hosts[one].address6, one, hosts[other].address6)
            assert list(walk.path[1:-1]) == hubs.pop((one, other), [])
    assert not hubs
