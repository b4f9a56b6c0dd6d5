# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in which ring, for ever, and when a site may be changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.rings import may_change, place, read_rings, read_windows, ring_of
from hypothesis import given, settings
from hypothesis import strategies as st

RINGS = read_rings(
    [
        {"name": "first", "groups": ["pilots"], "hosts": ["desk1"], "share_percent": 10},
        {"name": "second", "share_percent": 30},
        {"name": "rest", "share_percent": 60},
    ],
    "the rollout of a test",
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_hosts_and_groups_come_before_shares() -> None:
    assert ring_of(RINGS, "salt", "some-id", "desk1") == 0
    assert ring_of(RINGS, "salt", "some-id", "desk9", ["other", "pilots"]) == 0


def test_shares_are_kept_by_many_hosts() -> None:
    counts = [0, 0, 0]
    for number in range(4000):
        index = ring_of(RINGS, "salt", f"host-{number}", f"h{number}")
        assert index is not None
        counts[index] += 1
    assert [round(count / 400) for count in counts] == [1, 3, 6]


def test_a_salt_mixes_anew_and_a_share_below_all_leaves_hosts_out() -> None:
    half = read_rings([{"name": "half", "share_percent": 50}], "x")
    mine = [ring_of(half, "one", f"host-{number}", "") for number in range(200)]
    assert mine != [ring_of(half, "two", f"host-{number}", "") for number in range(200)]
    assert {0, None} == set(mine)


@settings(max_examples=60)
@given(st.sets(st.text(min_size=1, max_size=20), min_size=1, max_size=30), st.text(max_size=10))
def test_who_joins_or_leaves_moves_nobody_else(hosts: set[str], salt: str) -> None:
    alone = {host: ring_of(RINGS, salt, host, "") for host in hosts}
    more = {host: ring_of(RINGS, salt, host, "") for host in {*hosts, "a new one"}}
    assert {host: more[host] for host in hosts} == alone
    assert all(0 <= place(host, salt) < 1 for host in hosts)


@pytest.mark.parametrize(
    ("rings", "sentence"),
    [
        ([], "needs a list of 1 to 20 rings"),
        ([{"name": "a", "share_percent": 60}, {"name": "b", "share_percent": 50}], "sum to 110 percent"),
        ([{"name": "a", "share_percent": 1}, {"name": "a", "share_percent": 1}], "two rings of the name a"),
        ([{"name": "a"}], "The ring a of the rollout of a test names nobody"),
        ([{"name": "A!", "share_percent": 1}], "no usable text in name"),
        ([{"name": "a", "share": 1}], "unknown fields: share"),
        ([{"name": "a", "share_percent": 101}], "an integer from 0 to 100 in share_percent"),
        ("all", "needs a list of 1 to 20 rings"),
    ],
)
def test_rings_that_cannot_be(rings: object, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        read_rings(rings, "the rollout of a test")


def test_windows_of_a_site() -> None:
    windows = read_windows({"lyon": [{"days": ["fri"], "from": "22:00", "until": "04:00"}]}, "x")
    assert may_change(windows, "lyon", at("2026-11-20T23:00:00"))
    assert may_change(windows, "lyon", at("2026-11-21T03:59:59")), "it goes on into Saturday"
    assert not may_change(windows, "lyon", at("2026-11-21T04:00:00"))
    assert not may_change(windows, "lyon", at("2026-11-20T03:00:00")), "of Thursday"
    assert not may_change(windows, "lyon", at("2026-11-21T23:00:00"))
    assert may_change(windows, "another", at("2026-11-21T04:00:00"))


def test_a_window_of_one_day() -> None:
    windows = read_windows({"lyon": [{"days": ["mon", "tue"], "from": "08:00", "until": "09:30"}]}, "x")
    assert may_change(windows, "lyon", at("2026-11-23T09:29:59"))
    assert not may_change(windows, "lyon", at("2026-11-23T09:30:00"))
    assert not may_change(windows, "lyon", at("2026-11-25T08:10:00"))


@pytest.mark.parametrize(
    ("windows", "sentence"),
    [
        ({"lyon": []}, "are no list of 1 to 50"),
        ({"lyon": [{"days": ["someday"], "from": "08:00", "until": "09:00"}]}, "no usable days; give some of mon, tue"),
        ({"lyon": [{"days": ["mon"], "from": "8", "until": "09:00"}]}, "has the time '8'; give hours and minutes"),
        ({"lyon": [{"days": ["mon"], "from": "08:00", "until": "08:00"}]}, "begins when it ends"),
        ({"lyon": [{"days": ["mon"], "from": "08:00"}]}, "lacks until"),
    ],
)
def test_windows_that_cannot_be(windows: object, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        read_windows(windows, "the rollout of a test")
