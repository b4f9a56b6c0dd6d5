# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb answers: a document for programs, lines for people, and the exit code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bocage_core._common.errors import BadInput

GOOD, REFUSED, BAD_INPUT, FAILED = 0, 1, 2, 3
# What would control a terminal or turn the direction of writing in what a stranger wrote.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class Answer:
    document: dict[str, Any]
    lines: Sequence[str]
    status: int = GOOD


def verdict(accepted: bool, reason: str, subject: str, **more: Any) -> Answer:
    """The answer of every verb that judges: {"accepted": bool, "reason": text}, and what else it found."""
    line = f"{subject}: accepted" if accepted else f"{subject}: refused. {reason}"
    return Answer({"accepted": accepted, "reason": reason, **more}, [line], GOOD if accepted else REFUSED)


def plain(text: object) -> str:
    """Text of a stranger for one line of a terminal."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], str(text))


def moment(text: str | None) -> datetime:
    """The time of `--at`, in UTC where it names no zone; without one it is now. Raises BadInput."""
    if text is None:
        return datetime.now(tz=UTC)
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"--at {plain(text)[:60]} is not a time such as 2026-01-31T08:30:00Z.") from error
