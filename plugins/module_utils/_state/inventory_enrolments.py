# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the hosts are: the trust folder's enrolments, and later ones that a source has and the checkout has not yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from .._common.refused import Refused
from . import acceptance
from . import enrolment as enrolments
from .enrolment import Enrolment
from .trust import Trust


@dataclass(frozen=True, slots=True)
class Identity:
    """One name's enrolment, or why it has none that counts."""

    current: Enrolment | None = None
    generations: tuple[Enrolment, ...] = ()
    """Every enrolment of the host that is known, for telling old reports from false ones."""
    distrust: str | None = None


NOBODY = Identity()


@dataclass
class Offers:
    """Verified enrolments of a source by name."""

    by_name: dict[str, list[Enrolment]] = field(default_factory=dict)

    def add(self, enrolment: Enrolment) -> None:
        self.by_name.setdefault(enrolment.name, []).append(enrolment)


def identify(
    names: Iterable[str], trust: Trust, offers: Offers, now: datetime, *, past: bool = False
) -> dict[str, Identity]:
    """The identity of each name at a time; with `past` only what was signed until then is looked at."""
    return {name: _identity(name, trust, offers.by_name.get(name, ()), now, past) for name in names}


def _identity(name: str, trust: Trust, offered: Iterable[Enrolment], now: datetime, past: bool) -> Identity:
    problem = trust.problems.get(name)
    if problem is not None:
        return Identity(distrust=problem)
    current = trust.enrolments.get(name)
    if past and current is not None and current.issued_at > now:
        current = None
    candidates = [one for one in offered if one != current and not (past and one.issued_at > now)]
    generations = (*candidates, current) if current is not None else tuple(candidates)
    conflict = None
    for candidate in sorted(candidates, key=lambda one: (one.generation, one.issued_at)):
        if current is None or (current.revoked and candidate.host_id != current.host_id):
            current = candidate
            continue
        other_host = candidate.host_id != current.host_id
        if other_host and (candidate.revoked or candidate.issued_at <= current.issued_at):
            continue  # a predecessor of the same name; whoever keeps the registry cannot bring it back
        if not other_host and candidate.generation > current.generation and candidate.replaces is not None:
            current = candidate  # what it replaces may be a renewal that never came here; the signed word counts
            continue
        try:
            enrolments.accept(current, candidate)
        except Refused as error:
            # An older document is what a source has that lags behind; anything else is for the key holder to settle.
            conflict = conflict if error.code in ("replayed", "revoked") else str(error)
            continue
        current = candidate
    if current is None:
        return NOBODY
    distrust = conflict or _distrust(current, trust, now, past)
    return Identity(current, generations, distrust)


def _distrust(current: Enrolment, trust: Trust, now: datetime, past: bool) -> str | None:
    try:
        acceptance.check_enrolment(current, now)
    except Refused as error:
        return str(error)
    floors = trust.floors
    if floors is None or (past and floors.issued_at > now):
        return None
    if current.host_id in floors.revoked:
        return f"The host {current.name} is on the signed list of the revoked."
    floor = floors.floors.get(current.host_id)
    if floor is not None and current.generation < floor.generation:
        return (
            f"The enrolment of {current.name} is of generation {current.generation}, but generation"
            f" {floor.generation} was seen before."
        )
    return None
