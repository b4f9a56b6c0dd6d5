# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of mesh_interfaces: a change is confirmed over a new connection, or told as taken back."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase
from ansible_collections.bocage.fleet.plugins.action.mesh_interfaces import ActionModule

OPTIONS: dict[str, Any] = {"interfaces": [{"name": "bocage0"}]}
CHANGED = {"changed": True, "actions": ["bocage0: set 1 peers"], "token": "0123"}


def test_a_change_is_confirmed_after_the_connection_was_reset(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(CHANGED, {"changed": True})
    action = make_action(ActionModule, remote, **OPTIONS, phase="confirm", token="x")
    order: list[str] = []
    action._connection.reset.side_effect = lambda: order.append(f"reset after {len(remote.asked)}")
    result = action.run(task_vars={})
    assert order == ["reset after 1"]
    assert remote.asked == [
        {"module": ActionModule.MODULE, **OPTIONS, "phase": "apply"},
        {"module": ActionModule.MODULE, **OPTIONS, "phase": "confirm", "token": "0123"},
    ]
    assert (result["changed"], result["actions"]) == (True, CHANGED["actions"])
    assert "token" not in result and not result.get("failed")


def test_a_connection_that_keeps_nothing_open_is_not_reset(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(CHANGED, {"changed": True})
    action = make_action(ActionModule, remote, **OPTIONS)
    # as a connection has it that does not implement a reset: it would warn
    action._connection = Mock(spec=ConnectionBase, _shell=action._connection._shell)
    assert not action.run(task_vars={}).get("failed")
    assert len(remote.asked) == 2
    action._connection.reset.assert_not_called()


def test_where_nothing_changed_nothing_is_confirmed(make_action: Any, make_remote: Any) -> None:
    remote = make_remote({"changed": False, "actions": [], "token": ""})
    action = make_action(ActionModule, remote, **OPTIONS)
    assert action.run(task_vars={})["changed"] is False
    assert len(remote.asked) == 1
    action._connection.reset.assert_not_called()


def test_a_host_that_is_not_reached_any_more_takes_the_change_back(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(CHANGED, AnsibleConnectionFailure("Connection timed out"))
    result = make_action(ActionModule, remote, **OPTIONS, confirm_seconds="20").run(task_vars={})
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == (
        "No new connection reaches the host after the change of its overlay, so the host takes the change back "
        "20 seconds after it was begun; correct what the controller's path to it needs (its hub, its gateways, its "
        "endpoints) and run again. (Connection timed out)"
    )


def test_a_change_that_cut_its_own_connection_is_unreachable_and_says_why(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(AnsibleConnectionFailure("Connection reset by peer"))
    with pytest.raises(AnsibleConnectionFailure) as lost:
        make_action(ActionModule, remote, **OPTIONS).run(task_vars={})
    assert str(lost.value) == (
        "The connection was lost before the host told what became of its overlay; where a change was begun, the host "
        "takes it back by itself. (Connection reset by peer)"
    )


def test_an_answer_that_came_after_the_change_was_taken_back_is_a_failure(make_action: Any, make_remote: Any) -> None:
    said = "The change of the overlay was already taken back on this host"
    remote = make_remote(CHANGED, {"failed": True, "msg": said})
    result = make_action(ActionModule, remote, **OPTIONS).run(task_vars={})
    assert (result["failed"], result["changed"], result["msg"]) == (True, False, said)
