# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a remote call, and who is charged for it."""

from __future__ import annotations

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.run_profile import (
    RunProfile,
    TaskRecord,
    module_executions,
)


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("action", "host", "delegated_to", "connection", "calls"),
    [
        ("ansible.builtin.command", "gw1", None, "ssh", 1),
        ("bocage.fleet.mesh_interfaces", "gw1", None, "containers.podman.podman", 1),
        ("ansible.builtin.gather_facts", "gw1", None, "ssh", 1),
        ("ansible.builtin.template", "gw1", None, "ssh", 2),
        ("copy", "gw1", None, "ssh", 2),
        ("ansible.builtin.set_fact", "gw1", None, "ssh", 0),
        ("debug", "gw1", None, "ssh", 0),
        ("ansible.builtin.include_tasks", "gw1", None, "ssh", 0),
        ("bocage.fleet.validate_estate", "gw1", None, "ssh", 0),
        ("our.own.planner", "gw1", None, "ssh", 0),
        ("ansible.builtin.command", "localhost", None, "ssh", 0),
        ("ansible.builtin.command", "gw1", "localhost", "ssh", 0),
        ("ansible.builtin.command", "localhost", "gw1", "ssh", 1),
        ("ansible.builtin.command", "gw1", None, "ansible.builtin.local", 0),
        ("ansible.builtin.command", "gw1", None, "local", 0),
    ],
)
def test_module_executions(action: str, host: str, delegated_to: str | None, connection: str, calls: int) -> None:
    assert module_executions(action, host, delegated_to, connection, ["our.own.planner"]) == calls


def test_a_change_may_need_a_second_module() -> None:
    for changed, calls in ((False, 1), (True, 2)):
        assert module_executions("bocage.fleet.nft_ruleset", "gw1", None, "ssh", changed=changed) == calls
    assert module_executions("copy", "gw1", None, "ssh", changed=True) == 2


def test_the_record_of_a_run() -> None:
    clock = Clock()
    profile = RunProfile(clock)
    quick = profile.task_started(TaskRecord("quick", play="one", role="mesh", path="a.yml:1", action="command"))
    for host in ("gw1", "gw2"):
        profile.host_started(quick, host)
    clock.now += 1
    profile.called(quick, "gw1", 1)
    profile.host_finished(quick, "gw1", "changed")
    clock.now += 1
    profile.called(quick, "gw2", 1)
    profile.host_finished(quick, "gw2", "ok")
    slow = profile.task_started(TaskRecord("slow", play="one"))
    profile.host_started(slow, "gw1")
    clock.now += 5
    # A loop of three items, two of them delegated to another host.
    profile.called(slow, "gw1", 1)
    profile.called(slow, "hub1", 1)
    profile.called(slow, "hub1", 1)
    profile.called(slow, "localhost", 0)
    profile.host_finished(slow, "gw1", "failed")
    clock.now += 1

    assert [task.name for task in profile.slowest(1)] == ["slow"]
    assert (quick.seconds, slow.seconds) == (2, 5)
    assert quick.outcomes == {"changed": ["gw1"], "ok": ["gw2"]}
    assert (slow.done, slow.count("failed"), slow.count("ok")) == (1, 1, 0)
    assert profile.median_calls() == 2
    assert profile.steps() == [("one|quick|a.yml:1", 2), ("one|slow|", 6)]
    data = profile.as_data()
    assert data["seconds"] == 8
    assert data["hosts"] == {
        "gw1": {"remote_calls": 2, "seconds": 6},
        "gw2": {"remote_calls": 1, "seconds": 2},
        "hub1": {"remote_calls": 2, "seconds": 0},
    }
    assert data["roles"] == {"": {"remote_calls": 3, "seconds": 5}, "mesh": {"remote_calls": 2, "seconds": 2}}
    assert data["tasks"][0] == {
        "name": "quick",
        "play": "one",
        "role": "mesh",
        "path": "a.yml:1",
        "action": "command",
        "seconds": 2,
        "remote_calls": 2,
        "hosts": {"changed": 1, "ok": 1},
    }


def test_the_controller_is_no_remote_host() -> None:
    profile = RunProfile(Clock())
    task = profile.task_started(TaskRecord("t"))
    profile.host_finished(task, "localhost", "ok")
    assert profile.remote_hosts() == {}
    assert profile.median_calls() == 0
