# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bocage_core._state.inventory_states import Evidence, Thresholds, Verdict, classify

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LIMITS = Thresholds(fresh_seconds=180, stale_seconds=3600)


def verdict(age: int | None, *, answered: bool = True, **changes: Any) -> Verdict:
    issued = None if age is None else NOW - timedelta(seconds=age)
    return classify(
        Evidence(**{"name": "gw1", "enrolled": True, "issued_at": issued} | changes), LIMITS, NOW, answered=answered
    )


@pytest.mark.parametrize(
    ("age", "state"), [(0, "fresh"), (180, "fresh"), (181, "stale"), (3600, "stale"), (3601, "lost")]
)
def test_limits_belong_to_the_younger_state(age: int, state: str) -> None:
    assert verdict(age).state == state


def test_missing() -> None:
    assert verdict(None) == Verdict("missing", "No report of gw1 has arrived yet.")
    assert verdict(None, enrolled=False) == Verdict("missing", "The host gw1 is not enrolled.")


def test_distrust_is_stronger_than_age() -> None:
    assert verdict(5, distrust="Because.") == Verdict("untrusted", "Because.")


def test_a_registry_makes_a_report_older_and_never_younger() -> None:
    assert verdict(10, received_at=NOW - timedelta(seconds=500)).state == "stale"
    assert verdict(500, received_at=NOW).state == "stale"


def test_a_report_of_the_future_ages_from_when_it_came() -> None:
    ahead = verdict(-7200, received_at=NOW - timedelta(seconds=10))
    assert ahead.state == "fresh" and "is ahead" in str(ahead.reason)
    assert verdict(-7200, received_at=NOW - timedelta(seconds=9000)).state == "lost"
    assert verdict(-200, received_at=NOW).reason is None, "within the window nothing is said"


def test_silence_of_the_registry() -> None:
    assert verdict(10, answered=False).state == "stale"
    assert verdict(9000, answered=False).state == "lost"
    assert verdict(None, answered=False).state == "missing"


def test_reasons_hold_no_ages() -> None:
    first = classify(Evidence("gw1", True, issued_at=NOW - timedelta(hours=2)), LIMITS, NOW)
    later = classify(Evidence("gw1", True, issued_at=NOW - timedelta(hours=2)), LIMITS, NOW + timedelta(hours=1))
    assert first == later == Verdict("lost", "The last report of gw1 is of 2026-01-31T10:00:00Z.")
