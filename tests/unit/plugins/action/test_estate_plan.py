# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.action.estate_plan import ActionModule

ESTATE = {
    "estate_name": "demo",
    "estate_domain": "demo.internal",
    "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
    "estate_sites": {
        "core": {"index": 0},
        "lyon": {"index": 1, "tenant": "acme", "lan_prefixes": ["2001:db8:2::/64"]},
    },
}
HOSTS: dict[str, dict[str, Any]] = {
    "hub1": {"host_site": "core", "host_index": 1, "mesh_endpoint": "192.0.2.1"},
    "gw1": {"host_site": "lyon", "host_index": 1, "mesh_endpoint": "192.0.2.2"},
    "tele1": {"host_site": "lyon", "host_index": 2},
    "new1": {"host_site": "lyon", "host_index": 3},
}


@pytest.fixture
def task_vars() -> dict[str, Any]:
    hostvars = {name: {**ESTATE, **values} for name, values in HOSTS.items()}
    for name in ("hub1", "gw1", "tele1"):
        hostvars[name]["reported"] = {"enrolment": {"mesh_key": f"key of {name}"}}
    return {"groups": {"managed": list(HOSTS), "hubs": ["hub1"], "gateways": ["gw1"]}, "hostvars": hostvars}


def test_what_each_host_needs_is_planned(make_action: Any, task_vars: dict[str, Any]) -> None:
    result = make_action(ActionModule, hosts=["hub1", "gw1", "tele1"]).run(task_vars=task_vars)
    assert result["changed"] is False
    assert result["not_enrolled"] == ["new1"]
    assert (result["epoch"], result["rotation_phase"]) == (0, "none")
    assert list(result["hosts"]) == ["hub1", "gw1", "tele1"]
    parts = ["access", "classes", "mesh", "names", "routing", "segments", "takeover"]
    assert all(sorted(plan) == parts for plan in result["hosts"].values())
    plan = result["hosts"]["tele1"]
    assert [(peer["name"], peer["keepalive_seconds"]) for peer in plan["mesh"]["peers"]] == [("gw1", 25), ("hub1", 25)]
    assert plan["mesh"]["mtu"] == 1440
    assert [path["peer"] for path in plan["mesh"]["paths"]] == ["gw1", "hub1"]
    assert plan["names"]["servers"] == ["fd7b:4c1e:90a2::1"]
    assert result["hosts"]["gw1"]["access"]["exits"]["destinations"] == ["2001:db8:2::/64"]


def test_a_host_has_the_same_plan_whoever_is_limited(make_action: Any, task_vars: dict[str, Any]) -> None:
    whole = make_action(ActionModule, hosts=list(HOSTS)).run(task_vars=task_vars)["hosts"]
    alone = make_action(ActionModule, hosts=["tele1"]).run(task_vars=task_vars)["hosts"]
    assert set(alone) == {"tele1"}
    assert json.dumps(alone["tele1"]) == json.dumps(whole["tele1"])


def test_probes_are_planned_where_they_are_asked_for(make_action: Any, task_vars: dict[str, Any]) -> None:
    page = {"from": "tele1", "url": "http://erp1.lyon.demo.internal/", "contains": "x"}
    result = make_action(
        ActionModule, hosts=["tele1", "erp1"], parts=["probes"], pages=[page], outsiders=["erp1"]
    ).run(task_vars=task_vars)  # fmt: skip
    assert set(result["hosts"]) == {"tele1", "erp1"}
    assert set(result["hosts"]["tele1"]) == {"probes"}
    kinds = [probe["kind"] for probe in result["hosts"]["tele1"]["probes"]]
    assert sorted(set(kinds)) == ["page", "ping", "resolve"]
    assert {probe["reach"] for probe in result["hosts"]["erp1"]["probes"]} == {False}


def test_ports_that_listen_are_planned_where_they_are_asked_for(make_action: Any, task_vars: dict[str, Any]) -> None:
    result = make_action(ActionModule, hosts=["tele1"], parts=["listening"]).run(task_vars=task_vars)
    assert result["hosts"] == {"tele1": {"listening": [51820, 51821]}}


def test_pairs_that_hubs_relay_for_are_listed_where_they_are_asked_for(
    make_action: Any, task_vars: dict[str, Any]
) -> None:
    assert "relayed" not in make_action(ActionModule, hosts=[], parts=["mesh"]).run(task_vars=task_vars)
    task_vars["hostvars"]["new1"]["reported"] = {"enrolment": {"mesh_key": "key of new1"}}
    result = make_action(ActionModule, hosts=[], parts=["mesh"], relayed_pairs=5).run(task_vars=task_vars)
    assert result["relayed"] == {"count": 1, "pairs": [{"one": "new1", "other": "tele1", "hubs": ["hub1"]}]}


def test_the_interval_of_keepalive_is_handed_on(make_action: Any, task_vars: dict[str, Any]) -> None:
    result = make_action(ActionModule, hosts=["tele1"], keepalive_seconds=7).run(task_vars=task_vars)
    assert {peer["keepalive_seconds"] for peer in result["hosts"]["tele1"]["mesh"]["peers"]} == {7}


def test_an_estate_can_be_planned_before_anybody_is_enrolled(make_action: Any, task_vars: dict[str, Any]) -> None:
    for values in task_vars["hostvars"].values():
        values.pop("reported", None)
    bare = make_action(ActionModule, hosts=["tele1"]).run(task_vars=task_vars)
    assert (bare["hosts"]["tele1"]["mesh"]["peers"], bare["not_enrolled"]) == ([], sorted(HOSTS))
    assumed = make_action(ActionModule, hosts=["tele1"], assume_enrolled=True).run(task_vars=task_vars)
    assert [peer["name"] for peer in assumed["hosts"]["tele1"]["mesh"]["peers"]] == ["gw1", "hub1"]


def test_an_inventory_that_cannot_be_planned_is_one_sentence(make_action: Any, task_vars: dict[str, Any]) -> None:
    task_vars["hostvars"]["tele1"]["host_site"] = "rome"
    result = make_action(ActionModule, hosts=["hub1"]).run(task_vars=task_vars)
    assert result["failed"]
    assert result["msg"] == (
        "Host tele1 is on site 'rome', which estate_sites does not have; add the site or correct host_site."
    )


def test_a_key_of_two_hosts_is_refused(make_action: Any, task_vars: dict[str, Any]) -> None:
    task_vars["hostvars"]["new1"]["reported"] = {"enrolment": {"mesh_key": "key of tele1"}}
    result = make_action(ActionModule, hosts=["hub1"]).run(task_vars=task_vars)
    assert result["msg"].startswith("Hosts tele1 and new1 have the same mesh key;")
