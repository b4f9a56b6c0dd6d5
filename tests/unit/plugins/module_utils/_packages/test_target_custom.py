# SPDX-License-Identifier: GPL-3.0-or-later
"""What a target says of its package."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import target_custom
from hypothesis import given, settings
from hypothesis import strategies as st

RAW = b"package : tis-a\n"
CONTROL: dict[str, Any] = {
    "package": "tis-a", "version": "1-2", "architecture": "x64", "section": "base", "depends": "b(>=1),c",
    "conflicts": "", "maturity": "PROD", "locale": "fr,en", "target_os": "windows", "size": 12,
}  # fmt: skip


def test_empty_fields_are_left_out() -> None:
    custom = target_custom.from_control(CONTROL, RAW)
    written = custom.to_dict()
    assert written == {
        "package": "tis-a", "version": "1-2", "architecture": "x64", "depends": "b(>=1),c", "maturity": "PROD",
        "locale": "fr,en", "target_os": "windows", "control_sha256": hashlib.sha256(RAW).hexdigest(),
    }  # fmt: skip
    assert target_custom.parse(written, "x") == custom
    assert target_custom.parse({**written, "unknown": [1]}, "x") == custom


def test_a_control_file_that_says_the_same() -> None:
    assert target_custom.differences(target_custom.from_control(CONTROL, RAW), CONTROL, RAW) == []


@pytest.mark.parametrize("name", target_custom.COMPARED)
def test_each_field_is_compared(name: str) -> None:
    custom = target_custom.from_control(CONTROL, RAW)
    assert target_custom.differences(custom, {**CONTROL, name: "other"}, RAW) == [name]
    expected = [name] if CONTROL[name] else []
    assert (
        target_custom.differences(custom, {key: value for key, value in CONTROL.items() if key != name}, RAW)
        == expected
    )


def test_another_control_file_with_the_same_fields() -> None:
    assert target_custom.differences(target_custom.from_control(CONTROL, RAW), CONTROL, RAW + b"\n") == [
        "control_sha256"
    ]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "The description of x is not an object"),
        ([], "is not an object"),
        ({}, "lacks package"),
        ({"package": "a", "version": "1"}, "lacks control_sha256"),
        ({"package": "a", "version": 1}, "has no usable text in version"),
        ({"package": "a\n", "version": "1"}, "has no usable text in package"),
        ({"package": "a", "version": "1", "depends": "x" * 4097}, "has no usable text in depends"),
        ({"package": "a", "version": "1", "control_sha256": "0" * 63}, "has no SHA-256"),
    ],
)
def test_descriptions_that_are_none(value: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence) as refused:
        target_custom.parse(value, "x")
    assert refused.value.code == "malformed"


def test_a_control_file_that_cannot_be_listed() -> None:
    with pytest.raises(BadInput, match=r"The description of the package '' lacks package\. Correct its control file"):
        target_custom.from_control({"version": "1"}, RAW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*target_custom.FIELDS, "other"]), JSON) | JSON)
@settings(max_examples=60)
def test_any_value_is_a_description_or_refused(value: Any) -> None:
    try:
        custom = target_custom.parse(value, "x")
    except Refused as refused:
        assert refused.code == "malformed"
    else:
        assert target_custom.parse(custom.to_dict(), "x") == custom
