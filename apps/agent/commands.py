# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the host's own programs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from functools import cache

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


# Waits for the end of a program: exit status, output and errors.
Finish = Callable[[], tuple[int, str, str]]
# Begins a program and goes on.
Start = Callable[[list[str]], Finish]

_SECONDS = 30


def run(command: list[str], seconds: float = _SECONDS) -> tuple[int, str, str]:
    """Exit status, output and errors of a program; one that is absent or hangs has failed, with a reason."""
    return start(command, seconds)()


def start(command: list[str], seconds: float = _SECONDS) -> Finish:
    """Begin a program, so that others can begin while it works; call what is returned for its answer."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")},
        )
    except FileNotFoundError:
        return lambda: (127, "", f"{command[0]} is not installed")
    except OSError as error:
        reason = f"{command[0]}: {error.strerror}"
        return lambda: (126, "", reason)

    def finish() -> tuple[int, str, str]:
        try:
            output, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return 124, "", f"{command[0]} did not answer in {seconds} seconds"
        return process.returncode, output.decode("utf-8", "replace"), error.decode("utf-8", "replace")

    return finish


def shared(begin: Start) -> Start:
    """Begins each program once, however many ask for it; all of them get the same answer."""
    begun: dict[tuple[str, ...], Finish] = {}

    def begin_once(command: list[str]) -> Finish:
        words = tuple(command)
        if words not in begun:
            begun[words] = cache(begin(command))
        return begun[words]

    return begin_once


def sentence(text: str) -> str:
    """Words fit for a report: one line, nothing that controls a terminal, not endless."""
    return _UNPRINTABLE.sub(" ", text.encode("utf-8", "replace").decode("utf-8")).strip()[:500]
