# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what a run does: seconds and remote calls of each task, host and role."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
LOCAL_CONNECTIONS = frozenset({"local", "ansible.builtin.local"})

# Actions that the controller carries out itself, without a module on the host.
_BUILTIN = (
    "add_host",
    "assert",
    "debug",
    "fail",
    "group_by",
    "import_playbook",
    "import_role",
    "import_tasks",
    "include_role",
    "include_tasks",
    "include_vars",
    "meta",
    "pause",
    "set_fact",
    "set_stats",
    "validate_argument_spec",
)
CONTROLLER_ACTIONS = frozenset(
    [
        *_BUILTIN,
        *(f"ansible.builtin.{name}" for name in _BUILTIN),
        "bocage.fleet.estate_plan",
        "bocage.fleet.estate_show",
        "bocage.fleet.gateway_sizing",
        "bocage.fleet.proof_table",
        "bocage.fleet.seal_plan",
        "bocage.fleet.validate_estate",
    ]
)

# These ask for the state of the file with one module and change it with another.
_TWO_MODULES = ("copy", "template", "fetch", "unarchive")
MODULES_OF_ACTION = {name: 2 for short in _TWO_MODULES for name in (short, f"ansible.builtin.{short}")}
# This one confirms a change through a new connection.
MODULES_OF_CHANGE = {**MODULES_OF_ACTION, "bocage.fleet.nft_ruleset": 2}


def module_executions(
    action: str,
    host: str,
    delegated_to: str | None,
    connection: str | None,
    controller_actions: Collection[str] = (),
    changed: bool = False,
) -> int:
    """How many modules one execution of an action runs on a host that is not the controller."""
    if action in CONTROLLER_ACTIONS or action in controller_actions:
        return 0
    if (delegated_to or host) in LOCAL_HOSTS or connection in LOCAL_CONNECTIONS:
        return 0
    return (MODULES_OF_CHANGE if changed else MODULES_OF_ACTION).get(action, 1)


@dataclass
class TaskRecord:
    """What happened in one task of one play."""

    name: str
    kind: str = "TASK"
    play: str = ""
    role: str | None = None
    path: str = ""
    action: str = ""
    total: int | None = None
    started: float = 0.0
    ended: float = 0.0
    remote_calls: int = 0
    outcomes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return max(self.ended - self.started, 0.0)

    @property
    def key(self) -> str:
        """What identifies the task from run to run."""
        return f"{self.play}|{self.name}|{self.path}"

    @property
    def done(self) -> int:
        return sum(map(len, self.outcomes.values()))

    def count(self, outcome: str) -> int:
        return len(self.outcomes.get(outcome, ()))


@dataclass
class HostRecord:
    """What one host cost."""

    remote_calls: int = 0
    seconds: float = 0.0


class RunProfile:
    """The record of a run, filled by the callback's events."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.started = clock()
        self.tasks: list[TaskRecord] = []
        self.hosts: dict[str, HostRecord] = {}
        self._running: dict[tuple[str, int], float] = {}

    @property
    def seconds(self) -> float:
        return self._clock() - self.started

    def task_started(self, task: TaskRecord) -> TaskRecord:
        task.started = task.ended = self._clock()
        self.tasks.append(task)
        return task

    def host_started(self, task: TaskRecord, host: str) -> None:
        self._running[host, id(task)] = self._clock()

    def host_finished(self, task: TaskRecord, host: str, outcome: str) -> None:
        """A host has its result: ok, changed, skipped, failed, ignored or unreachable."""
        now = self._clock()
        task.ended = now
        task.outcomes.setdefault(outcome, []).append(host)
        record = self.hosts.setdefault(host, HostRecord())
        record.seconds += now - self._running.pop((host, id(task)), now)

    def called(self, task: TaskRecord, host: str, calls: int) -> None:
        """Modules ran on a host for a task, perhaps delegated from another host."""
        if calls:
            task.remote_calls += calls
            self.hosts.setdefault(host, HostRecord()).remote_calls += calls

    def slowest(self, count: int) -> list[TaskRecord]:
        return sorted(self.tasks, key=lambda task: -task.seconds)[:count]

    def steps(self) -> list[tuple[str, float]]:
        """Each task with the seconds until the next one began."""
        ends = [task.started for task in self.tasks[1:]] + [self._clock()]
        return [(task.key, end - task.started) for task, end in zip(self.tasks, ends, strict=True)]

    def roles(self) -> dict[str, HostRecord]:
        """Calls and seconds of each role; tasks outside roles stand under an empty name."""
        roles: dict[str, HostRecord] = {}
        for task in self.tasks:
            record = roles.setdefault(task.role or "", HostRecord())
            record.remote_calls += task.remote_calls
            record.seconds += task.seconds
        return roles

    def remote_hosts(self) -> dict[str, HostRecord]:
        return {name: record for name, record in self.hosts.items() if name not in LOCAL_HOSTS}

    def median_calls(self) -> float:
        calls = [record.remote_calls for record in self.remote_hosts().values()]
        return statistics.median(calls) if calls else 0

    def as_data(self) -> dict[str, Any]:
        """The profile for benchmarks."""
        return {
            "seconds": round(self.seconds, 3),
            "hosts": {name: _figures(record) for name, record in sorted(self.hosts.items())},
            "roles": {name: _figures(record) for name, record in sorted(self.roles().items())},
            "tasks": [
                {
                    "name": task.name,
                    "play": task.play,
                    "role": task.role,
                    "path": task.path,
                    "action": task.action,
                    "seconds": round(task.seconds, 3),
                    "remote_calls": task.remote_calls,
                    "hosts": {outcome: len(names) for outcome, names in task.outcomes.items()},
                }
                for task in self.tasks
            ],
        }


def _figures(record: HostRecord) -> dict[str, Any]:
    return {"remote_calls": record.remote_calls, "seconds": round(record.seconds, 3)}
