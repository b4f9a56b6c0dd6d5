# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of this host, by way of whoever runs them: a module, the agent or a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .errors import BocageError

# Runs a command and gives (exit status, standard output, standard error).
Run = Callable[[list[str]], tuple[int, str, str]]


def must(run: Run, command: list[str], about: str | None = None) -> str:
    """Standard output of a command; raises BocageError with what it said where it failed."""
    status, output, error = run(command)
    if status != 0:
        failed = about or f"'{' '.join(command)}' failed on this host"
        raise BocageError(f"{failed}: {error.strip() or output.strip()}")
    return output


def answer_of(output: str) -> dict[str, Any] | None:
    """The document that a program of ours printed with ``--json``; None where it printed none."""
    try:
        document = json.loads(output)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def last_line(text: str) -> str:
    """The last line with anything in it, as a program says there why it ended."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")
