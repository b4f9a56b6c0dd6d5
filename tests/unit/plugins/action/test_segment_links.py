# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half: a change of a LAN interface is confirmed over a new connection, or told as taken back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.bocage.fleet.plugins.action.segment_links import MODULE, ActionModule

OPTIONS: dict[str, Any] = {"segments": [], "confirm_seconds": 20}
MOVED = {"changed": True, "actions": ["put a bridge in the place of lan0"], "token": "bocage-segments-revert"}
DONE = {"changed": True, "actions": ["make vx1001"], "token": "", "lan_ports": {"1001": "lan1001"}}


def test_a_moved_lan_is_confirmed_after_the_connection_was_reset(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(MOVED, DONE)
    action = make_action(ActionModule, remote, **OPTIONS)
    result = action.run(task_vars={})
    action._connection.reset.assert_called_once_with()
    assert remote.asked == [
        {"module": MODULE, **OPTIONS, "phase": "apply"},
        {"module": MODULE, **OPTIONS, "phase": "confirm"},
    ]
    assert result["actions"] == ["put a bridge in the place of lan0", "make vx1001"]
    assert (result["changed"], result["token"], result["lan_ports"]) == (True, "", {"1001": "lan1001"})


@pytest.mark.parametrize(
    "answer", [DONE, {"changed": False, "actions": [], "token": ""}, {"failed": True, "msg": "no"}]
)
def test_what_moves_no_lan_is_one_call(make_action: Any, make_remote: Any, answer: dict[str, Any]) -> None:
    remote = make_remote(answer)
    action = make_action(ActionModule, remote, **OPTIONS)
    result = action.run(task_vars={})
    action._connection.reset.assert_not_called()
    assert (len(remote.asked), result.get("msg")) == (1, answer.get("msg"))


def test_a_host_that_is_out_of_reach_takes_the_change_back(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(MOVED, AnsibleConnectionFailure("Connection timed out"))
    result = make_action(ActionModule, remote, **OPTIONS).run(task_vars={})
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == (
        "No new connection came through the changed LAN interface, so the host takes the change back 20 seconds after it "
        "was made; reach the host another way, or make the bridge yourself and run again. (Connection timed out)"
    )


def test_what_was_taken_back_is_no_change(make_action: Any, make_remote: Any) -> None:
    remote = make_remote(MOVED, {"failed": True, "msg": "was already taken back"})
    result = make_action(ActionModule, remote, **OPTIONS).run(task_vars={})
    assert (result["failed"], result["changed"], result["msg"]) == (True, False, "was already taken back")
