# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half: a change is confirmed over a new connection, or told as taken back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.bocage.fleet.plugins.action.nft_ruleset import ActionModule
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.ruleset import policy_from, render

MODULE = ActionModule.MODULE
OPTIONS: dict[str, Any] = {"management_prefixes": ["198.51.100.192/28"], "overlay_sources": ["fd7b::/48"]}
POLICY = {**OPTIONS, "mesh_interface": "bocage*", "mesh_ports": [51820]}
DIFF = {"before": "", "after": "table inet bocage"}
PLANNED = {"changed": True, "ruleset": "table inet bocage", "token": "", "diff": DIFF}
CHANGED = {"changed": True, "ruleset": "table inet bocage", "token": "0123", "diff": DIFF}


def test_a_change_is_confirmed_after_the_connection_was_reset(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(PLANNED, CHANGED, {"changed": True})
    action = make_action(ActionModule, remote, **OPTIONS)
    order: list[str] = []
    action._connection.reset.side_effect = lambda: order.append(f"reset after {len(remote.asked)}")
    result = action.run(task_vars={})
    assert order == ["reset after 2"]
    assert remote.asked == [
        {"module": MODULE, **OPTIONS, "phase": "plan"},
        {"module": MODULE, **OPTIONS, "phase": "apply"},
        {"module": MODULE, **OPTIONS, "phase": "confirm", "token": "0123"},
    ]
    assert (result["changed"], result["ruleset"]) == (True, "table inet bocage")
    assert "token" not in result and not result.get("failed")


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        ({"changed": False, "ruleset": "x", "token": ""}, {}),
        ({"failed": True, "msg": "nft refuses the planned ruleset", "changed": False}, {}),
    ],
)
def test_what_was_planned_is_no_change_to_confirm(
    make_action: Any, make_remote: Any, answer: dict[str, Any], options: dict[str, Any]
) -> None:
    remote = make_remote(answer)
    action = make_action(ActionModule, remote, **OPTIONS, **options)
    result = action.run(task_vars={})
    assert len(remote.asked) == 1
    action._connection.reset.assert_not_called()
    assert result["changed"] == answer["changed"]
    assert result.get("msg") == answer.get("msg")


@pytest.mark.parametrize(
    "error", [AnsibleConnectionFailure("Connection timed out"), AnsibleError("Connection timed out")]
)
@pytest.mark.parametrize("at", ["reset", "confirm"])
def test_a_host_that_lets_nobody_in_takes_the_change_back(
    make_action: Any, make_remote: Any, error: Exception, at: str
) -> None:
    remote = make_remote(PLANNED, CHANGED, error)
    action = make_action(ActionModule, remote, **OPTIONS, confirm_seconds="20")
    if at == "reset":
        action._connection.reset.side_effect = error
    result = action.run(task_vars={})
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == (
        "The new firewall rules let no new connection in, so the host takes them back 20 seconds after they were "
        "loaded; correct firewall_management_prefixes and run again. (Connection timed out)"
    )


def test_a_change_that_was_taken_back_meanwhile_is_a_failure(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(
        PLANNED, CHANGED, {"failed": True, "msg": "The firewall change was already taken back on this host"}
    )
    result = make_action(ActionModule, remote, **OPTIONS).run(task_vars={})
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == "The firewall change was already taken back on this host"


def test_the_halves_are_not_the_operators_to_choose(make_action: Any, make_remote: Any) -> None:
    remote = make_remote({"changed": False, "token": ""})
    make_action(ActionModule, remote, **OPTIONS, phase="confirm", token="x").run(task_vars={})
    assert remote.asked == [{"module": MODULE, **OPTIONS, "phase": "plan"}]


def test_without_seconds_nothing_is_confirmed(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(PLANNED, CHANGED)
    action = make_action(ActionModule, remote, **OPTIONS, confirm_seconds=0)
    assert action.run(task_vars={})["changed"]
    assert [asked["phase"] for asked in remote.asked] == ["plan", "apply"]
    action._connection.reset.assert_not_called()


def ruleset(*sources: str) -> str:
    exits = {"sources": sources, "destinations": ["198.18.1.0/24"]}
    return render(policy_from({**POLICY, "exits": exits, "lan_interface": "lan0"}))


def test_who_gains_and_who_loses_is_said_before_anything_is_loaded(
    make_action: Any, make_remote: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    diff = {"before": ruleset("198.19.1.0/24"), "after": ruleset("198.19.2.0/24")}
    remote = make_remote({**PLANNED, "diff": diff}, {"failed": True, "msg": "nft could not load it", "changed": False})
    action = make_action(ActionModule, remote, **OPTIONS)
    said: list[tuple[int, str]] = []
    monkeypatch.setattr(action._display, "display", lambda text, **_more: said.append((len(remote.asked), text)))
    monkeypatch.setattr(action._templar, "template", lambda value: value)
    sites = {
        "lyon": {"index": 1, "tenant": "acme", "overlay_ipv4_prefix": "198.19.1.0/24"},
        "homes": {"index": 2, "tenant": "acme", "overlay_ipv4_prefix": "198.19.2.0/24"},
    }
    variables = {"inventory_hostname": "gw1", "estate_ula_prefix": "fd7b:4c1e:90a2::/48", "estate_sites": sites}
    result = action.run(task_vars=variables)
    # after the plan, before the change
    assert said == [
        (1, "firewall: gw1: acme homes gain 198.18.1.0/24"),
        (1, "firewall: gw1: acme lyon lose 198.18.1.0/24"),
    ]
    assert result["reachability"] == ["acme homes gain 198.18.1.0/24", "acme lyon lose 198.18.1.0/24"]
    assert result["failed"]


def test_in_check_mode_it_is_said_and_nothing_more_is_asked(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(PLANNED)
    action = make_action(ActionModule, remote, **OPTIONS)
    action._task.check_mode = True
    result = action.run(task_vars={"inventory_hostname": "gw1"})
    assert len(remote.asked) == 1
    assert (result["changed"], result["reachability"]) == (
        True,
        ["gw1 had no rules of ours: what is not named here loses its access"],
    )
