# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._seals import desired
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_choice import max_age_seconds, must_be_asked

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ROLES: dict[str, Any] = {"host": {"base": "aa", "facts": []}, "mesh": {"base": "bb", "facts": ["kernel"]}}


def seal(base: str, facts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "status": "intact",
        "digest": desired.full_digest(base, facts),
        "facts": facts,
        "sealed_at": timestamps.write(NOW - timedelta(days=1)),
        "findings": [],
        **changes,
    }


def reported(**changes: Any) -> dict[str, Any]:
    seals = {"host": seal("aa", {}), "mesh": seal("bb", {"kernel": "6.1"})}
    return {"state": "fresh", "seals": {**seals, **changes}}


def why(report: dict[str, Any] | None, days: int = 7) -> str:
    return must_be_asked(report, ROLES, "gw1", days, NOW)


def test_a_host_whose_report_agrees_is_left_alone() -> None:
    assert why(reported()) == ""


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (None, "its state is unknown"),
        ({"state": "missing"}, "its state is missing"),
        ({**reported(), "state": "stale"}, "its state is stale"),
        ({**reported(), "state": "untrusted"}, "its state is untrusted"),
        ({"state": "fresh"}, "host was never sealed"),
        (reported(mesh=seal("cc", {"kernel": "6.1"})), "mesh: what is desired has changed"),
        (
            reported(mesh={**seal("bb", {"kernel": "6.1"}), "facts": {"kernel": "6.2"}}),
            "mesh: what is desired has changed",
        ),
        (reported(mesh=seal("bb", {}, status="broken", findings=["/etc/x was altered."])), "mesh: /etc/x was altered."),
        (reported(mesh=seal("bb", {}, status="refused")), "mesh: the seal is refused"),
        (reported(host=seal("aa", {}, sealed_at="2026-10-01T00:00:00Z")), "host: its seal is old"),
        (reported(host=seal("aa", {}, sealed_at="yesterday")), "host: its seal has no date"),
    ],
)
def test_any_other_is_asked(report: dict[str, Any] | None, reason: str) -> None:
    assert why(report) == reason


def test_a_role_that_no_longer_applies_asks_nobody() -> None:
    assert why(reported(registry=seal("dd", {}, status="broken"))) == ""


def test_limits_of_age_are_spread_and_stay_the_same() -> None:
    ages = [max_age_seconds(f"host{number}", 8) for number in range(200)]
    assert ages == [max_age_seconds(f"host{number}", 8) for number in range(200)]
    assert all(age is not None and 6 * 86400 <= age <= 8 * 86400 for age in ages)
    assert len(set(ages)) > 190
    assert max_age_seconds("host1", 0) is None
    assert why(reported(host=seal("aa", {}, sealed_at="2020-01-01T00:00:00Z")), days=0) == ""
