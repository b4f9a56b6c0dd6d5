# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of packages: `N[.N[.N[.N]]][-packaging]`, WAPT's syntax, with one comparison for every purpose.

Members are compared as if padded with zeros, then the packaging number; a version without one comes before
packaging 0. WAPT compares in two ways that disagree: for requests as here, and for upgrades by the text, where 1.0.0
is above 1.0-1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .._common.errors import BadInput

MAX_CHARACTERS = 128
_FORM = re.compile(r"([0-9]+(?:\.[0-9]+){0,3})(?:-([0-9]+))?")
_NO_PACKAGING = -1


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version; equal ones may be written differently, as 1 and 1.0 are, and `str` gives what was written."""

    text: str
    members: tuple[int, int, int, int]
    packaging: int | None
    key: tuple[tuple[int, int, int, int], int]
    """What is compared."""

    @staticmethod
    def parse(text: str) -> Version:
        """The version that `text` is. Raises BadInput."""
        if not isinstance(text, str) or len(text) > MAX_CHARACTERS:
            raise BadInput(_sentence(text))
        return _parsed(text)

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Version) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: Version) -> bool:
        return self.key < other.key if isinstance(other, Version) else NotImplemented

    def __le__(self, other: Version) -> bool:
        return self.key <= other.key if isinstance(other, Version) else NotImplemented

    def __gt__(self, other: Version) -> bool:
        return self.key > other.key if isinstance(other, Version) else NotImplemented

    def __ge__(self, other: Version) -> bool:
        return self.key >= other.key if isinstance(other, Version) else NotImplemented


def compare(first: str, second: str) -> int:
    """-1, 0 or 1 as `first` is below, equal to or above `second`. Raises BadInput."""
    one, other = Version.parse(first), Version.parse(second)
    return (one > other) - (one < other)


@lru_cache(maxsize=16384)
def _parsed(text: str) -> Version:
    match = _FORM.fullmatch(text)
    if match is None:
        raise BadInput(_sentence(text))
    given = [int(member) for member in match[1].split(".")]
    first, second, third, fourth = given + [0] * (4 - len(given))
    members = (first, second, third, fourth)
    packaging = None if match[2] is None else int(match[2])
    return Version(text, members, packaging, (members, _NO_PACKAGING if packaging is None else packaging))


def _sentence(text: object) -> str:
    return (
        f"The version {str(text)[:60]!a} cannot be used; write one to four numbers with dots, and a hyphen and the"
        " number of the packaging where there is one, as in 1.2.3-4."
    )
