# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which of five states a host is. Pure: the same evidence at the same time gives the same verdict.

Reasons name moments, never ages, so that they change only with a new report.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

from .._common import timestamps

State = Literal["fresh", "stale", "lost", "untrusted", "missing"]
STATES: tuple[State, ...] = ("fresh", "stale", "lost", "untrusted", "missing")

# A report of the future would keep a silent host fresh; a clock may be this much ahead.
CLOCK_WINDOW = timedelta(seconds=300)


@dataclass(frozen=True)
class Thresholds:
    """How old a report may be. This is the only place where ages are compared."""

    fresh_seconds: int = 180
    stale_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one host, verified already."""

    name: str
    enrolled: bool
    distrust: str | None = None
    """Why its word is not taken."""
    issued_at: datetime | None = None
    """Of its newest report that counts, or of the last one that was ever seen."""
    received_at: datetime | None = None
    """What the registry says of the same report: it may make a host older, never younger."""
    withheld: bool = False
    """The report itself is no longer to be had."""


@dataclass(frozen=True, slots=True)
class Verdict:
    state: State
    reason: str | None = None


def classify(evidence: Evidence, thresholds: Thresholds, now: datetime, *, answered: bool = True) -> Verdict:
    """The verdict on a host; `answered` is false where the registry did not answer and a cache stands in for it."""
    if evidence.distrust is not None:
        return Verdict("untrusted", evidence.distrust)
    if evidence.issued_at is None:
        if evidence.enrolled:
            return Verdict("missing", f"No report of {evidence.name} has arrived yet.")
        return Verdict("missing", f"The host {evidence.name} is not enrolled.")
    if evidence.withheld:
        return Verdict("lost", f"The registry no longer has the report of {evidence.name} of {_written(evidence)}.")
    ahead = evidence.received_at is not None and evidence.issued_at - evidence.received_at > CLOCK_WINDOW
    ahead = ahead or evidence.issued_at - now > CLOCK_WINDOW
    moment = evidence.issued_at if evidence.received_at is None else min(evidence.issued_at, evidence.received_at)
    age = (now - moment).total_seconds()
    if age > thresholds.stale_seconds:
        return Verdict("lost", f"The last report of {evidence.name} is of {_written(evidence)}.")
    if age > thresholds.fresh_seconds:
        return Verdict("stale", f"The last report of {evidence.name} is of {_written(evidence)}.")
    if not answered:
        return Verdict(
            "stale", f"The registry did not answer; the report of {evidence.name} is of {_written(evidence)}."
        )
    if ahead:
        return Verdict("fresh", f"The clock of {evidence.name} is ahead: its report is of {_written(evidence)}.")
    return _FRESH


_FRESH = Verdict("fresh")


def _written(evidence: Evidence) -> str:
    return timestamps.write(cast(datetime, evidence.issued_at))
