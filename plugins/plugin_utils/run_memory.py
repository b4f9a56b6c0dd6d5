# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remembers how long the tasks of a playbook took, to estimate what remains of the next run."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

# Playbooks that are remembered; the one run longest ago is forgotten first.
_KEPT = 50

# A task as it is remembered: what identifies it, and the seconds until the next one began.
Step = tuple[str, float]


def load_steps(file: Path, playbook: str) -> list[Step]:
    """The tasks of the last complete run of a playbook; nothing when there is no usable memory."""
    steps = _load(file).get(playbook)
    if not isinstance(steps, list):
        return []
    return [(str(step[0]), float(step[1])) for step in steps if isinstance(step, list) and len(step) == 2]


def save_steps(file: Path, playbook: str, steps: list[Step]) -> None:
    """Keeps the tasks of a run, replacing the file in one step."""
    memory = _load(file)
    memory.pop(playbook, None)
    memory[playbook] = [[key, round(seconds, 2)] for key, seconds in steps]
    for forgotten in list(memory)[:-_KEPT]:
        del memory[forgotten]
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(memory, stream)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _load(file: Path) -> dict[str, object]:
    try:
        memory = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # an estimate is a comfort; a lost memory is made anew by this run
    return memory if isinstance(memory, dict) else {}


class Estimate:
    """Follows a run along the remembered one."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps
        self._after = [0.0] * (len(steps) + 1)
        for position in range(len(steps) - 1, -1, -1):
            self._after[position] = self._after[position + 1] + steps[position][1]
        self._position = -1
        self._known = False

    def task_started(self, key: str) -> None:
        """Finds the task behind the last one found; a task that is new changes nothing."""
        for position in range(self._position + 1, len(self._steps)):
            if self._steps[position][0] == key:
                self._position, self._known = position, True
                return
        self._known = False

    def remaining(self, seconds_in_task: float) -> float | None:
        """Seconds that remain if this run goes on like the last, or None without a memory."""
        if not self._steps:
            return None
        rest = self._after[self._position + 1]
        if self._known:
            rest += max(self._steps[self._position][1] - seconds_in_task, 0.0)
        return rest
