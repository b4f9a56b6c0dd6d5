# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of packets by their arithmetic, and one path after the other of a small estate."""

from __future__ import annotations

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._mesh import mtu
from bocage_core._mesh.peers import MeshPlanner
from demo_estate import demo
from random_estates import Written


def sizes(written: Written) -> dict[str, int]:
    """The MTU of each host's main interface."""
    estate = written.estate()
    planner = MeshPlanner(estate)
    return {
        name: mtu.SizePlanner(estate).interface(host, [peer.name for peer in planner.peers(name)])
        for name, host in estate.hosts.items()
    }


def between(written: Written, one: str, other: str) -> int:
    hosts = written.estate().hosts
    assert mtu.path_mtu(hosts[one], hosts[other]) == mtu.path_mtu(hosts[other], hosts[one])
    return mtu.path_mtu(hosts[one], hosts[other])


def test_the_tunnel_takes_60_bytes_over_ipv4_and_80_over_ipv6() -> None:
    assert between(demo(), "gw1", "hub1") == 1440
    assert between(demo(), "gw2", "hub1") == 1420
    assert mtu.outside(1420, 6) == 1500


def test_a_guest_has_what_the_design_says() -> None:
    assert mtu.segment_mtu([1440]) == 1370
    assert mtu.segment_mtu([1440, 1420]) == 1350
    assert mtu.segment_mtu([]) == 1350
    # on an underlay of 1400 bytes, too small for IPv6
    assert mtu.segment_mtu([1440, 1340]) == 1270


def test_a_segment_of_tcp_leaves_room_for_its_headers() -> None:
    assert mtu.largest_segment(1340, 4) == 1300
    assert mtu.largest_segment(1340, 6) == 1280


def test_the_lan_is_as_wide_as_it_is_declared_whatever_the_way_out() -> None:
    written = demo()
    written.sites["lyon"].update(underlay_mtu=1492, lan_mtu=9000)
    assert between(written, "gw1", "desk1") == 8940
    assert between(written, "gw1", "tele1") == 1432
    written.hosts["desk1"]["underlay_mtu"] = 1500
    assert between(written, "gw1", "desk1") == 1440


def test_the_value_of_a_host_replaces_that_of_its_site() -> None:
    written = demo()
    written.sites["remote"]["underlay_mtu"] = 1400
    assert between(written, "tele1", "hub1") == 1340
    written.hosts["tele1"]["underlay_mtu"] = 1492
    assert between(written, "tele1", "hub1") == 1432


def test_an_interface_carries_what_its_narrowest_path_does() -> None:
    written = demo()
    assert sizes(written) == {"hub1": 1420, "gw1": 1440, "gw2": 1420, "desk1": 1440, "tele1": 1440, "other1": 1440}
    written.hosts["tele1"]["underlay_mtu"] = 1400
    # desk1 has no path of its own to tele1 and stays as it was
    assert sizes(written) == {"hub1": 1340, "gw1": 1340, "gw2": 1320, "desk1": 1440, "tele1": 1340, "other1": 1440}


def test_a_link_carries_what_its_one_path_does() -> None:
    written = demo()
    written.hosts["tele1"]["underlay_mtu"] = 1400
    estate = written.estate()
    planned = mtu.SizePlanner(estate).host("tele1", MeshPlanner(estate).host("tele1"))
    assert [(link["peers"][0]["name"], link["mtu"]) for link in planned["links"]] == [("gw1", 1340), ("gw2", 1320)]
    assert [(one["peer"], one["mtu"]) for one in planned["paths"]] == [("gw1", 1340), ("gw2", 1320), ("hub1", 1340)]


def test_an_interface_without_peers_fits_either_version() -> None:
    estate = demo().estate()
    assert mtu.SizePlanner(estate).interface(estate.hosts["tele1"], []) == 1420


def test_hosts_that_are_placed_alike_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = demo()
    for index in range(50, 100):
        written.add(f"tele{index}", "remote", ["hypervisors"], underlay_mtu=1500)
    asked: list[str] = []
    real = mtu.path_mtu
    monkeypatch.setattr(mtu, "path_mtu", lambda host, other: asked.append(other.name) or real(host, other))
    estate = written.estate()
    assert mtu.SizePlanner(estate).interface(estate.hosts["hub1"], [f"tele{index}" for index in range(50, 100)]) == 1440
    assert len(asked) == 1


def test_a_path_too_narrow_for_ipv6_is_refused() -> None:
    written = demo()
    written.hosts["tele1"]["underlay_mtu"] = 1350
    with pytest.raises(BadInput) as error:
        between(written, "tele1", "gw2")
    assert str(error.value) == (
        "The path between tele1 and gw2 carries 1350 bytes over IPv6, which leaves 1270 in the tunnel, and IPv6 needs "
        "1280 (RFC 8200); correct underlay_mtu or lan_mtu, or take a wider way."
    )


def test_a_plan_has_the_size_of_each_interface_and_of_each_path() -> None:
    estate = demo().estate()
    mesh = {
        "addresses": [],
        "peers": [{"name": "hub1"}, {"name": "desk1"}],
        "links": [{"name": "bocage0-1-2", "peers": [{"name": "gw2"}]}],
    }
    planned = mtu.SizePlanner(estate).host("gw1", mesh)
    assert planned == {
        **mesh,
        "mtu": 1440,
        "links": [{"name": "bocage0-1-2", "peers": [{"name": "gw2"}], "mtu": 1440}],
        "paths": [
            {"peer": "desk1", "address": estate.hosts["desk1"].address6, "mtu": 1440},
            {"peer": "gw2", "address": estate.hosts["gw2"].address6, "mtu": 1440},
            {"peer": "hub1", "address": estate.hosts["hub1"].address6, "mtu": 1440},
        ],
    }
    assert "mtu" not in mesh
    assert mtu.SizePlanner(estate).host("tele1", mesh)["mtu"] == 1440
    assert mtu.SizePlanner(estate).host("tele1", mesh)["links"][0]["mtu"] == 1420


def test_every_plan_of_an_estate_has_sizes() -> None:
    estate = demo().estate()
    planner = MeshPlanner(estate)
    for name in estate.hosts:
        planned = mtu.SizePlanner(estate).host(name, planner.host(name))
        assert {path["peer"] for path in planned["paths"]} >= {peer["name"] for peer in planned["peers"]}
        assert planned["mtu"] <= 1440
