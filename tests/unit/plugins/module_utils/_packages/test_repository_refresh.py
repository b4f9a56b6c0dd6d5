# SPDX-License-Identifier: GPL-3.0-or-later
"""Renewal of the two online roles, and who is told in time that others are about to expire."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_ends
from bocage_core._packages.repository_refresh import OnlineKeys, due, expiring, refresh
from signed_repository import NOW, SignedRepository, signers

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    found = SignedRepository(tmp_path)
    found.publish("base/a_1.wapt")
    return found


def states(signed: SignedRepository, now: Any) -> dict[str, str]:
    return {one["role"]: one["state"] for one in expiring(signed.store, now)}


def test_nothing_is_written_while_all_is_fresh(signed: SignedRepository) -> None:
    assert refresh(signed.path, signed.holders.online, NOW + HOUR)["written"] == {}


def test_the_timestamp_is_renewed_by_hours_and_the_snapshot_by_days(signed: SignedRepository) -> None:
    assert refresh(signed.path, signed.holders.online, NOW + 7 * HOUR)["written"] == {"timestamp": 3}
    assert refresh(signed.path, signed.holders.online, NOW + 2 * DAY)["written"] == {"snapshot": 3, "timestamp": 4}
    assert signed.client().update(at=NOW + 2 * DAY).snapshot == 3


@pytest.mark.parametrize("hours", [0, 1, 5, 7, 30, 47, 49, 100, 200, 400])
def test_what_is_due_is_what_is_written(signed: SignedRepository, hours: int) -> None:
    at = NOW + hours * HOUR
    foreseen = due(signed.store, at)
    assert refresh(signed.path, signed.holders.online, at)["written"] == foreseen
    assert due(signed.store, at) == {}


def test_readers_go_on_for_30_days_without_any_holder(signed: SignedRepository) -> None:
    client = signed.client()
    for day in range(30):
        at = NOW + day * DAY
        refresh(signed.path, signed.holders.online, at)
        client.update(at=at)
    with pytest.raises(Refused, match="has expired"):
        client.update(at=NOW + 31 * DAY)


def test_alerts_come_ten_days_before_and_a_long_weekend_is_survived(signed: SignedRepository) -> None:
    assert set(states(signed, NOW + HOUR).values()) == {"good"}
    later = NOW + 17 * DAY
    refresh(signed.path, signed.holders.online, later)
    assert states(signed, later)["targets"] == "renew"
    assert states(signed, later)["root"] == "good"
    friday = NOW + 21 * DAY
    assert states(signed, friday)["base"] == "alert"
    refresh(signed.path, signed.holders.online, friday + 4 * DAY)
    assert len(signed.client().update(at=friday + 4 * DAY)) == 1
    found = expiring(signed.store, NOW + 31 * DAY)
    assert found[0]["state"] == "expired"
    assert found[0]["seconds_left"] < 0
    assert {one["signed_by"] for one in found if one["role"] in ("timestamp", "snapshot")} == {"publisher"}
    assert {one["signed_by"] for one in found if one["role"] in ("root", "targets", "base")} == {"holders"}
    assert states(signed, NOW + 310 * DAY)["root"] == "alert"


def test_what_is_said_is_plain_data(signed: SignedRepository) -> None:
    report = refresh(signed.path, signed.holders.online, NOW)
    one = next(one for one in report["expiries"] if one["role"] == "timestamp")
    assert one == {
        "role": "timestamp", "kind": "metadata", "version": 2, "expires": "2026-11-22T12:00:00Z", "seconds_left": 86400, "state": "good",
        "signed_by": "publisher",
    }  # fmt: skip
    assert report["finished"] is False


def test_a_stranger_cannot_refresh(signed: SignedRepository) -> None:
    stranger = OnlineKeys(tuple(signers()), tuple(signers()))
    before = (signed.public / "metadata/timestamp.json").read_bytes()
    with pytest.raises(Exception, match="The keys given do not suffice to sign the snapshot under the root 1"):
        refresh(signed.path, stranger, NOW + 3 * DAY)
    assert (signed.public / "metadata/timestamp.json").read_bytes() == before


def test_the_margins_fit_the_lifetimes() -> None:
    """A publisher that stands still for four days loses its timestamp, which is what hosts are told of, and no more."""
    assert repository_ends.RENEW_SNAPSHOT > 4 * DAY
    assert repository_ends.ALERT_LIST >= 10 * DAY
    assert repository_ends.RENEW_TIMESTAMP > repository_ends.ALERT_TIMESTAMP >= 12 * HOUR
