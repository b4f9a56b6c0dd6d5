# SPDX-License-Identifier: GPL-3.0-or-later
"""What ran to its end is signed and sent in one call; everything else says why it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.action import seal_write
from ansible_collections.bocage.fleet.plugins.action.seal_write import ActionModule
from ansible_collections.bocage.fleet.plugins.module_utils._common import dsse
from ansible_collections.bocage.fleet.plugins.module_utils._seals import desired, documents
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_recordings import Recordings

HOST_ID = "0" * 8 + "-0000-4000-8000-" + "0" * 12
PLAN: dict[str, Any] = {
    "sealing": True,
    "reason": "",
    "hosts": {
        "gw1": {
            "host": {"base": "b" * 64, "parts": {}, "facts": []},
            "mesh": {"base": "a" * 64, "parts": {"variable mesh_mtu": "2" * 16}, "facts": ["kernel"]},
        }
    },
    "content": {"host": {}, "mesh": {"file tasks/main.yml": "3" * 16}},
}
FILE = {"invocation": {"module_args": {"path": "/etc/x", "state": "file"}}, "path": "/etc/x"}


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> Recordings:
    fresh = Recordings()
    fresh.enabled = True
    fresh.add("gw1", "mesh", "ansible.builtin.file", FILE, only_reads=False)
    monkeypatch.setattr(seal_write, "RECORDINGS", fresh)
    return fresh


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "seal.key"
    path.write_bytes(dsse.generate_private_key())
    return path


class Agent:
    def __init__(self, **answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, command: str, in_data: bytes) -> dict[str, Any]:
        verb = command.split()[-1]
        self.asked.append((verb, json.loads(in_data)))
        return {"rc": 0, "stdout": json.dumps(self.answers[verb]), "stderr": ""}


def write(make_action: Any, agent: Any, key_file: Path, plan: Any = PLAN, **changes: Any) -> dict[str, Any]:
    task_vars = {"inventory_hostname": "gw1", **changes.pop("task_vars", {})}
    arguments = {"plan": plan, "facts": {"kernel": "6.1"}, "host_id": HOST_ID, "key_file": str(key_file), **changes}
    check = arguments.pop("check", False)
    action = make_action(ActionModule, check=check, **arguments)
    action._low_level_execute_command = agent
    result: dict[str, Any] = action.run(task_vars=task_vars)
    result["shown"] = [call.args[0] for call in action._display.display.call_args_list]
    return result


def test_what_ran_is_signed_and_sent_once(make_action: Any, recordings: Recordings, key_file: Path) -> None:
    agent = Agent(write={"sealed": ["mesh"], "refused": {}})
    result = write(make_action, agent, key_file)
    assert (result["sealed"], result["refused"], result["changed"]) == (["mesh"], {}, False)
    ((verb, question),) = agent.asked
    assert verb == "write" and list(question["seals"]) == ["mesh"]
    public = dsse.public_key_of(key_file.read_bytes())
    statement = documents.verify_desired(question["seals"]["mesh"], "gw1", HOST_ID, "mesh", public)
    assert statement.digest == desired.full_digest("a" * 64, {"kernel": "6.1"})
    assert statement.parts == {"variable mesh_mtu": "2" * 16, "file tasks/main.yml": "3" * 16}
    assert [item["name"] for item in statement.items] == ["/etc/x"]


def test_facts_that_nobody_knew_are_asked_for_first(make_action: Any, recordings: Recordings, key_file: Path) -> None:
    agent = Agent(check={"facts": {"kernel": "6.2"}}, write={"sealed": ["mesh"], "refused": {}})
    write(make_action, agent, key_file, facts={})
    assert [verb for verb, _question in agent.asked] == ["check", "write"]
    assert agent.asked[0][1] == {
        "expected": {}, "facts": ["kernel"], "parts": False, "drop": False, "max_age_seconds": None,
    }  # fmt: skip
    assert agent.answers["check"]["facts"] == {"kernel": "6.2"}


def test_a_role_with_a_problem_is_not_sealed_and_says_why(
    make_action: Any, recordings: Recordings, key_file: Path
) -> None:
    recordings.fail("gw1", "host", "Install packages")
    agent = Agent(write={"sealed": [], "refused": {"mesh": "/etc/x is not there."}})
    result = write(make_action, agent, key_file)
    assert list(agent.asked[0][1]["seals"]) == ["mesh"]
    assert result["shown"] == [
        "gw1: host is not sealed: The task 'Install packages' failed.",
        "gw1: mesh is not sealed: /etc/x is not there.",
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"check": True}, "check mode"),
        ({"plan": {**PLAN, "sealing": False, "reason": "no key"}}, "Nothing is sealed: no key."),
        ({"host_id": ""}, "not enrolled"),
    ],
)
def test_runs_that_seal_nothing(
    make_action: Any, recordings: Recordings, key_file: Path, changes: dict[str, Any], reason: str
) -> None:
    agent = Agent()
    result = write(make_action, agent, key_file, **changes)
    assert agent.asked == [] and result["sealed"] == [] and reason in result["reason"]


@pytest.mark.parametrize("tags", [{"ansible_run_tags": ["mesh"]}, {"ansible_skip_tags": ["slow"]}])
def test_a_run_of_some_tags_seals_no_role_with_tags_inside(
    make_action: Any, recordings: Recordings, key_file: Path, tags: dict[str, list[str]]
) -> None:
    agent = Agent(write={"sealed": ["mesh"], "refused": {}})
    assert write(make_action, agent, key_file, task_vars=tags)["sealed"] == ["mesh"], (
        "without tags it is run as a whole"
    )
    recordings.tagged("gw1", "mesh")
    result = write(make_action, agent, key_file, task_vars=tags)
    assert (len(agent.asked), result["sealed"]) == (1, [])
    assert "left out some of its tasks" in result["refused"]["mesh"]
    assert write(make_action, agent, key_file)["sealed"] == ["mesh"]


def test_without_the_recorder_nothing_is_sealed(make_action: Any, recordings: Recordings, key_file: Path) -> None:
    recordings.enabled = False
    assert "seal_recorder is not enabled" in write(make_action, Agent(), key_file)["reason"]


def test_an_agent_that_does_not_answer_leaves_the_run_as_it_is(
    make_action: Any, recordings: Recordings, key_file: Path
) -> None:
    def silent(_command: str, in_data: bytes) -> dict[str, Any]:
        return {"rc": 127, "stdout": "", "stderr": "No such file"}

    result = write(make_action, silent, key_file)
    assert not result.get("failed") and result["sealed"] == []
    assert "no agent that knows seals" in result["reason"]
