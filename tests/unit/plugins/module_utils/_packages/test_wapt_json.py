# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import datetime

import pytest
import wapt_vectors
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import wapt_json
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=("Cs",)))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("row", wapt_vectors.table("canonical.json")["rows"])
def test_what_wapt_wrote_is_written_alike(row: dict[str, str]) -> None:
    assert wapt_json.dumps(wapt_json.loads(row["canonical"].encode())).decode() == row["canonical"]


def test_moments_escapes_and_names() -> None:
    value = {"é": [1, True, None, "\x7f/\U0001f600"], "a": datetime(2020, 1, 2, 3, 4, 5), "A": 100000000000000000000}
    assert wapt_json.dumps(value) == (
        b'{"A":100000000000000000000,"a":"2020-01-02T03:04:05","\\u00e9":[1,true,null,"\\u007f/\\ud83d\\ude00"]}'
    )


@few
@given(values)
def test_what_was_written_is_read_back_and_has_one_spelling(value: object) -> None:
    written = wapt_json.dumps(value)
    assert written.isascii() and wapt_json.loads(written) == value
    assert wapt_json.dumps(wapt_json.loads(json.dumps(value, indent=1).encode())) == written


@pytest.mark.parametrize(
    "value", [{1: 2}, {"a": b""}, {"a": "\ud800"}, {"\ud800": 1}, [float("nan")], float("inf"), {1}]
)
def test_what_has_no_spelling_is_not_written(value: object) -> None:
    with pytest.raises(BadInput, match="cannot be written as WAPT's canonical JSON"):
        wapt_json.dumps(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a":1,"a":1}', "The action is not strict JSON: a name occurs twice"),
        (b'{"a":{"b":1,"b":2}}', "a name occurs twice"),
        (b'{"a":NaN}', "NaN is not a number"),
        (b'{"a":1e999}', "too large"),
        (b'"\\ud800"', "not strict JSON"),
        (b"\xff", "not strict JSON"),
        (b'\xef\xbb\xbf"a"', "not strict JSON"),
        (b"1" * 5000, "not strict JSON"),
        (b"[" * 30000, "The action is nested too deeply"),
        (b"{} x", "not strict JSON"),
    ],
)
def test_loose_json_is_refused_with_a_sentence(data: bytes, message: str) -> None:
    with pytest.raises(Refused, match=message) as refusal:
        wapt_json.loads(data, "the action")
    assert refusal.value.code == "malformed"


def test_what_is_too_long_is_not_parsed() -> None:
    with pytest.raises(Refused, match="The action has 11 bytes and at most 10 are accepted") as refusal:
        wapt_json.loads(b" " * 11, "the action", 10)
    assert refusal.value.code == "oversized"


@few
@given(st.binary(max_size=200) | st.text('{}[]":,\\u019eE.-ntf ', max_size=60).map(str.encode))
def test_fuzz_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        wapt_json.dumps(wapt_json.loads(data))
    except Refused as refusal:
        assert refusal.code == "malformed"
