# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names of a directory (RFC 4514): what they are compared by, and the units in them.

The library splits them and knows which commas are part of a value. What packages are called by is plain text, so that
a value in which a comma, plus or equals sign is escaped names nothing: it could pass for a unit inside of another.
"""

from __future__ import annotations

import re

from .._common.errors import BadInput
from . import ldap_library as ldap
from .kinds import DIRECTORY_NAME

# One level: the attributes that name it, several of them where it is called by more than one.
Level = tuple[tuple[str, str], ...]
Key = tuple[frozenset[tuple[str, str]], ...]

MAX_CHARACTERS = 4096
_ESCAPED = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)
_SPACES = re.compile(r"\s+")
_ANOTHER_LEVEL = frozenset(",+=")


def levels(name: str) -> tuple[Level, ...]:
    """A name as it is written, innermost level first; types in small letters, values without escapes. Raises BadInput."""
    try:
        if len(name) > MAX_CHARACTERS:
            raise ValueError
        parts = ldap.parse_dn(name, strip=True)
        found: list[Level] = []
        level: list[tuple[str, str]] = []
        for kind, value, separator in parts:
            level.append((kind.strip().lower(), _plain(value)))
            if separator != "+":
                found.append(tuple(level))
                level = []
    except (ldap.LDAPInvalidDnError, ValueError, IndexError) as error:
        raise BadInput(f"{ascii(name)[:120]} is no distinguished name") from error
    if level or any(not kind or not value for one in found for kind, value in one):
        raise BadInput(f"{ascii(name)[:120]} is no distinguished name")
    return tuple(found)


def key(found: tuple[Level, ...]) -> Key:
    """Equal for two ways to write one name: capital letters, spaces, escapes and order in a level do not count."""
    return tuple(frozenset((kind, _SPACES.sub(" ", value).casefold()) for kind, value in level) for level in found)


def units(found: tuple[Level, ...]) -> tuple[list[str], list[str]]:
    """The organisational units that an entry lies in, outermost first, as in OU=lab,DC=acme; why others have no name."""
    above = found[1:]
    names: list[str] = []
    refused: list[str] = []
    for number, level in enumerate(above):
        if any(kind == "ou" for kind, _value in level):
            try:
                names.insert(0, _written(above[number:]))
            except BadInput as error:
                refused.insert(0, str(error))
    return names, refused


def is_name(text: str) -> bool:
    """Whether a package can be called so."""
    return DIRECTORY_NAME.fullmatch(text) is not None


def _written(found: tuple[Level, ...]) -> str:
    name = ",".join(f"{level[0][0].upper()}={level[0][1]}" for level in found)
    several = any(len(level) > 1 for level in found)
    if several or any(_ANOTHER_LEVEL & set(level[0][1]) for level in found) or not is_name(name):
        raise BadInput(f"No package can be called {ascii(name)[:120]}")
    return name


def _plain(value: str) -> str:
    """Raises ValueError for what is no text."""
    if value.startswith("#"):
        raise ValueError(value)
    return _ESCAPED.sub(lambda one: bytes.fromhex(one[1].replace("\\", "")).decode() if one[1] else one[2], value)
