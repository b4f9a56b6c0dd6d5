# SPDX-License-Identifier: GPL-3.0-or-later
"""One question to the agent of a host; what does not hold runs, and is told why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.action.seal_check import NOTHING, ActionModule

ROLE = {"facts": ["kernel"], "base": "aa", "parts": {"variable mesh_mtu": "2" * 16}}
PLAN: dict[str, Any] = {
    "sealing": True,
    "reason": "",
    "hosts": {"gw1": {"host": {**ROLE, "facts": [], "base": "bb", "parts": {}}, "mesh": ROLE}},
    "content": {"host": {}, "mesh": {"file tasks/main.yml": "3" * 16}},
}
INTACT = {"status": "intact", "findings": [], "parts": None, "digest": "x"}


class Agent:
    """Answers as the remote command does; remembers how it was asked."""

    def __init__(self, stdout: object = "", rc: int = 0, stderr: str = "") -> None:
        self.answer = {"rc": rc, "stdout": stdout if isinstance(stdout, str) else json.dumps(stdout), "stderr": stderr}
        self.questions: list[dict[str, Any]] = []
        self.commands: list[str] = []

    def __call__(self, command: str, in_data: bytes | None = None) -> dict[str, Any]:
        self.commands.append(command)
        if in_data is not None:
            self.questions.append(json.loads(in_data))
        return self.answer


def check(make_action: Any, agent: Agent, plan: dict[str, Any] = PLAN, check_mode: bool = False, **more: Any) -> Any:
    action = make_action(ActionModule, check=check_mode, plan=plan, **more)
    action._low_level_execute_command = agent
    action._connection._shell.quote = str
    result = action.run(task_vars={"inventory_hostname": "gw1"})
    result["shown"] = [call.args[0] for call in action._display.display.call_args_list]
    return result


def test_intact_seals_leave_nothing_to_run(make_action: Any) -> None:
    agent = Agent({"facts": {"kernel": "6.1"}, "seals": {"host": INTACT, "mesh": INTACT}})
    result = check(make_action, agent)
    assert (result["run"], result["parent_groups"], result["facts"]) == ([], [], {"kernel": "6.1"})
    assert result["shown"] == []
    assert agent.commands == ["/opt/bocage/agent/current/bin/bocage-agent seals check"]
    (question,) = agent.questions
    assert question["expected"] == {"host": "bb", "mesh": "aa"}
    assert (question["facts"], question["drop"]) == (["kernel"], True)
    assert 0 < question["max_age_seconds"] <= 7 * 86400


def test_what_changed_is_told_by_name(make_action: Any) -> None:
    old = {"variable mesh_mtu": "1" * 16, "file tasks/main.yml": "3" * 16}
    mesh = {"status": "changed", "findings": [], "parts": old, "digest": "x"}
    result = check(make_action, Agent({"facts": {}, "seals": {"host": INTACT, "mesh": mesh}}))
    assert result["run"] == ["mesh"]
    assert result["shown"] == ["gw1: mesh: variable mesh_mtu changed"]
    assert result["parent_groups"] == ["bocage_converge", "bocage_converge_mesh"]
    assert result["changed"] is False


def test_what_was_altered_is_told_by_the_agent(make_action: Any) -> None:
    broken = {"status": "broken", "findings": ["/etc/x was altered on the host."], "parts": None, "digest": "x"}
    missing = {"status": "missing", "findings": [], "parts": None, "digest": None}
    result = check(make_action, Agent({"facts": {}, "seals": {"host": broken, "mesh": missing}}))
    assert result["shown"] == ["gw1: host: /etc/x was altered on the host.", "gw1: mesh: the seal is missing"]
    assert result["run"] == ["host", "mesh"]


def test_check_mode_drops_nothing(make_action: Any) -> None:
    agent = Agent({"facts": {}, "seals": {"host": INTACT, "mesh": INTACT}})
    check(make_action, agent, check_mode=True)
    assert agent.questions[0]["drop"] is False


def test_ignored_seals_are_dropped_and_everything_runs(make_action: Any) -> None:
    agent = Agent({"facts": {"kernel": "6.1"}, "seals": {"host": INTACT, "mesh": INTACT}})
    result = check(make_action, agent, seals="ignore")
    assert result["run"] == ["host", "mesh"]
    assert agent.questions[0]["expected"] == {"host": NOTHING, "mesh": NOTHING}
    assert result["shown"] == ["gw1: all roles: seals are ignored"]


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (Agent(rc=127), "no agent that knows seals is on the host yet"),
        (Agent(rc=2, stderr="usage: ..."), "no agent that knows seals is on the host yet"),
        (Agent(rc=1, stderr="warning\nbocage-agent: /etc/bocage/agent.json is damaged."), "agent.json is damaged."),
        (Agent("garbage"), "the answer of its agent is not JSON"),
        (Agent([1]), "the answer of its agent is not an object"),
    ],
)
def test_a_host_that_cannot_answer_runs_everything(make_action: Any, agent: Agent, reason: str) -> None:
    result = check(make_action, agent)
    assert result["run"] == ["host", "mesh"]
    assert not result.get("failed")
    (line,) = result["shown"]
    assert line.startswith("gw1: all roles: ") and reason in line
    removed = "rm -f -- /var/lib/bocage/seals/host.json /var/lib/bocage/seals/mesh.json"
    assert agent.commands[1:] == ([] if agent.answer["rc"] in (2, 127) else [removed])


def test_an_agent_that_cannot_answer_keeps_its_seals_in_check_mode(make_action: Any) -> None:
    agent = Agent(rc=1, stderr="bocage-agent: /etc/bocage/agent.json is damaged.")
    assert check(make_action, agent, check_mode=True)["run"] == ["host", "mesh"]
    assert len(agent.commands) == 1


def test_a_connection_that_passes_no_input_on_gets_a_file(make_action: Any) -> None:
    """As that of podman."""
    asked: list[Any] = []

    def execute(command: str, in_data: bytes | None = None) -> dict[str, Any]:
        asked.append((command, in_data))
        return {"rc": 0, "stdout": json.dumps({"facts": {}, "seals": {"host": INTACT, "mesh": INTACT}}), "stderr": ""}

    action = make_action(ActionModule, plan=PLAN)
    action._connection.has_pipelining = False
    action._connection._shell.quote = lambda path: f"'{path}'"
    action._low_level_execute_command = execute
    action._make_tmp_path = lambda: "/tmp/x"
    action._transfer_data = lambda path, data: asked.append((path, json.loads(data)["expected"]))
    action._remove_tmp_path = lambda path: asked.append(("removed", path))
    assert action.run(task_vars={"inventory_hostname": "gw1"})["run"] == []
    assert asked == [
        ("/tmp/x/question.json", {"host": "bb", "mesh": "aa"}),
        ("/opt/bocage/agent/current/bin/bocage-agent seals check < '/tmp/x/question.json'", None),
        ("removed", "/tmp/x"),
    ]


def test_without_a_key_everything_runs_and_is_sealed_no_longer(make_action: Any) -> None:
    agent = Agent({"facts": {}, "seals": {"host": INTACT, "mesh": INTACT}})
    plan = {**PLAN, "sealing": False, "reason": "there is no seal key", "hosts": {"gw1": {"host": {}, "mesh": {}}}}
    result = check(make_action, agent, plan)
    assert (agent.questions[0]["expected"], result["run"]) == ({"host": NOTHING, "mesh": NOTHING}, ["host", "mesh"])
    assert result["shown"] == ["gw1: all roles: there is no seal key"]
