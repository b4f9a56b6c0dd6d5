# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is an end of which segment."""

from __future__ import annotations

from typing import Any

from bocage_core._mesh.segments import SegmentPlanner, probe_of, ranked
from demo_estate import demo
from hypothesis import given
from hypothesis import strategies as st
from random_estates import Written

ADDRESS = {
    "hub1": "fd7b:4c1e:90a2::1",
    "gw1": "fd7b:4c1e:90a2:1::1",
    "gw2": "fd7b:4c1e:90a2:1::2",
    "desk1": "fd7b:4c1e:90a2:1::3",
    "tele1": "fd7b:4c1e:90a2:2::1",
}


def written(**segment: Any) -> Written:
    estate = demo()
    estate.sites["lyon"]["segments"] = {"office": {"id": 1001, **segment}}
    return estate


def plans(estate: Written) -> dict[str, list[dict[str, Any]]]:
    planner = SegmentPlanner(estate.estate(), lambda _name: 1420)
    return {name: planner.host(name) for name in estate.hosts}


def test_hypervisors_off_the_lan_and_all_gateways_take_part() -> None:
    found = plans(written())
    assert {name for name, segments in found.items() if segments} == {"gw1", "gw2", "tele1"}
    (home,) = found["tele1"]
    assert (home["kind"], home["bridge"], home["port"]) == ("hypervisor", "seg1001", "vx1001")
    assert home["local"] == ADDRESS["tele1"]
    assert home["ends"] == [ADDRESS["gw1"], ADDRESS["gw2"]]
    assert home["mtu"] == 1350


def test_hosts_that_are_named_take_part_also_from_the_lan() -> None:
    found = plans(written(hosts=["desk1"]))
    assert {name for name, segments in found.items() if segments} == {"gw1", "gw2", "desk1"}


def test_no_gateway_floods_to_a_gateway() -> None:
    found = plans(written())
    gateways = [found["gw1"][0], found["gw2"][0]]
    assert [one["ends"] for one in gateways] == [[ADDRESS["tele1"]], [ADDRESS["tele1"]]]
    assert sorted(one["rank"] for one in gateways) == [0, 1]
    assert found["gw1"][0]["peers"] == {"gw2": ADDRESS["gw2"]}
    assert found["gw1"][0]["overlay_targets"] == [ADDRESS["hub1"], ADDRESS["tele1"]]
    assert found["gw1"][0]["largest_tcp"] == {"ip": 1310, "ip6": 1290}
    # the kernel says what is too large only to what the port took
    assert found["gw1"][0]["port_mtu"] == 1500


def test_who_is_not_enrolled_takes_no_part() -> None:
    estate = written()
    estate.hosts["gw2"]["public_key"] = None
    found = plans(estate)
    assert found["gw2"] == []
    assert found["tele1"][0]["ends"] == [ADDRESS["gw1"]]


def test_the_segment_is_as_wide_as_its_narrowest_host() -> None:
    estate = written()
    planner = SegmentPlanner(estate.estate(), lambda name: 1340 if name == "tele1" else 1420)
    assert [planner.host(name)[0]["mtu"] for name in ("gw1", "gw2", "tele1")] == [1270, 1270, 1270]


def test_ports_by_which_a_class_knows_its_packets_go_along() -> None:
    estate = written()
    classes = [
        {"name": "voice", "percent": 30, "dscp": ["ef", "va"], "ports": ["udp/16384-32767"]},
        # without a DSCP there is nothing to bear outside
        {"name": "games", "percent": 10, "ports": ["udp/5000"]},
        {"name": "screens", "percent": 30, "dscp": ["af41"]},
        {"name": "bulk", "percent": 30},
    ]
    estate.hosts["tele1"]["voice_classes"] = classes
    found = plans(estate)
    assert found["tele1"][0]["marked_ports"] == [{"dscp": "ef", "ports": ["udp/16384-32767"]}]
    assert "marked_ports" not in found["gw1"][0]


def test_a_drill_is_told_how_to_plug_a_machine_in() -> None:
    assert probe_of(plans(written())["tele1"][0]) == {
        "namespace": "guest1001",
        "bridge": "seg1001",
        "outside": "gst1001",
        "inside": "eth0",
        "mtu": "1350",
    }


@given(st.integers(1, 6), st.sets(st.integers(0, 7)))
def test_flood_lists_hold_no_circle_and_agree(hypervisors: int, gone: set[int]) -> None:
    """Two gateways never send to each other, and of two other ends each sends to the other."""
    estate = written()
    for number in range(hypervisors):
        estate.add(f"home{number}", "remote", ["hypervisors"], public_key=None if number in gone else f"key{number}")
    found = {name: segments[0] for name, segments in plans(estate).items() if segments}
    by_address = {one["local"]: one for one in found.values()}
    for one in found.values():
        assert one["local"] not in one["ends"]
        for end in one["ends"]:
            assert one["local"] in by_address[end]["ends"]
            assert "hypervisor" in (one["kind"], by_address[end]["kind"])


def test_segments_prefer_different_gateways() -> None:
    hosts = written().estate().gateways_by_site["lyon"]
    first = {ranked(hosts, f"segment{number}")[0].name for number in range(20)}
    assert first == {"gw1", "gw2"}
