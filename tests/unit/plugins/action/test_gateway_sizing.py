# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as an operator gets them: values, a table, and one sentence for what does not hold."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.action.gateway_sizing import ActionModule

RESOURCES = {"cpu_count": 7, "memory_gb": 16, "nic_count": 2, "nic_gbit": 10, "disk_gb": 50}


@pytest.fixture
def task_vars() -> dict[str, Any]:
    sites = {"core": {"index": 0}, "lyon": {"index": 1, "connections": 600}, "oslo": {"index": 2}}
    hostvars = {
        "gw1": {"host_site": "lyon", "gateway_resources": RESOURCES},
        "gw2": {"host_site": "lyon", "gateway_resources": RESOURCES},
        "gw3": {"host_site": "oslo"},
    }
    for values in hostvars.values():
        values["estate_sites"] = sites
    return {"groups": {"gateways": ["gw1", "gw2", "gw3"]}, "hostvars": hostvars}


def printed(action: Any) -> str:
    return "\n".join(call.args[0] for call in action._display.display.call_args_list)


def test_a_site_that_holds(make_action: Any, task_vars: dict[str, Any]) -> None:
    action = make_action(ActionModule, sites=["lyon"])
    result = action.run(task_vars=task_vars)
    assert not result.get("failed") and result["changed"] is False
    (site,) = result["sites"]
    assert (site["site"], site["connections"], site["mean_mbit"], site["spare"]) == ("lyon", 600, 80.0, True)
    first = site["gateways"][0]
    assert (first["carries"], first["carries_without_one"], first["lacks"]) == (300, 600, [])
    assert first["needs"] == {
        "cpu_count": 5, "memory_gb": 12, "nic_count": 2, "nic_gbit": 1, "disk_gb": 50, "line_mbit": 320.0,
    }  # fmt: skip
    assert (first["capacity"], first["binding"]) == (900, "vCPU")
    text = printed(action)
    assert (
        "Site lyon: 600 connections, 80 Mbit/s on average and 320 at the peak; 2 gateways, one of them to spare" in text
    )
    assert "It holds with any one gateway away; gw1 then has room for 300 more connections, where vCPU binds." in text
    assert "oslo" not in text


def test_what_a_gateway_reports_counts(make_action: Any, task_vars: dict[str, Any]) -> None:
    sections = {"system": {"cpu_count": 2, "memory_total_bytes": 10_300_000_000}}
    task_vars["hostvars"]["gw2"]["reported"] = {"sections": sections}
    result = make_action(ActionModule).run(task_vars=task_vars)
    assert result["failed"]
    assert result["msg"] == (
        "Site lyon is too large for its gateways: gw2 would carry 300 of 600 connections, for which it needs 3 vCPU and "
        "has 2; give gw2 more, or the site another gateway."
    )
    assert result["sites"][0]["gateways"][1]["lacks"] == [
        "needs 5 vCPU and has 2",
        "needs 12 GB of memory and has 10.3",
    ]


def test_what_would_be(make_action: Any, task_vars: dict[str, Any]) -> None:
    result = make_action(ActionModule, connections={"lyon": 1000}).run(task_vars=task_vars)
    assert result["msg"] == (
        "Site lyon cannot do without gw2: gw1 would carry all 1000 connections, for which it needs 8 vCPU and has 7; "
        "give gw1 more, or the site another gateway."
    )
    assert [site["site"] for site in result["sites"]] == ["lyon", "oslo"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sites": ["lyn"]}, "Site lyn has no gateways to size; did you mean lyon?"),
        ({"connections": {"rome": 5}}, "Site rome, for which connections are given, is not in estate_sites."),
        ({"connections": {"lyon": -5}}, "Site lyon has connections -5; it lies between 0 and 1e+06."),
    ],
)
def test_questions_that_have_no_answer(
    make_action: Any, task_vars: dict[str, Any], options: dict[str, Any], sentence: str
) -> None:
    result = make_action(ActionModule, **options).run(task_vars=task_vars)
    assert (result["failed"], result["msg"]) == (True, sentence)


def test_an_inventory_without_gateways(make_action: Any, task_vars: dict[str, Any]) -> None:
    task_vars["groups"] = {}
    assert make_action(ActionModule).run(task_vars=task_vars)["msg"] == (
        "The inventory has no host in group gateways, so there is nothing to size."
    )
