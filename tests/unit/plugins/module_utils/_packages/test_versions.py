# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import wapt_vectors
from bocage_core._common.errors import BadInput
from bocage_core._packages.versions import Version, compare
from fuzzing import few
from hypothesis import example, given
from hypothesis import strategies as st

TABLE = wapt_vectors.table("versions.json")
numbers = st.integers(0, 10**20).map(str) | st.sampled_from(["0", "00", "01", "1"])
written = st.builds(
    lambda members, packaging: ".".join(members) + (f"-{packaging}" if packaging is not None else ""),
    st.lists(numbers, min_size=1, max_size=4),
    st.none() | numbers,
)


def usable(text: str) -> bool:
    try:
        Version.parse(text)
    except BadInput:
        return False
    return True


@pytest.mark.parametrize("text", sorted(TABLE["syntax"]))
def test_syntax_is_that_of_wapt(text: str) -> None:
    parts = TABLE["syntax"][text]
    if "error" in parts or not (parts["packaging"] or "0").isdigit():
        # WAPT takes 1.0-1a for a version and fails when it compares it: we refuse it at once.
        assert not usable(text)
        return
    version = Version.parse(text)
    assert list(version.members) == [parts[one] or 0 for one in ("major", "minor", "patch", "subpatch")]
    assert version.packaging == (None if parts["packaging"] is None else int(parts["packaging"]))


def test_every_pair_compares_as_in_requests_of_wapt() -> None:
    rows = [row for row in TABLE["rows"] if usable(row[0]) and usable(row[1])]
    assert len(rows) > 300
    assert [(a, b, compare(a, b)) for a, b, _, _ in rows] == [(a, b, verdict) for a, b, verdict, _ in rows]


def test_differs_from_wapt_which_compares_upgrades_in_a_second_way() -> None:
    """For upgrades WAPT says that 1.0.0 is above 1.0-1, and for dependencies the contrary: here one answer serves both."""
    disagreeing = [row for row in TABLE["rows"] if usable(row[0]) and usable(row[1]) and row[2] != row[3]]
    assert ["1.0.0", "1.0-1", -1, 1] in disagreeing
    assert all(compare(a, b) == in_requests for a, b, in_requests, _ in disagreeing)


def test_differs_from_wapt_which_compares_what_is_no_version() -> None:
    """WAPT guesses an order for 1.0a-1 or five members in one place and refuses them in another; we refuse them."""
    judged = {text for row in TABLE["rows"] for text in row[:2] if not usable(text)}
    assert {"", "1.0a-1", "1.0.0.0.0", "v1.0", "1:1.0-1", "1.0 -1", "1.0-rc1", "2.0-1-1", "1."} <= judged
    assert all(
        "error" in TABLE["syntax"].get(text, {"error": ""}) or not text.split("-")[1].isdigit() for text in judged
    )


@pytest.mark.parametrize("text", ["", "1٢", "1\n", "-1", "1-", ".1", "1..2", "1_0", "+1", "1" * 129])
def test_what_is_no_version_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(BadInput, match=r"The version '.*' cannot be used; write one to four numbers"):
        compare("1", text)


def test_a_version_keeps_how_it_was_written_and_equals_its_other_spellings() -> None:
    assert str(Version.parse("1.02-01")) == "1.02-01"
    assert {Version.parse("1"), Version.parse("1.0"), Version.parse("1.0.0.0")} == {Version.parse("1.00")}
    assert Version.parse("1") < Version.parse("1-0") < Version.parse("1-1") <= Version.parse("1.0-01")
    assert Version.parse("2") > Version.parse("1-9") and Version.parse("2") >= Version.parse("2")
    assert Version.parse("1") != "1"


@few
@given(written, written, written)
@example("1.0", "1.0-0", "1")
def test_versions_have_one_order(a: str, b: str, c: str) -> None:
    assert compare(a, a) == 0
    assert compare(a, b) == -compare(b, a)
    ordered = sorted([a, b, c], key=Version.parse)
    assert compare(ordered[0], ordered[1]) <= 0 and compare(ordered[1], ordered[2]) <= 0
    assert compare(ordered[0], ordered[2]) <= 0
    if compare(a, b) == 0:
        assert hash(Version.parse(a)) == hash(Version.parse(b)) and compare(a, c) == compare(b, c)


@few
@given(st.text(max_size=150) | st.text("0123456789.-", max_size=20))
def test_fuzz_text_is_a_version_or_refused(text: str) -> None:
    assert not usable(text) or str(Version.parse(text)) == text
