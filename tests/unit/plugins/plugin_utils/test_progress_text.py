# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that operators read."""

from __future__ import annotations

from ansible_collections.bocage.fleet.plugins.plugin_utils.progress_text import (
    clock_time,
    live_line,
    profile_lines,
    task_line,
)
from ansible_collections.bocage.fleet.plugins.plugin_utils.run_profile import RunProfile, TaskRecord


def test_times() -> None:
    assert [clock_time(seconds) for seconds in (0.9, 7, 754, 3723)] == ["0:00", "0:07", "12:34", "1:02:03"]


def test_the_live_line() -> None:
    task = TaskRecord("mesh : Apply peers", play="Mesh", total=40, outcomes={"ok": ["a"], "changed": ["b", "c"]})
    assert live_line(task, 83, 45, 100) == "1:23  about 0:45 left  hosts 3/40  Mesh > mesh : Apply peers"
    assert live_line(task, 83, None, 100) == "1:23  hosts 3/40  Mesh > mesh : Apply peers"
    assert live_line(None, 3, None, 100) == "0:03"


def test_the_live_line_stays_on_its_line() -> None:
    task = TaskRecord("Task\nwith\x1b[31m a long name", total=1)
    assert live_line(task, 0, None, 100) == "0:00  hosts 0/1  Task with [31m a long name"
    assert live_line(task, 0, None, 30) == "0:00  hosts 0/1  Task with..."
    for width in range(6):
        assert len(live_line(task, 0, None, width)) <= max(width - 1, 1)


def test_the_line_of_a_task() -> None:
    task = TaskRecord("mesh : Apply peers", started=1, ended=3.25)
    task.outcomes = {"ok": ["a", "b"], "changed": ["gw2", "gw1"], "skipped": ["c"]}
    assert task_line(task) == ("TASK [mesh : Apply peers] ok=2 changed=2 skipped=1 failed=0 2.2s; changed: gw1, gw2")
    handler = TaskRecord("Restart", kind="HANDLER", outcomes={"failed": ["x"], "unreachable": ["y"], "ignored": ["z"]})
    assert task_line(handler) == (
        "HANDLER [Restart] ok=0 changed=0 skipped=0 failed=1 unreachable=1 ignored=1 0.0s; "
        "failed: x; unreachable: y; ignored: z"
    )


def test_many_hosts_are_counted_after_the_first_fifty() -> None:
    task = TaskRecord("t", outcomes={"changed": [f"h{number:03}" for number in range(120)]})
    assert task_line(task).endswith("h048, h049 and 70 more")


def test_the_profile() -> None:
    now = [0.0]
    profile = RunProfile(lambda: now[0])
    for name, role, seconds, calls in (("Say", None, 1.0, 0), ("mesh : Peers", "mesh", 4.0, 2), ("End", None, 2.0, 1)):
        task = profile.task_started(TaskRecord(name, role=role))
        now[0] += seconds
        profile.called(task, "gw1", calls)
        profile.host_finished(task, "gw1", "ok")
        profile.host_finished(task, "hub1", "ok")
        profile.host_finished(task, "localhost", "ok")
    assert profile_lines(profile, 2) == [
        "7.0 s, 2 hosts, 3 remote calls",
        "remote calls per host: median 1.5, maximum 3 (gw1)",
        "per role:",
        "      4.0 s      2 calls  mesh",
        "      3.0 s      1 calls  (outside roles)",
        "slowest tasks:",
        "      4.0 s      2 calls  mesh : Peers",
        "      2.0 s      1 calls  End",
    ]


def test_the_profile_of_nothing() -> None:
    assert profile_lines(RunProfile(lambda: 0.0), 10) == ["0.0 s, 0 hosts, 0 remote calls"]
