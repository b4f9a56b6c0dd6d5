# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing that is wrong with the inventory, said in a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

# At most this many names are listed in one sentence.
NAMES_IN_A_SENTENCE = 3


@dataclass(frozen=True)
class Finding:
    """What is wrong, and where an operator would have written it.

    path is the variable and the keys inside it; host is set when the variable
    belongs to one host. Both only serve to find the file.
    """

    text: str
    path: tuple[str, ...] = ()
    host: str | None = None


class Locator(Protocol):
    """Returns "file:line" for a path of keys and perhaps a host, or None when nothing is found."""

    def __call__(self, path: Sequence[str], host: str | None, /) -> str | None: ...


def sentence(finding: Finding, locate: Locator) -> str:
    """The finding with its file in front, where the file could be found."""
    if not finding.path and finding.host is None:
        return finding.text
    place = locate(finding.path, finding.host)
    return f"{place}: {finding.text}" if place else finding.text


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of a sentence that suggests the likeliest known name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]}?" if close else "."


def listed(names: Iterable[str]) -> str:
    """A few names in words: "gw1, gw2 and 7 others"."""
    ordered = list(names)
    if len(ordered) <= NAMES_IN_A_SENTENCE:
        return " and ".join(filter(None, [", ".join(ordered[:-1]), ordered[-1] if ordered else ""]))
    rest = len(ordered) - NAMES_IN_A_SENTENCE
    return f"{', '.join(ordered[:NAMES_IN_A_SENTENCE])} and {rest} other{'s' if rest > 1 else ''}"
