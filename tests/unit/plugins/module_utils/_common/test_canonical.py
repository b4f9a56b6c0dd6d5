# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from bocage_core._common import canonical
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from hypothesis import given
from hypothesis import strategies as st

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner),
)


@given(values)
def test_what_was_written_is_read_back_and_has_one_spelling(value: object) -> None:
    written = canonical.dumps(value)
    assert canonical.loads(written) == value
    assert canonical.dumps(canonical.loads(written)) == written


def test_names_are_sorted_and_nothing_is_escaped_needlessly() -> None:
    assert canonical.dumps({"b": [1, True, None], "a": "é"}) == '{"a":"é","b":[1,true,null]}'.encode()


@pytest.mark.parametrize("value", [1.5, {1: 2}, {"a": {"b": 0.5}}, b"", {"a": "\ud800"}, {1}])
def test_ambiguous_values_are_not_written(value: object) -> None:
    with pytest.raises(BadInput, match="canonical JSON"):
        canonical.dumps(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":1.0}', "not an integer"),
        (b'{"a":1e9}', "not an integer"),
        (b'{"a":NaN}', "not an integer"),
        (b'{"a":-Infinity}', "not an integer"),
        (b'"\\ud800"', "strict JSON"),
        (b"\xff", "strict JSON"),
        (b'\xff\xfe"\x00a\x00"\x00', "strict JSON"),
        (b"1" * 5000, "strict JSON"),
        (b"[" * 30000, "nested too deeply"),
        (b"", "strict JSON"),
        (b"{} x", "strict JSON"),
    ],
)
def test_loose_json_is_refused_with_a_sentence(data: bytes, message: str) -> None:
    with pytest.raises(Refused, match=message) as refusal:
        canonical.loads(data, "the report of gw1")
    assert refusal.value.code == "malformed"
    assert str(refusal.value).startswith("The report of gw1")


@given(st.binary(max_size=200))
def test_fuzz_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        canonical.loads(data)
    except Refused as refusal:
        assert refusal.code == "malformed"
