# SPDX-License-Identifier: GPL-3.0-or-later
"""From where packages and metadata came lately: copies of the host's own site, or elsewhere. Pure.

Kept are the sums of two days by UTC, today and yesterday. The last run alone would forget a package at the next look for
news, two hours later; sums since the beginning would hide what changed. Two days need eight numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bocage_core._common import timestamps

from .packages_ports import Taken

_COUNTS = ("site_bytes", "site_requests", "elsewhere_bytes", "elsewhere_requests")
_NOTHING = dict.fromkeys(_COUNTS, 0)
_DAY = timedelta(days=1)


def added(fact: Mapping[str, Any] | None, taken: Taken, now: datetime) -> dict[str, Any]:
    """What is kept, with what was taken since."""
    today, yesterday = _days(fact, now)
    return {
        "day": _date(now),
        "today": {name: count + getattr(taken, name) for name, count in today.items()},
        "yesterday": yesterday,
        "site_has_copy": taken.site_has_copy,
    }


def section(fact: Mapping[str, Any] | None, now: datetime) -> dict[str, Any]:
    """What the report says; a share only where something came, and where the site has a copy that it could come from."""
    today, yesterday = _days(fact, now)
    found: dict[str, Any] = {name: today[name] + yesterday[name] for name in _COUNTS}
    total = found["site_bytes"] + found["elsewhere_bytes"]
    if total and fact is not None and fact["site_has_copy"]:
        # downwards, so that 100 is all of it
        found["site_percent"] = found["site_bytes"] * 100 // total
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"since": timestamps.write(midnight - _DAY), **found}


def _days(fact: Mapping[str, Any] | None, now: datetime) -> tuple[dict[str, int], dict[str, int]]:
    """Today's sums and yesterday's; what is of another day, also of one to come, does not count."""
    if fact is not None and fact["day"] == _date(now):
        return dict(fact["today"]), dict(fact["yesterday"])
    if fact is not None and fact["day"] == _date(now - _DAY):
        return dict(_NOTHING), dict(fact["today"])
    return dict(_NOTHING), dict(_NOTHING)


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()
