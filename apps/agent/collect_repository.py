# SPDX-License-Identifier: GPL-3.0-or-later
"""The section `repository`: what ends of the packages that this host serves, by the file that the programs there wrote.

They write times, and what they mean is found here at each report: an alert comes also where those programs no longer run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bocage_core._common.errors import BocageError
from bocage_core._packages import repository_ends

from .commands import sentence

MAX_SHOWN = 20
_WORDS = 200
# nothing that waits for a writer, and no other file by a link: the folder belongs to a user who is not root
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def collect_repository(folder: Path, now: datetime) -> dict[str, Any] | None:
    """The section; None on a host that serves no repository, or where nothing was published yet."""
    path = folder / repository_ends.FILE
    try:
        found = repository_ends.judged(repository_ends.parse(_read(path), f"the file {path}"), now)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (BocageError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        problem = (
            f"The ends of what this host serves cannot be read from {path}: {reason}; remove it, the next run writes it"
        )
        return _section([], sentence(problem)[:_WORDS])
    return _section(found, "")


def _section(found: list[dict[str, Any]], problem: str) -> dict[str, Any]:
    urgent = [one for one in found if one["state"] in ("alert", "expired")]
    return {
        "ends": [_shown(one) for one in found[:MAX_SHOWN]],
        "end_count": len(found),
        "expiring": [sentence(repository_ends.sentence(one))[:_WORDS] for one in urgent[:MAX_SHOWN]],
        "expiring_count": len(urgent),
        "problem": problem,
    }


def _shown(one: Mapping[str, Any]) -> dict[str, Any]:
    # whole seconds that are left would make each report another one
    return {
        "name": sentence(one["role"])[:_WORDS],
        "kind": one["kind"],
        "ends_at": one["expires"],
        "state": one["state"],
        "signed_by": one["signed_by"],
    }


def _read(path: Path) -> bytes:
    descriptor = os.open(path, _OPEN)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BocageError("it is no file")
        raw = stream.read(repository_ends.MAX_BYTES + 1)
    if len(raw) > repository_ends.MAX_BYTES:
        raise BocageError(f"it is larger than {repository_ends.MAX_BYTES} bytes")
    return raw
