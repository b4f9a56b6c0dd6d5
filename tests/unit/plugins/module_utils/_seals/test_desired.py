# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
from typing import Any

import pytest
from bocage_core._common import dsse
from bocage_core._common.errors import BadInput
from bocage_core._seals import desired
from hypothesis import given
from hypothesis import strategies as st

KEY = b"k" * 32
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def spelled(value: Any) -> str:
    """Python's own words for a value, where the order of names in a mapping does not count."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{name!r}:{spelled(inner)}" for name, inner in value.items())) + "}"
    return "[" + ",".join(map(spelled, value)) + "]" if isinstance(value, list) else repr(value)


@given(values, values)
def test_digests_are_equal_where_the_values_are(first: Any, second: Any) -> None:
    same = spelled(first) == spelled(second)
    assert (desired.part_digest(KEY, first) == desired.part_digest(KEY, second)) == same


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1", 1),
        (1, True),
        (1, 1.0),
        (0.5, "0.5"),
        (0.5, ["float", "0.5"]),
        ("x", b"x"),
        ([], {}),
        ({1: 2}, {"1": 2}),
        ("2026-01-31", datetime.date(2026, 1, 31)),
        ({1}, [1]),
        (None, "null"),
    ],
)
def test_values_of_different_types_differ(first: object, second: object) -> None:
    assert desired.part_digest(KEY, first) != desired.part_digest(KEY, second)


def test_what_has_no_fixed_spelling_is_no_input() -> None:
    with pytest.raises(BadInput, match="type object cannot be an input"):
        desired.part_digest(KEY, [object()])


def test_text_of_a_class_of_its_own_is_text() -> None:
    class Tagged(str):
        pass

    assert desired.part_digest(KEY, {Tagged("a"): Tagged("b")}) == desired.part_digest(KEY, {"a": "b"})


def test_the_key_follows_the_seal_key_and_is_another() -> None:
    private, other = dsse.generate_private_key(), dsse.generate_private_key()
    key = desired.derive_key(private)
    assert key == desired.derive_key(private + b"\n")
    assert key != desired.derive_key(other)
    assert (len(key), key.hex() == dsse.private_key_bytes(private).hex()) == (32, False)
    assert desired.part_digest(key, "secret") != desired.part_digest(desired.derive_key(other), "secret")


def test_digests_follow_role_parts_and_facts() -> None:
    parts = {"variable mesh_mtu": "0" * 64}
    base = desired.base_digest("mesh", parts)
    assert base == desired.base_digest("mesh", dict(parts))
    assert base != desired.base_digest("names", parts)
    assert base != desired.base_digest("mesh", {"variable mesh_mtu": "1" + "0" * 63})
    assert desired.full_digest(base, {}) != desired.full_digest(base, {"kernel": "6.1"})


def test_reasons_name_what_is_different() -> None:
    old = {"variable mesh_mtu": "a" * 16, "file tasks/main.yml": "b" * 16, "variable gone": "c" * 16}
    new = {"variable mesh_mtu": "d" * 64, "file tasks/main.yml": "b" * 64, "input enrolment": "e" * 64}
    assert desired.reasons("mesh", old, new, 5) == [
        "variable gone is gone",
        "variable mesh_mtu changed",
        "input enrolment is new",
    ]
    assert desired.reasons("mesh", old, old, 5) == []
    assert desired.reasons("mesh", desired.short_parts(new), new, 5) == []


def test_reasons_are_few() -> None:
    many = {f"file {number:02d}": "a" * 16 for number in range(8)}
    assert desired.reasons("mesh", {}, many, 2) == ["file 00 is new", "file 01 is new", "6 more parts of mesh changed"]
    assert desired.reasons("mesh", {}, many, 7)[-1] == "1 more part of mesh changed"
