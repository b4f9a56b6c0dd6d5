# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the last report, in a small file: for people, and for who watches an agent on trial.

The names in it stay as they are: an agent reads here what an older or a newer one wrote.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bocage_core._common import atomic
from bocage_core._common.errors import BocageError

from .commands import sentence

STATUS_FILE = "status.json"


@dataclass(frozen=True)
class Outcome:
    """Of one run that made a report."""

    agent: str | None
    """The version that made it."""
    delivered: bool
    """Whether the registry has this very report."""
    refused: bool
    """Whether the registry answered and did not take it."""
    problem: str


def read_status(path: Path) -> dict[str, Any]:
    """The last run's outcome; a damaged file is as good as none."""
    try:
        document = json.loads(atomic.read_bounded(path, 65536))
    except (FileNotFoundError, ValueError, BocageError):
        return {}
    return document if isinstance(document, dict) else {}


def read_outcome(path: Path) -> Outcome | None:
    document = read_status(path)
    counter, accepted = document.get("last_counter"), document.get("accepted_counter")
    if not isinstance(counter, int):
        return None
    agent = document.get("agent")
    return Outcome(
        agent=agent if isinstance(agent, str) else None,
        delivered=isinstance(accepted, int) and accepted >= counter,
        refused=document.get("refused") is True,
        problem=sentence(str(document.get("last_problem") or ""))[:200],
    )
