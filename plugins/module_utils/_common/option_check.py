# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares one value with its description in an argument spec.

As Ansible does, but it returns every problem instead of stopping at the first,
changes nothing, and refuses the conversions that would break a template later
(a list written as one string, a boolean where a number belongs).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .estate_schema import Option, Options

_TRUE = frozenset({"yes", "on", "true", "y", "1", "t"})
BOOLEANS = _TRUE | {"no", "off", "false", "n", "0", "f"}
KINDS = {
    "str": "a string",
    "path": "a path",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}

# A problem: the keys that lead to it, and the rest of a sentence that begins with them.
Problem = tuple[tuple[str, ...], str]


@dataclass(frozen=True)
class Unusable:
    """Stands for a value whose template could not be evaluated."""

    reason: str


def has_type(value: object, kind: str) -> bool:
    """Whether a value can be used as the type that a spec names; unknown types fit everything."""
    if kind in ("str", "path"):
        return isinstance(value, str | int | float) and not isinstance(value, bool)
    if kind == "int":
        return not isinstance(value, bool) and (isinstance(value, int) or _is_number(value, int))
    if kind == "float":
        return not isinstance(value, bool) and (isinstance(value, int | float) or _is_number(value, float))
    if kind == "bool":
        return isinstance(value, bool) or str(value).lower() in BOOLEANS
    if kind == "list":
        return isinstance(value, list | tuple)
    if kind == "dict":
        return isinstance(value, Mapping)
    return True


def is_true(value: object) -> bool:
    """What a value that fits the type bool means; nothing is false."""
    return str(value).lower() in _TRUE


def _is_number(value: object, number: type[int] | type[float]) -> bool:
    if not isinstance(value, str):
        return False
    try:
        number(value)
    except ValueError:
        return False
    return True


def shown(value: object) -> str:
    """A value as it appears in a message: its beginning is enough."""
    text = repr(value) if not isinstance(value, str) else f"'{value}'"
    return text if len(text) <= 60 else f"{text[:57]}..."


def problems_of(value: object, option: Option, path: tuple[str, ...]) -> Iterator[Problem]:
    """Everything in which a value departs from its description."""
    if value is None:
        if option.get("required") or option.get("default") is not None:
            yield path, "is empty: give it a value or remove it."
        return
    if isinstance(value, Unusable):
        yield path, f"cannot be evaluated: {value.reason.rstrip('.')}."
        return
    kind = str(option.get("type", "str"))
    if not has_type(value, kind):
        yield path, f"must be {KINDS[kind]}, not {shown(value)}."
        return
    choices = option.get("choices")
    if choices and kind != "list" and str(value) not in map(str, choices):
        yield path, f"must be one of {', '.join(map(str, choices))}, not {shown(value)}."
    if kind == "list" and isinstance(value, list | tuple):
        yield from _problems_of_list(value, option, path)
    elif kind == "dict" and isinstance(value, Mapping) and option.get("options"):
        yield from problems_of_mapping(value, option["options"], path)


def _problems_of_list(value: list[Any] | tuple[Any, ...], option: Option, path: tuple[str, ...]) -> Iterator[Problem]:
    element: dict[str, Any] = {"type": option.get("elements", "raw")}
    element.update({key: option[key] for key in ("choices", "options") if option.get(key)})
    for position, item in enumerate(value, start=1):
        for keys, text in problems_of(item, element, path):
            inner = ".".join(keys[len(path) :])
            yield path, f"item {position}{f' ({inner})' if inner else ''} {text}"


def problems_of_mapping(value: Mapping[Any, Any], options: Options, path: tuple[str, ...]) -> Iterator[Problem]:
    """Unknown keys, missing ones, and the problems of each value."""
    for key in value:
        if str(key) not in options:
            close = difflib.get_close_matches(str(key), list(options), n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(options)}."
            yield (*path, str(key)), f"is unknown{hint}"
    for key, option in options.items():
        if key in value:
            yield from problems_of(value[key], option, (*path, key))
        elif option.get("required"):
            yield (*path, key), "is missing."
