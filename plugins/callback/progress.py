# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows how far a run is, and at its end what it cost."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Progress of long runs and a profile at their end
version_added: 0.1.0
author:
  - The Bocage maintainers (@bocage-fleet)
description:
  - On a terminal, shows one live line with the time, an estimate of what remains, the hosts that are done with the
    current task, and the names of play and task. What changed or failed, differences, warnings and the output of
    M(ansible.builtin.debug) are printed above it as by the default callback; results that are merely ok or skipped
    are not. With C(-v) they are.
  - Elsewhere, prints one line for each task with its counts, its seconds and the names of the hosts that changed or
    failed. Failures are printed in full.
  - At the end, prints the usual recap and a profile with the slowest tasks and the remote calls of hosts and roles.
  - A remote call is the execution of a module on a host other than the controller. Each item of a loop and each
    attempt of a retried task is one; V(copy), V(template), V(fetch) and V(unarchive) are two, as they ask for the
    state of the file first.
  - The estimate comes from the durations of the last complete run of the same playbook.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  display_ok_hosts:
    description: Whether results that are merely ok are printed. C(-v) prints them always.
    type: bool
    default: false
    env:
      - name: ANSIBLE_DISPLAY_OK_HOSTS
    ini:
      - key: display_ok_hosts
        section: defaults
  display_skipped_hosts:
    description: Whether results that were skipped are printed. C(-v) prints them always.
    type: bool
    default: false
    env:
      - name: ANSIBLE_DISPLAY_SKIPPED_HOSTS
    ini:
      - key: display_skipped_hosts
        section: defaults
  live:
    description: Whether the live line is drawn. V(auto) draws it when the output is a terminal that can be redrawn.
    type: str
    choices: [auto, always, never]
    default: auto
    env:
      - name: BOCAGE_PROGRESS_LIVE
    ini:
      - key: live
        section: bocage_progress
  remember:
    description: Whether the durations of complete runs are kept, for the estimates of later ones.
    type: bool
    default: true
    env:
      - name: BOCAGE_PROGRESS_REMEMBER
    ini:
      - key: remember
        section: bocage_progress
  memory_path:
    description: File that keeps them; by default C(tmp/bocage_progress.json) in Ansible's home.
    type: path
    env:
      - name: BOCAGE_PROGRESS_MEMORY_PATH
    ini:
      - key: memory_path
        section: bocage_progress
  show_profile:
    description: Whether the profile is printed after the recap.
    type: bool
    default: true
    env:
      - name: BOCAGE_PROFILE_SHOW
    ini:
      - key: show_profile
        section: bocage_progress
  slowest_tasks:
    description: How many of the slowest tasks the printed profile names.
    type: int
    default: 10
    env:
      - name: BOCAGE_PROFILE_SLOWEST_TASKS
    ini:
      - key: slowest_tasks
        section: bocage_progress
  profile_path:
    description:
      - File that the whole profile is written to as JSON, with C(seconds), C(hosts), C(roles) and C(tasks).
    type: path
    env:
      - name: BOCAGE_PROFILE_PATH
    ini:
      - key: profile_path
        section: bocage_progress
  controller_actions:
    description: Further actions that run on the controller alone and are no remote calls.
    type: list
    elements: str
    default: []
    env:
      - name: BOCAGE_PROFILE_CONTROLLER_ACTIONS
    ini:
      - key: controller_actions
        section: bocage_progress
"""

import atexit
import json
import os
import sys
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible_collections.bocage.fleet.plugins.plugin_utils.live_line import LiveLine
from ansible_collections.bocage.fleet.plugins.plugin_utils.progress_text import live_line, profile_lines, task_line
from ansible_collections.bocage.fleet.plugins.plugin_utils.run_memory import Estimate, load_steps, save_steps
from ansible_collections.bocage.fleet.plugins.plugin_utils.run_profile import (
    HostRecord,
    RunProfile,
    TaskRecord,
    module_executions,
)

_PAUSES = ("pause", "ansible.builtin.pause")
_FREE_STRATEGIES = ("free", "host_pinned", "ansible.builtin.free", "ansible.builtin.host_pinned")


class CallbackModule(DefaultCallback):
    """The default callback, told to be brief, around a live line or lines of tasks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "bocage.fleet.progress"

    def __init__(self) -> None:
        super().__init__()
        self._profile = RunProfile()
        self._estimate = Estimate([])
        self._playbook = ""
        self._play_name = ""
        self._play_hosts: set[str] = set()
        self._variable_manager: Any = None
        self._connections: dict[str, str | None] = {}
        # Tasks whose line is not printed yet, by the identifier Ansible gives them.
        self._open: dict[str, TaskRecord] = {}
        self._current: TaskRecord | None = None
        self._live: LiveLine | None = None
        self._print_ok = False

    def get_option(self, k: str, hostvars: Any = None) -> Any:
        if k in ("display_ok_hosts", "display_skipped_hosts") and (self._print_ok or self._display.verbosity > 0):
            return True
        return super().get_option(k, hostvars)

    def _wants_live_line(self) -> bool:
        wanted = self.get_option("live")
        if wanted == "auto":
            return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        return bool(wanted == "always")

    # The run

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._profile = RunProfile()
        mode = " --check" if context.CLIARGS.get("check") else ""
        self._playbook = f"{Path(playbook._file_name).resolve()}{mode}"
        if self.get_option("remember"):
            self._estimate = Estimate(load_steps(self._memory_path(), self._playbook))
        if self._wants_live_line():
            self._live = LiveLine(self._display, sys.stdout.fileno(), self._live_text)
            self._live.start()
            # Also when the run ends without statistics, as after Ctrl-C.
            atexit.register(self._live.stop)
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._close_tasks()
        self._current = None
        self._play_name = play.get_name().strip()
        self._variable_manager = play.get_variable_manager()
        variables = self._variable_manager.get_vars(play=play)
        self._play_hosts = set(variables.get("ansible_play_batch") or ())
        if self._live:
            self._live.pause(False)
        super().v2_playbook_on_play_start(play)

    def v2_playbook_on_vars_prompt(self, *arguments: Any, **options: Any) -> None:
        if self._live:
            self._live.pause(True)

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        self._close_tasks()
        super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if self._display.verbosity > 0:
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._close_tasks()
        if self._live:
            self._live.stop()
        super().v2_playbook_on_stats(stats)
        for host in stats.processed:
            self._profile.hosts.setdefault(host, HostRecord())
        if self.get_option("show_profile"):
            self._display.banner("PROFILE")
            for line in profile_lines(self._profile, self.get_option("slowest_tasks")):
                self._display.display(line)
            self._display.display("")
        self._write_profile()
        # A run that stopped half way knows less than the one before.
        if not stats.failures and not stats.dark:
            self._remember()

    def _memory_path(self) -> Path:
        home = Path(C.config.get_config_value("ANSIBLE_HOME"))
        return Path(self.get_option("memory_path") or home / "tmp" / "bocage_progress.json")

    def _remember(self) -> None:
        if not self.get_option("remember") or not self._profile.tasks:
            return
        path = self._memory_path()
        try:
            save_steps(path, self._playbook, self._profile.steps())
        except OSError as error:
            self._display.warning(f"The durations of this run could not be kept in {path}: {error.strerror}.")

    def _write_profile(self) -> None:
        if not (path := self.get_option("profile_path")):
            return
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(json.dumps(self._profile.as_data(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            self._display.warning(f"The profile could not be written to {path}: {error.strerror}.")

    # Tasks

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        if task._uuid not in self._open:
            if self._play.strategy not in _FREE_STRATEGIES:
                self._close_tasks()
            self._open_task(task, "HANDLER" if prefix == "RUNNING HANDLER" else "TASK")
        self._current = self._open[task._uuid]
        if self._live:
            self._live.pause(task.action in _PAUSES)
        super()._task_start(task, prefix)
        if self._live:
            self._live.draw()

    def _open_task(self, task: Any, kind: str) -> None:
        total: int | None = len(self._play_hosts)
        if task.run_once:
            total = 1
        elif kind == "HANDLER":
            total = len(task.notified_hosts)
        role = task._role
        self._open[task._uuid] = record = self._profile.task_started(
            TaskRecord(
                name=task.get_name().strip(),
                kind=kind,
                play=self._play_name,
                role=role.get_name() if role else None,
                path=task.get_path() or "",
                action=getattr(task, "resolved_action", None) or task.action,
                total=total,
            )
        )
        self._estimate.task_started(record.key)

    def _close_tasks(self) -> None:
        """Elsewhere than on a terminal, the line of each task that is over."""
        for record in self._open.values():
            if self._live is None and record.done:
                failed = record.count("failed") or record.count("unreachable")
                color = C.COLOR_ERROR if failed else C.COLOR_CHANGED if record.count("changed") else C.COLOR_OK
                self._display.display(task_line(record), color=color)
        self._open.clear()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if record := self._open.get(task._uuid):
            self._profile.host_started(record, host.get_name())
        super().v2_runner_on_start(host, task)

    def _live_text(self, width: int) -> str:
        now = self._profile.started + self._profile.seconds
        in_task = now - self._current.started if self._current else 0.0
        return live_line(self._current, self._profile.seconds, self._estimate.remaining(in_task), width)

    # Results

    def _connection_of(self, host: Any, task: Any) -> str | None:
        """The connection of a host; its variable is asked for once, as it outweighs what the task says."""
        name = host.get_name()
        if name not in self._connections:
            variables = self._variable_manager.get_vars(host=host, include_hostvars=False)
            self._connections[name] = variables.get("ansible_connection")
        return self._connections[name] or task.connection

    def _executed(self, result: Any) -> None:
        """One execution of a task's action on a host: the task itself, an item, or an attempt."""
        record = self._open.get(result.task._uuid)
        if record is None:
            return
        host, delegated = result.host.get_name(), result.task.delegate_to
        if delegated:
            variables = result.result.get("_ansible_delegated_vars") or {}
            connection = variables.get("ansible_connection") or result.task.connection
        else:
            connection = self._connection_of(result.host, result.task)
        further = self.get_option("controller_actions")
        changed = bool(result.result.get("changed"))
        calls = module_executions(record.action, host, delegated, connection, further, changed)
        self._profile.called(record, delegated or host, calls)

    def _finished(self, result: Any, outcome: str) -> None:
        record = self._open.get(result.task._uuid)
        if record is None:
            return
        # The items of a loop were counted one by one.
        looped = result.task.loop and "results" in result.result
        if outcome not in ("skipped", "unreachable") and not looped:
            self._executed(result)
        self._profile.host_finished(record, result.host.get_name(), outcome)
        if outcome in ("failed", "unreachable"):
            self._play_hosts.discard(result.host.get_name())

    def _is_said_by_task_line(self, result: Any) -> bool:
        """Whether a change needs no line of its own: the task's line will name the host."""
        shows_difference = result.task.diff and result.result.get("diff")
        return self._live is None and self._display.verbosity == 0 and not shows_difference

    def _print_result(self, result: Any, changed: bool, method: Any) -> None:
        if changed and not self._is_said_by_task_line(result):
            method(result)
            return
        # What a debug task says is for people.
        self._print_ok = bool(result.result.get("_ansible_verbose_always")) and not changed
        if self._print_ok or (not changed and self.get_option("display_ok_hosts")):
            method(result)
        else:
            self._handle_warnings_and_exception(result)
        self._print_ok = False

    def v2_runner_on_ok(self, result: Any) -> None:
        changed = bool(result.result.get("changed", False))
        self._finished(result, "changed" if changed else "ok")
        self._print_result(result, changed, super().v2_runner_on_ok)
        self._redraw()

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._finished(result, "ignored" if ignore_errors else "failed")
        super().v2_runner_on_failed(result, ignore_errors)
        self._redraw()

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._finished(result, "skipped")
        if not self.get_option("display_skipped_hosts"):
            self._handle_warnings_and_exception(result)
        super().v2_runner_on_skipped(result)
        self._redraw()

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._finished(result, "unreachable")
        super().v2_runner_on_unreachable(result)
        self._redraw()

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._executed(result)
        self._print_result(result, bool(result.result.get("changed", False)), super().v2_runner_item_on_ok)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._executed(result)
        super().v2_runner_item_on_failed(result)

    def v2_runner_retry(self, result: Any) -> None:
        self._executed(result)
        super().v2_runner_retry(result)

    def v2_runner_on_async_poll(self, result: Any) -> None:
        self._executed(result)
        super().v2_runner_on_async_poll(result)

    def _redraw(self) -> None:
        if self._live:
            self._live.draw()
