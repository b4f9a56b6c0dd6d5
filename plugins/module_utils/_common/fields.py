# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strict reading of fields out of parsed JSON; everything that is wrong is Refused as malformed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .errors import opening
from .refused import Refused

MAX_INTEGER = 2**63 - 1
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# A host as the inventory calls it.
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
SHA256 = re.compile(r"[0-9a-f]{64}")
# A role that leaves seals, and a fact of a host that one declares as an input.
ROLE = re.compile(r"[a-z][a-z0-9_]{0,31}")
FACT = re.compile(r"[a-z][a-z0-9_]{0,31}(:[A-Za-z0-9_.-]{1,64})?")
# 32 bytes in base64 with the one last character that leaves no loose bits, so that a key has one spelling.
KEY = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")
# Words are printed on terminals and in logs: nothing that controls a terminal or turns the direction of writing.
WORDS = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{0,512}")


def record(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise malformed(what, "is not an object")
    return value


def only(document: dict[str, Any], required: frozenset[str], optional: frozenset[str], what: str) -> None:
    """Every required field is there and none that is unknown."""
    names = document.keys()
    if names == required:
        return
    if missing := required - names:
        raise malformed(what, f"lacks {_listed(missing)}")
    if unknown := names - required - optional:
        raise malformed(what, f"has unknown fields: {_listed(unknown)}")


def integer(document: dict[str, Any], name: str, what: str, low: int = 0, high: int = MAX_INTEGER) -> int:
    value = document.get(name)
    # bool is an int in Python and must not pass for one.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise malformed(what, f"needs an integer from {low} to {high} in {name}")
    return value


def text(document: dict[str, Any], name: str, what: str, form: re.Pattern[str] = WORDS) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise malformed(what, f"has no usable text in {name}")
    return value


def texts(document: dict[str, Any], name: str, what: str, form: re.Pattern[str] = WORDS, most: int = 256) -> list[str]:
    value = document.get(name)
    if not isinstance(value, list) or len(value) > most:
        raise malformed(what, f"needs a list of at most {most} texts in {name}")
    for item in value:
        if not isinstance(item, str) or not form.fullmatch(item):
            raise malformed(what, f"has an unusable text in the list {name}")
    return value


def facts(value: object, what: str) -> dict[str, Any]:
    """Facts of a host by name: each a text or a list of texts."""
    found = record(value, f"the list of facts in {what}")
    for name, fact in found.items():
        if not FACT.fullmatch(name):
            raise malformed(what, f"has a fact of an unusable name: {ascii(name)[:60]}")
        if isinstance(fact, list):
            texts(found, name, what)
        else:
            text(found, name, what)
    return found


def flag(document: dict[str, Any], name: str, what: str) -> bool:
    value = document.get(name)
    if not isinstance(value, bool):
        raise malformed(what, f"needs true or false in {name}")
    return value


def malformed(what: str, wrong: str) -> Refused:
    return Refused("malformed", f"{opening(what)} {wrong}.")


def _listed(names: Iterable[object]) -> str:
    return ", ".join(sorted(ascii(name)[1:-1][:40] for name in names)[:5])
