# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the progress callback: the live line, the line of a task, the profile."""

from __future__ import annotations

from collections.abc import Sequence

from .run_profile import RunProfile, TaskRecord

# Hosts named in the line of one task; the others are counted.
_NAMED_HOSTS = 50
_ALWAYS_COUNTED = ("ok", "changed", "skipped", "failed")
_ALSO_COUNTED = ("unreachable", "ignored")
_NAMED = ("changed", "failed", "unreachable", "ignored")


def clock_time(seconds: float) -> str:
    """Seconds as on a stopwatch: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def live_line(task: TaskRecord | None, elapsed: float, remaining: float | None, width: int) -> str:
    """What is happening now, in one line that leaves the last column free."""
    parts = [clock_time(elapsed)]
    if remaining is not None:
        parts.append(f"about {clock_time(remaining)} left")
    if task is not None:
        total = max(task.total or 0, task.done)
        parts.append(f"hosts {task.done}/{total}")
        parts.append(f"{task.play} > {task.name}" if task.play else task.name)
    text = "".join(character if character.isprintable() else " " for character in "  ".join(parts))
    room = max(width - 1, 1)
    return text if len(text) <= room else text[: max(room - 3, 0)] + "..."[:room]


def task_line(task: TaskRecord) -> str:
    """What became of a task, with the hosts that an operator asks about."""
    counted = [*_ALWAYS_COUNTED, *(outcome for outcome in _ALSO_COUNTED if task.count(outcome))]
    counts = " ".join(f"{outcome}={task.count(outcome)}" for outcome in counted)
    named = "".join(f"; {outcome}: {_names(task.outcomes[outcome])}" for outcome in _NAMED if task.count(outcome))
    return f"{task.kind} [{task.name}] {counts} {task.seconds:.1f}s{named}"


def _names(hosts: Sequence[str]) -> str:
    rest = len(hosts) - _NAMED_HOSTS
    return ", ".join(sorted(hosts)[:_NAMED_HOSTS]) + (f" and {rest} more" if rest > 0 else "")


def profile_lines(profile: RunProfile, slowest: int) -> list[str]:
    """Where the time went and what it cost the hosts."""
    hosts = profile.remote_hosts()
    calls = sum(record.remote_calls for record in hosts.values())
    lines = [f"{profile.seconds:.1f} s, {len(hosts)} host{'s' if len(hosts) != 1 else ''}, {calls} remote calls"]
    if hosts:
        name, most = max(hosts.items(), key=lambda item: item[1].remote_calls)
        lines.append(
            f"remote calls per host: median {profile.median_calls():g}, maximum {most.remote_calls}"
            + (f" ({name})" if most.remote_calls else "")
        )
    roles = sorted(profile.roles().items(), key=lambda item: -item[1].seconds)
    if roles:
        lines.append("per role:")
        lines += [
            f"  {record.seconds:7.1f} s  {record.remote_calls:5} calls  {name or '(outside roles)'}"
            for name, record in roles
        ]
    tasks = profile.slowest(slowest)
    if tasks:
        lines.append("slowest tasks:")
        lines += [f"  {task.seconds:7.1f} s  {task.remote_calls:5} calls  {task.name}" for task in tasks]
    return lines
