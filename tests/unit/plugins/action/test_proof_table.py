# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.bocage.fleet.plugins.action.proof_table import ActionModule


def one(proof: str, passed: bool) -> dict[str, Any]:
    return {
        "proof": proof, "kind": "ping", "target": "fd7b::1", "about": "tele1 -> gw1", "reach": True,
        "passed": passed, "seconds": 0.1,
    }  # fmt: skip


def printed(action: Any) -> list[str]:
    return [call.args[0] for call in action._display.display.call_args_list]


def test_all_proved(make_action: Any) -> None:
    action = make_action(ActionModule, results=[one("overlay", True), one("names", True)])
    result = action.run(task_vars={})
    assert not result.get("failed") and result["changed"] is False
    assert [(row["proof"], row["passed"], row["total"]) for row in result["proofs"]] == [
        ("overlay", 1, 1),
        ("names", 1, 1),
    ]
    (table,) = printed(action)
    assert table.count("proved") == 2


def test_each_failure_is_shown_and_the_task_fails(make_action: Any) -> None:
    action = make_action(ActionModule, results=[one("overlay", True), one("overlay", False), one("names", False)])
    result = action.run(task_vars={})
    assert result["failed"]
    assert result["msg"] == "2 of 3 probes failed: tele1 -> gw1 (ping fd7b::1): did not work."
    assert printed(action)[1:] == ["  failed: tele1 -> gw1 (ping fd7b::1): did not work"] * 2


def test_no_result_proves_nothing(make_action: Any) -> None:
    result = make_action(ActionModule, results=[]).run(task_vars={})
    assert (result["failed"], result["msg"]) == (True, "Nothing was proved: no host gave a result.")
