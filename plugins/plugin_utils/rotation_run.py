# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run is at work on a rotation: its process, so that a run that was interrupted stands in nobody's way."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible_collections.bocage.fleet.plugins.module_utils._common.atomic import write_file
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput


def claim(path: Path, process: int | None = None) -> None:
    """Refuse a second run at the same time; workers of Ansible are children of the run."""
    own = os.getppid() if process is None else process
    holder = other_run(path, own)
    if holder is not None:
        raise BadInput(f"Process {holder} on this machine is at work on the rotation; wait for its end, or end it.")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(path, json.dumps({"process": own, "started": _started(own)}).encode(), 0o600)


def other_run(path: Path, process: int | None = None) -> int | None:
    """The process of another run that is at work, or None."""
    holder = _holder(path)
    return None if holder == (os.getppid() if process is None else process) else holder


def _holder(path: Path) -> int | None:
    """The process that claimed it, if that lives; the time of its start tells it from a later one of its number."""
    try:
        claimed = json.loads(path.read_bytes())
        process, started = int(claimed["process"]), claimed["started"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return process if started is not None and _started(process) == started else None


def _started(process: int) -> str | None:
    try:
        # proc(5): the name may hold spaces and ends with the last bracket; the start is field 22
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
