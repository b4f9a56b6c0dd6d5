# SPDX-License-Identifier: GPL-3.0-or-later
"""When a package is audited: its control says how often, as `30m`, `12h`, `3d` or `2w`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from bocage_core._common import timestamps

_EVERY = re.compile(r"([0-9]{1,6})\s*([mhdw]?)")
_SECONDS = {"": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def interval(schedule: str) -> timedelta | None:
    """A bare number is of minutes; None where nothing is said, or nothing that is known."""
    found = _EVERY.fullmatch(schedule.strip().lower())
    if found is None or int(found[1]) == 0:
        return None
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def is_due(schedule: str, last: str | None, now: datetime) -> bool:
    every = interval(schedule)
    if every is None:
        return False
    if last is None:
        return True
    before = timestamps.parse(last, "the last audit")
    # one of the future was made by another clock
    return before > now or now - before >= every
