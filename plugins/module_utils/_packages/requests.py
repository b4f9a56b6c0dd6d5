# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a package asks for: `name` or `name(op version)`, a list of them with commas being AND; WAPT's syntax.

A version without a packaging number speaks of the software alone: `(=1.0)` allows 1.0-1 and 1.0-2, and `(>1.0)`
allows neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .._common.errors import BadInput
from .versions import Version

MAX_CHARACTERS = 65536
MAX_NAME_CHARACTERS = 255
# No space before the parenthesis: to WAPT it belongs to the name, and such a request matches nothing.
_NAME = r"[^\s(),<>\x00-\x1f\x7f]+"
_FORM = re.compile(rf"({_NAME})(?:\(\s*(?:(==|>=|<=|=|>|<)\s*([0-9][0-9.\-]*)\s*)?\))?")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on a version; `operator` is one of = >= <= > <."""

    operator: str
    version: Version

    def allows(self, version: Version) -> bool:
        if self.version.packaging is None:
            return _holds(self.operator, version.members, self.version.members)
        return _holds(self.operator, version.key, self.version.key)

    def __str__(self) -> str:
        return f"{self.operator}{self.version}"


@dataclass(frozen=True, slots=True)
class Request:
    """A package that is asked for, and what its version must fulfil: all of `constraints`."""

    package: str
    constraints: tuple[Constraint, ...] = ()

    def allows(self, version: Version) -> bool:
        return all(constraint.allows(version) for constraint in self.constraints)

    def matches(self, package: str, version: Version) -> bool:
        return package == self.package and self.allows(version)

    def __str__(self) -> str:
        # Several constraints are written as a list of requests, which is how they are read.
        return ",".join(f"{self.package}({one})" for one in self.constraints) or self.package


def parse_request(text: str) -> Request:
    """The request that `text` is, spaces around it aside. Raises BadInput."""
    bare = text.strip()
    match = _FORM.fullmatch(bare) if len(bare) <= 2 * MAX_NAME_CHARACTERS else None
    if match is None or len(match[1]) > MAX_NAME_CHARACTERS:
        raise BadInput(
            f"The request {bare[:60]!a} cannot be used; write a package's name, or name(op version) with one of"
            " = >= <= > < and no space before the parenthesis, as in tis-app(>=1.2)."
        )
    if match[2] is None:
        return Request(match[1])
    return Request(match[1], (Constraint("=" if match[2] == "==" else match[2], Version.parse(match[3])),))


def parse_requests(text: str) -> tuple[Request, ...]:
    """The requests of a list with commas, in its order; nothing between two commas is nothing. Raises BadInput."""
    if len(text) > MAX_CHARACTERS:
        raise BadInput(
            f"A list of requests has {len(text)} characters and at most {MAX_CHARACTERS} are accepted; shorten it."
        )
    return tuple(parse_request(part) for part in text.split(",") if part and not part.isspace())


def _holds(operator: str, found: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    """Both are members of versions, or both whole keys: tuples of one shape compare as versions do."""
    if operator == "=":
        return found == wanted
    if operator == ">=":
        return found >= wanted
    if operator == "<=":
        return found <= wanted
    return found > wanted if operator == ">" else found < wanted
