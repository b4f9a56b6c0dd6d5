# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder attributes what tasks did to the role that a play names, and forgets nothing that went wrong."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.callback import seal_recorder
from ansible_collections.bocage.fleet.plugins.callback.seal_recorder import CallbackModule, outermost_role
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_recordings import Recordings


def role(name: str) -> Any:
    return SimpleNamespace(get_name=lambda: name)


def task(action: str, *roles: str, **attributes: Any) -> Any:
    """A task inside roles, the innermost first, as imports nest them."""
    parent = None
    for name in reversed(roles):
        parent = SimpleNamespace(_role=role(name), _parent=parent)
    values: dict[str, Any] = {
        "resolved_action": action, "check_mode": False, "delegate_to": None, "changed_when": [], "loop": None,
        "get_name": lambda: "Do it", "_role": role(roles[0]) if roles else None, "_parent": parent,
    }  # fmt: skip
    return SimpleNamespace(**{**values, **attributes})


def result(of: Any, **values: Any) -> Any:
    return SimpleNamespace(host=SimpleNamespace(get_name=lambda: "gw1"), task=of, result=values)


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> Recordings:
    fresh = Recordings()
    monkeypatch.setattr(seal_recorder, "RECORDINGS", fresh)
    return fresh


FILE = {"invocation": {"module_args": {"path": "/etc/x", "state": "file"}}, "path": "/etc/x"}


def test_a_task_belongs_to_the_outermost_role() -> None:
    assert outermost_role(task("x", "bocage.fleet.app", "bocage.fleet.agent")) == "agent"
    assert outermost_role(task("x", "bocage.fleet.mesh")) == "mesh"
    assert outermost_role(task("x")) is None
    assert outermost_role(task("x", "somebody.else.mesh")) is None
    assert outermost_role(task("x", "own")) == "own"
    assert outermost_role(task("x", "bocage.fleet.app", "own")) == "own"
    assert outermost_role(task("x", "mesh")) is None, "not the role that the collection calls so"


def test_what_ran_is_recorded_once_and_forgotten_when_it_is_sealed(recordings: Recordings) -> None:
    recorder = CallbackModule()
    assert recordings.enabled
    for _unused in range(2):
        recorder.v2_runner_on_ok(result(task("ansible.builtin.file", "bocage.fleet.mesh"), **FILE))
    looped = task("ansible.builtin.file", "bocage.fleet.mesh", loop=["a", "b"])
    other = {"invocation": {"module_args": {"path": "/etc/y", "state": "absent"}}, "path": "/etc/y"}
    recorder.v2_runner_on_ok(result(looped, results=[other, {"skipped": True}]))
    items = recordings.of("gw1")["mesh"].items
    assert [(item["name"], item["state"]) for item in items] == [("/etc/x", "file"), ("/etc/y", "absent")]
    assert recordings.of("gw2") == {}
    recorder.v2_runner_on_ok(result(task("bocage.fleet.seal_write"), sealed=["mesh", "host"]))
    assert recordings.of("gw1") == {}


def test_tasks_that_make_nothing_true_on_the_host_are_left_out(recordings: Recordings) -> None:
    recorder = CallbackModule()
    for of in (
        task("ansible.builtin.file"),
        task("ansible.builtin.file", "bocage.fleet.mesh", check_mode=True),
        task("ansible.builtin.file", "bocage.fleet.mesh", delegate_to="localhost"),
    ):
        recorder.v2_runner_on_ok(result(of, **FILE))
    assert recordings.of("gw1") == {}
    recorder.v2_runner_on_ok(result(task("ansible.builtin.command", "bocage.fleet.mesh", changed_when=[False])))
    assert recordings.of("gw1")["mesh"].items == []
    assert recordings.of("gw1")["mesh"].problems == []


def test_a_role_with_tags_inside_is_marked(recordings: Recordings, tmp_path: Path) -> None:
    recorder = CallbackModule()
    for name, text in (("plain", "- ansible.builtin.assert:\n    that: true\n"), ("marked", "- tags: [x]\n")):
        (tmp_path / name / "tasks").mkdir(parents=True)
        (tmp_path / name / "tasks" / "main.yml").write_text(text)
        of = task("ansible.builtin.file", f"bocage.fleet.{name}")
        of._role._role_path = str(tmp_path / name)
        recorder.v2_runner_on_ok(result(of, **FILE))
    assert {name: one.tagged for name, one in recordings.of("gw1").items()} == {"plain": False, "marked": True}


def test_unknown_modules_and_failures_are_problems_of_the_role(recordings: Recordings) -> None:
    recorder = CallbackModule()
    recorder.v2_runner_on_ok(result(task("community.general.nmcli", "bocage.fleet.mesh")))
    recorder.v2_runner_on_failed(result(task("ansible.builtin.file", "bocage.fleet.names")), ignore_errors=True)
    recorder.v2_runner_on_unreachable(result(task("ansible.builtin.file", "bocage.fleet.host")))
    recorder.v2_runner_on_failed(result(task("ansible.builtin.file")))
    problems = {name: one.problems for name, one in recordings.of("gw1").items()}
    assert set(problems) == {"mesh", "names", "host"}
    assert "community.general.nmcli is not known to seals" in problems["mesh"][0]
    assert problems["names"] == problems["host"] == ["The task 'Do it' failed."]
