# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One value against its description."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_core._common.option_check import Unusable, has_type, problems_of, shown


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("str", ["a", "", 3, 2.5], [True, [], {}]),
        ("path", ["/etc"], [["/etc"]]),
        ("int", [3, "3", "-3"], [True, "three", 2.5, "2.5", []]),
        ("float", [3, 2.5, "2.5"], [True, "x", None]),
        ("bool", [True, "yes", "off", 0, "TRUE"], ["maybe", 2, []]),
        ("list", [[], (1,)], ["a,b", {}, 1]),
        ("dict", [{}], [[], "a=b"]),
        ("raw", [1, "x", []], []),
    ],
)
def test_types(kind: str, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not has_type(value, kind)] == []
    assert [value for value in bad if has_type(value, kind)] == []


def problems(value: Any, option: dict[str, Any]) -> list[str]:
    return [f"{'.'.join(path)} {text}" for path, text in problems_of(value, option, ("x",))]


def test_choices() -> None:
    option = {"type": "str", "choices": ["a", "b"]}
    assert problems("a", option) == []
    assert problems("c", option) == ["x must be one of a, b, not 'c'."]
    assert problems(1, {"type": "int", "choices": [1, 2]}) == []
    assert problems("2", {"type": "int", "choices": [1, 2]}) == []


def test_nothing_is_allowed_where_nothing_is_the_default() -> None:
    assert problems(None, {"type": "str"}) == []
    assert problems(None, {"type": "str", "default": "a"}) == ["x is empty: give it a value or remove it."]
    assert problems(None, {"type": "str", "required": True}) == ["x is empty: give it a value or remove it."]


def test_lists_say_which_item() -> None:
    assert problems(["a", ["b"]], {"type": "list", "elements": "str"}) == ["x item 2 must be a string, not ['b']."]
    assert problems(["a", "c"], {"type": "list", "elements": "str", "choices": ["a", "b"]}) == [
        "x item 2 must be one of a, b, not 'c'."
    ]


def test_mappings_are_checked_key_by_key() -> None:
    option = {"type": "dict", "options": {"port": {"type": "int", "required": True}, "name": {"type": "str"}}}
    assert problems({"port": 1}, option) == []
    assert problems({"prot": 1}, option) == ["x.prot is unknown; did you mean port?", "x.port is missing."]
    assert problems({"port": "a", "colour": 1}, option) == [
        "x.colour is unknown; known are port, name.",
        "x.port must be an integer, not 'a'.",
    ]
    rules = {"type": "list", "elements": "dict", "options": option["options"]}
    assert problems([{"port": 1}, {"port": []}], rules) == ["x item 2 (port) must be an integer, not []."]


def test_a_template_that_failed_is_said_once() -> None:
    assert problems(Unusable("'y' is undefined."), {"type": "int"}) == ["x cannot be evaluated: 'y' is undefined."]


def test_long_values_are_cut() -> None:
    assert shown("a" * 100) == "'" + "a" * 56 + "..."
    assert shown(["a"]) == "['a']"
