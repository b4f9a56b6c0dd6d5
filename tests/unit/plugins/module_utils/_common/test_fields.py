# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import os
from typing import Any

import pytest
from bocage_core._common import fields
from bocage_core._common.refused import Refused

REQUIRED = frozenset({"a"})
OPTIONAL = frozenset({"b"})


def refusal(call: Any) -> str:
    with pytest.raises(Refused) as error:
        call()
    assert error.value.code == "malformed"
    return str(error.value)


def test_required_and_optional_names() -> None:
    fields.only({"a": 1}, REQUIRED, OPTIONAL, "the file")
    fields.only({"a": 1, "b": 2}, REQUIRED, OPTIONAL, "the file")
    assert refusal(lambda: fields.only({"b": 2}, REQUIRED, OPTIONAL, "the file")) == "The file lacks a."
    unknown: dict[str, Any] = {"a": 1, "c\x1b[2J": 3}
    message = refusal(lambda: fields.only(unknown, REQUIRED, OPTIONAL, "the file"))
    assert message == "The file has unknown fields: c\\x1b[2J."


@pytest.mark.parametrize("value", [None, True, -1, 11, 1.0, "1", [1]])
def test_integers_have_bounds_and_are_no_booleans(value: object) -> None:
    assert fields.integer({"n": 10}, "n", "it", 0, 10) == 10
    assert "from 0 to 10 in n" in refusal(lambda: fields.integer({"n": value}, "n", "it", 0, 10))


@pytest.mark.parametrize("value", [None, 1, "a\n", "a\x00", "\u202e", "x" * 513])
def test_words_are_printable_and_bounded(value: object) -> None:
    assert fields.text({"t": "é \N{SNOWMAN}"}, "t", "it") == "é \N{SNOWMAN}"
    refusal(lambda: fields.text({"t": value}, "t", "it"))


def test_lists_are_bounded() -> None:
    assert fields.texts({"l": ["a"]}, "l", "it", most=1) == ["a"]
    for wrong in (None, "a", ["a", "b"], [1]):
        refusal(lambda wrong=wrong: fields.texts({"l": wrong}, "l", "it", most=1))


def test_flags_are_booleans_only() -> None:
    assert fields.flag({"f": False}, "f", "it") is False
    for wrong in (None, 0, 1, "true"):
        refusal(lambda wrong=wrong: fields.flag({"f": wrong}, "f", "it"))


def test_a_key_has_one_spelling() -> None:
    for _ in range(50):
        assert fields.KEY.fullmatch(base64.b64encode(os.urandom(32)).decode())
    loose = "A" * 42 + "B="
    assert base64.b64decode(loose) == bytes(32), "a lenient reader takes a second spelling of the same key"
    assert not fields.KEY.fullmatch(loose)
