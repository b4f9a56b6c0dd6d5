# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WAPT's canonical JSON: sorted names, no spaces, ASCII only; what its signatures of controls and actions cover.

It differs from `_common.canonical`, which is for what only we sign: here are escapes, fractions and moments, since
WAPT's producers write them.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any, NoReturn

from .._common import canonical
from .._common.errors import BadInput, opening
from .._common.refused import Refused


def dumps(value: object) -> bytes:
    """The one spelling of `value`; moments become text in ISO 8601. Raises BadInput."""
    try:
        _refuse_ambiguity(value)
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_moment)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"The value cannot be written as WAPT's canonical JSON: {error}.") from error
    return text.encode("ascii")


def loads(data: bytes, what: str = "the document", maximum: int = 1 << 20) -> Any:
    """Parse JSON of at most `maximum` bytes: UTF-8, no name twice, no half characters, no number that is none.

    Raises Refused.
    """
    if len(data) > maximum:
        raise Refused("oversized", f"{opening(what)} has {len(data)} bytes and at most {maximum} are accepted.")
    return canonical.loads_with(data, what, _finite, _no_number)


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"it holds a {type(value).__name__}")


def _refuse_ambiguity(value: object) -> None:
    """Names that are no text would be written as text, and half characters as escapes."""
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise TypeError("it has a name that is not text")
            name.encode("utf-8")
            _refuse_ambiguity(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _refuse_ambiguity(inner)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is not a number")
