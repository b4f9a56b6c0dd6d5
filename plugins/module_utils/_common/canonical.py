# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical JSON for what we sign, and strict JSON for what others send.

Floats are absent on both sides: two programs may print one number in two ways, and a digest would tell them apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, NoReturn

from .errors import BadInput, opening
from .refused import Refused

# circles were found before, by what refuses ambiguity
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


def dumps(value: object) -> bytes:
    """The one spelling of `value`: names sorted, no spaces, UTF-8, integers only."""
    try:
        _refuse_ambiguity(value, "value")
        return _ENCODER.encode(value).encode("utf-8")
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise BadInput(f"The value cannot be written as canonical JSON: {error}.") from error


def loads(data: bytes, what: str = "the document") -> Any:
    """Parse strict JSON: UTF-8, no name twice, no floats, no half characters. Raises Refused only."""
    return loads_with(data, what, _no_number, _no_number)


def loads_with(data: bytes, what: str, fraction: Callable[[str], Any], constant: Callable[[str], Any]) -> Any:
    """The same where others decide about fractions and about NaN and the infinities; they raise ValueError."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique_names, parse_float=fraction, parse_constant=constant)
        if "\\u" in text:
            # An escape can hold half of a character, which no later encoder would take.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise Refused("malformed", f"{opening(what)} is nested too deeply.") from error
    except ValueError as error:
        raise Refused("malformed", f"{opening(what)} is not strict JSON: {error}.") from error
    return value


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal, the only digest of signed documents."""
    return hashlib.sha256(data).hexdigest()


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return result


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:20]} is not an integer")


def _refuse_ambiguity(value: object, where: str) -> None:
    if value is None or isinstance(value, (str, bool, int)):
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise TypeError(f"{where} has a name that is not text")
            # most are leaves, which need no place to tell
            if not isinstance(inner, (str, int)):
                _refuse_ambiguity(inner, f"{where}.{name}")
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _refuse_ambiguity(inner, f"{where}[]")
    else:
        raise TypeError(f"{where} is a {type(value).__name__}")
