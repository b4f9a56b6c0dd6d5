# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half: a change is confirmed over a new connection, or told as taken back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.bocage.fleet.plugins.action.nft_ruleset import MODULE, ActionModule

OPTIONS: dict[str, Any] = {"management_prefixes": ["198.51.100.192/28"], "overlay_sources": ["fd7b::/48"]}
CHANGED = {"changed": True, "ruleset": "table inet bocage", "token": "0123"}


def test_a_change_is_confirmed_after_the_connection_was_reset(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(CHANGED, {"changed": True})
    action = make_action(ActionModule, remote, **OPTIONS)
    order: list[str] = []
    action._connection.reset.side_effect = lambda: order.append(f"reset after {len(remote.asked)}")
    result = action.run(task_vars={})
    assert order == ["reset after 1"]
    assert remote.asked == [
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
        ({**CHANGED}, {"confirm_seconds": 0}),
    ],
)
def test_where_nothing_waits_nothing_is_confirmed(
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
    remote = make_remote(CHANGED, error)
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
    remote = make_remote(CHANGED, {"failed": True, "msg": "The firewall change was already taken back on this host"})
    result = make_action(ActionModule, remote, **OPTIONS).run(task_vars={})
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == "The firewall change was already taken back on this host"


def test_the_halves_are_not_the_operators_to_choose(make_action: Any, make_remote: Any) -> None:
    remote = make_remote({"changed": False, "token": ""})
    make_action(ActionModule, remote, **OPTIONS, phase="confirm", token="x").run(task_vars={})
    assert remote.asked == [{"module": MODULE, **OPTIONS, "phase": "apply"}]
