# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from bocage_core._mesh.names import plan_names
from bocage_core._mesh.proofs import plan_outsider_probes, plan_probes
from demo_estate import demo
from random_estates import key_of


def test_a_host_asks_its_home_hub_and_keeps_no_records() -> None:
    assert plan_names(demo().estate(), "tele1") == {
        "domain": "random.internal",
        "servers": ["fd7b:4c1e:90a2::1"],
        "records": [],
    }


def test_a_hub_serves_hosts_and_declared_names_in_both_families() -> None:
    plan = plan_names(demo().estate(), "hub1")
    assert plan["servers"] == ["fd7b:4c1e:90a2::1"]
    assert {"name": "tele1.random.internal", "address": "198.19.2.1"} in plan["records"]
    assert {"name": "tele1.random.internal", "address": "fd7b:4c1e:90a2:2::1"} in plan["records"]
    assert {"name": "erp1.lyon.random.internal", "address": "2001:db8:2::20"} in plan["records"]
    assert plan["records"] == sorted(plan["records"], key=lambda record: (record["name"], record["address"]))


def test_a_site_asks_the_hub_that_it_names() -> None:
    written = demo()
    written.add("hub2", "core", ["hubs"], mesh_endpoint="192.0.2.11", public_key=key_of("hub2"))
    written.sites["remote"]["hub"] = "hub2"
    assert plan_names(written.estate(), "tele1")["servers"] == ["fd7b:4c1e:90a2::2"]
    assert plan_names(written.estate(), "desk1")["servers"] == ["fd7b:4c1e:90a2::1"]


def test_each_pair_is_probed_in_both_families_and_strangers_must_not_answer() -> None:
    pages = [
        {"from": "tele1", "url": "http://erp1.lyon.random.internal/", "contains": "Business server"},
        {"from": "desk1", "url": "http://198.18.1.20/", "contains": "x"},
    ]
    probes = plan_probes(demo().estate(), "tele1", pages)
    pings = {probe.target: probe.reach for probe in probes if probe.kind == "ping"}
    assert pings == {
        "fd7b:4c1e:90a2:1::3": True,
        "198.19.1.3": True,
        "fd7b:4c1e:90a2:1::1": True,
        "198.19.1.1": True,
        "fd7b:4c1e:90a2:1::2": True,
        "198.19.1.2": True,
        "fd7b:4c1e:90a2::1": True,
        "fd7b:4c1e:90a2:3::1": False,
    }
    resolved = {probe.target: probe.expect for probe in probes if probe.kind == "resolve"}
    assert resolved["gw1.random.internal"] == ("fd7b:4c1e:90a2:1::1", "198.19.1.1")
    assert resolved["erp1.lyon.random.internal"] == ("198.18.1.20", "2001:db8:2::20")
    assert "other1.random.internal" not in resolved
    opened = [probe.to_dict() for probe in probes if probe.kind == "page"]
    assert opened == [
        {
            "proof": "pages",
            "kind": "page",
            "target": "http://erp1.lyon.random.internal/",
            "reach": True,
            "about": "tele1 opens http://erp1.lyon.random.internal/",
            "expect": ["Business server"],
        }
    ]


def test_ipv4_is_probed_where_both_ends_have_it() -> None:
    targets = [probe.target for probe in plan_probes(demo().estate(), "hub1", [])]
    assert "fd7b:4c1e:90a2:2::1" in targets
    assert "198.19.2.1" not in targets


def test_hosts_that_are_not_enrolled_are_not_probed() -> None:
    written = demo()
    written.hosts["gw2"]["public_key"] = None
    assert not [probe for probe in plan_probes(written.estate(), "tele1", []) if "gw2" in probe.about]


def test_an_outsider_must_reach_no_address_of_the_overlay() -> None:
    estate = demo().estate()
    probes = plan_outsider_probes(estate, "erp1")
    assert {probe.target for probe in probes} == {
        address.split("/")[0] for host in estate.hosts.values() for address in host.allowed_ips
    }
    assert {(probe.proof, probe.kind, probe.reach) for probe in probes} == {("outsiders", "ping", False)}
    assert probes[0].about == "erp1 -> desk1"
