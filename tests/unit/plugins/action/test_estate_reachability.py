# SPDX-License-Identifier: GPL-3.0-or-later
"""The planned access of an estate, printed; and what a run would change, one line for all hosts that it is on."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.action.estate_reachability import ActionModule, change_lines


@pytest.fixture
def task_vars() -> dict[str, Any]:
    estate = {
        "estate_name": "demo",
        "estate_domain": "demo.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": {
            "core": {"index": 0},
            "lyon": {"index": 1, "tenant": "acme", "lan_prefixes": ["2001:db8:2::/64"]},
        },
    }
    hosts = {
        "hub1": {"host_site": "core", "host_index": 1, "mesh_endpoint": "192.0.2.1"},
        "gw1": {"host_site": "lyon", "host_index": 1, "mesh_endpoint": "192.0.2.2"},
    }
    return {
        "groups": {"managed": list(hosts), "hubs": ["hub1"], "gateways": ["gw1"]},
        "hostvars": {name: {**estate, **values} for name, values in hosts.items()},
    }


def said(action: Any) -> list[str]:
    return [call.args[0] for call in action._display.display.call_args_list]


def test_the_plan_is_printed(make_action: Any, task_vars: dict[str, Any]) -> None:
    action = make_action(ActionModule)
    result = action.run(task_vars=task_vars)
    assert said(action) == [
        "acme: the hosts of lyon (1) reach each other and hub hub1: ping and what each opens to the overlay",
        "acme: nobody reaches 2001:db8:2::/64 (the LAN of lyon), which has no enrolled gateway",
        "between tenants, and from a LAN into the overlay: nothing",
    ]
    assert (result["changed"], result["pairs"], result["tenants"][0]["tenant"]) == (False, [], "acme")
    assumed = make_action(ActionModule, assume_enrolled=True)
    assumed.run(task_vars=task_vars)
    assert "acme: all reach 2001:db8:2::/64 (the LAN of lyon) by gw1" in said(assumed)


def test_changes_are_told_once_for_all_hosts_that_they_are_on(make_action: Any, task_vars: dict[str, Any]) -> None:
    changes = {"gw2": ["acme lyon gain 2001:db8:2::/64"], "gw1": ["acme lyon gain 2001:db8:2::/64"], "desk1": []}
    action = make_action(ActionModule, changes=changes)
    action.run(task_vars=task_vars)
    assert said(action) == ["gw1 and gw2: acme lyon gain 2001:db8:2::/64"]
    assert change_lines({"gw1": []}) == [
        "the rules that are applied are those of the plan: nobody gains or loses access"
    ]


def test_pairs_are_told_for_a_proof(make_action: Any, task_vars: dict[str, Any]) -> None:
    machines = [
        {"name": "gw1", "addresses": ["fd7b:4c1e:90a2:1::1"]},
        {"name": "erp", "lan_of": "lyon", "addresses": []},
    ]
    pairs = make_action(ActionModule, machines=machines).run(task_vars=task_vars)["pairs"]
    assert pairs == [{"source": "erp", "target": "gw1", "address": "fd7b:4c1e:90a2:1::1", "reach": "nothing"}]
    failed = make_action(ActionModule, machines=[{"name": "erp", "addresses": []}]).run(task_vars=task_vars)
    assert failed["msg"] == "Machine erp is no managed host; say on the LAN of which site it is."
