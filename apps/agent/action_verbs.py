# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing what an action asks for: the agent's own verb, in a unit of its own.

The listener is locked in by systemd and could not install anything. What it begins is a transient unit beside it, which
goes on when the listener is restarted, as it is when the agent itself is upgraded.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bocage_core._state.action import VERBS, Action

from .commands import sentence

PROGRAM = "/opt/bocage/agent/current/bin/bocage-agent"
MAX_OUTPUT = 16384
GRACE_SECONDS = 30.0
# For another run of the agent at packages, as one by its timer.
WAIT_SECONDS = 300
# Answered by the report that follows every action.
NOTHING_TO_DO = frozenset({"report"})


@dataclass(frozen=True)
class Ended:
    """How a child ended: 0 is success, 124 that its time was over."""

    status: int
    words: str


class Child:
    """A child that works, and what it says."""

    def __init__(self, command: Sequence[str], seconds: int) -> None:
        self._seconds = seconds
        self._name = command[0]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def wait_briefly(self, seconds: float) -> Ended | None:
        """How it ended, or None where it works on after so many seconds."""
        try:
            output, _none = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        return Ended(self._process.returncode, last_words(output))

    def wait(self) -> Ended:
        """How it ended; where its time is over, it is ended."""
        # systemd ends its unit first and says so
        ended = self.wait_briefly(self._seconds + GRACE_SECONDS)
        if ended is None:
            self._process.kill()
            self._process.communicate()
            return Ended(124, f"It did not end within {self._seconds} seconds.")
        return ended


# Begins a program that may work for so many seconds; the word names it in the journal.
Begin = Callable[[Sequence[str], int, str], Child]


def command_of(action: Action) -> list[str]:
    """The agent's own words; names of packages come after -- so that none is taken for an option."""
    packages = ["--", *action.packages] if action.packages else []
    return [PROGRAM, action.verb, "--wait", str(WAIT_SECONDS), *packages]


def begin(command: Sequence[str], seconds: int, name: str) -> Child:
    """A transient unit where systemd runs, else a plain child."""
    if not Path("/run/systemd/system").is_dir():
        return Child(command, seconds)
    unit = [
        "systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit=bocage-action-{name}",
        "--description=A signed action", f"--property=RuntimeMaxSec={seconds}", "--setenv=LC_ALL=C.UTF-8",
    ]  # fmt: skip
    return Child([*unit, *command], seconds)


def seconds_for(action: Action) -> int:
    return VERBS[action.verb].seconds


def last_words(output: bytes) -> str:
    """The last line that says something, for the answer; all of it is in the journal."""
    text = output[-MAX_OUTPUT:].decode("utf-8", "replace")
    print(text, end="" if text.endswith("\n") or not text else "\n", file=sys.stderr)
    lines = [line for line in map(sentence, text.splitlines()) if line]
    return lines[-1][:200] if lines else ""
