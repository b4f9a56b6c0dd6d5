# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from bocage_core._common import timestamps
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from hypothesis import given
from hypothesis import strategies as st


@given(st.datetimes(min_value=datetime(1000, 1, 1)).map(lambda moment: moment.replace(microsecond=0, tzinfo=UTC)))
def test_round_trip(moment: datetime) -> None:
    assert timestamps.parse(timestamps.write(moment), "it") == moment


def test_other_zones_are_written_in_utc() -> None:
    moment = datetime(2026, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=1)))
    assert timestamps.write(moment) == "2026-01-31T08:30:00Z"


def test_a_time_without_a_zone_is_not_written() -> None:
    with pytest.raises(BadInput, match="without a zone"):
        timestamps.write(datetime(2026, 1, 31))


@pytest.mark.parametrize(
    "text",
    [
        None,
        1,
        "",
        "2026-01-31",
        "2026-01-31T08:30:00",
        "2026-01-31T08:30:00+00:00",
        "2026-01-31T08:30:00.5Z",
        "2026-02-30T08:30:00Z",
        "2026-01-31T08:30:60Z",
        "2026-01-31t08:30:00z",
        "\u0662026-01-31T08:30:00Z",
        "2026-01-31T08:30:00Z\n",
    ],
)
def test_every_other_spelling_is_refused(text: object) -> None:
    with pytest.raises(Refused, match="issued_at is not a UTC time") as refusal:
        timestamps.parse(text, "issued_at")
    assert refusal.value.code == "malformed"
