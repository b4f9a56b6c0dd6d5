# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the descriptions of a repository to the candidates of one machine: what fits, and which of equals fits best.

A description has the fields of a control file or of a target's custom data, and `sha256` of the package beside them.
One that cannot be used is left out with the reason, so that one bad package does not stop every host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .._common.errors import BadInput
from .matching import Machine, matches
from .universe import Candidate


@dataclass(frozen=True)
class Offers:
    """The candidates of a machine; `left_out` tells by name of package which versions are not for it, and why."""

    candidates: tuple[Candidate, ...]
    left_out: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


def offers(descriptions: Iterable[Mapping[str, str | int]], machine: Machine, at: datetime | None = None) -> Offers:
    """What of a repository is for a machine; `at` judges dates of validity, None leaves them aside."""
    found: list[Candidate] = []
    left_out: dict[str, list[tuple[str, str]]] = {}
    for fields in descriptions:
        package, version = str(fields.get("package", "")), str(fields.get("version", ""))
        try:
            reason = matches(fields, machine, at)
            if not reason:
                found.append(_candidate(fields, machine))
        except BadInput as error:
            reason = str(error)
        if reason:
            left_out.setdefault(package, []).append((version, reason))
    return Offers(tuple(found), {name: tuple(sorted(left_out[name])) for name in sorted(left_out)})


def _candidate(fields: Mapping[str, str | int], machine: Machine) -> Candidate:
    def text(key: str) -> str:
        return str(fields.get(key, ""))

    rank = 0
    for key, liked in (
        ("maturity", machine.maturities),
        ("locale", machine.locales),
        ("architecture", machine.architectures),
    ):
        rank = rank * (len(liked) + 1) + _place(text(key), liked)
    return Candidate.parse(
        text("package"),
        text("version"),
        text("depends"),
        text("conflicts"),
        sha256=text("sha256"),
        section=text("section") or "base",
        rank=rank,
    )


def _place(text: str, liked: tuple[str, ...]) -> int:
    """Where a package's words stand among what a machine takes, which is in the order of its liking; last if nowhere."""
    words = {word.strip() for word in text.split(",")}
    return next((place for place, word in enumerate(liked) if word in words), len(liked))
