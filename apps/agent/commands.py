# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the host's own programs."""

from __future__ import annotations

import os
import re
import subprocess

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def run(command: list[str]) -> tuple[int, str, str]:
    """Exit status, output and errors of a program; one that is absent or hangs has failed, with a reason."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=30,
            check=False,
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")},
        )
    except FileNotFoundError:
        return 127, "", f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return 124, "", f"{command[0]} did not answer in 30 seconds"
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def sentence(text: str) -> str:
    """Words fit for a report: one line, nothing that controls a terminal, not endless."""
    return _UNPRINTABLE.sub(" ", text.encode("utf-8", "replace").decode("utf-8")).strip()[:500]
