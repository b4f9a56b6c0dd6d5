# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rings: which hosts take a change together, and when a site may be changed.

A host's ring follows from its own identifier and the salt of the rollout, so that a host that joins or leaves moves
nobody else. Where a ring names hosts or groups, these come before any share.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from . import fields
from .errors import BadInput, opening
from .refused import Refused

MAX_RINGS = 20
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_RING = frozenset({"name"})
_RING_OPTIONAL = frozenset({"share_percent", "hosts", "groups"})
_WINDOW = frozenset({"days", "from", "until"})


@dataclass(frozen=True)
class Ring:
    """``share_percent`` of all hosts that no ring names, or those that are named."""

    name: str
    share_percent: int = 0
    hosts: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Window:
    """A time of the week in UTC in which hosts of a site may be changed; one that ends before it begins ends next day."""

    days: frozenset[int]
    start: timedelta
    end: timedelta

    def holds(self, at: datetime) -> bool:
        moment = at.astimezone(UTC)
        since_midnight = timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)
        if self.start < self.end:
            return moment.weekday() in self.days and self.start <= since_midnight < self.end
        if since_midnight >= self.start:
            return moment.weekday() in self.days
        return since_midnight < self.end and (moment.weekday() - 1) % 7 in self.days


def place(host_id: str, salt: str) -> float:
    """Where a host stands between 0 and 1, the same for ever and everywhere."""
    digest = hashlib.sha256(f"{salt}\n{host_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def ring_of(rings: Sequence[Ring], salt: str, host_id: str, name: str, groups: Iterable[str] = ()) -> int | None:
    """Index of a host's ring; None where shares leave it out. The first ring that names it wins."""
    member = frozenset(groups)
    for index, ring in enumerate(rings):
        if name in ring.hosts or host_id in ring.hosts or ring.groups & member:
            return index
    position, reached = place(host_id, salt) * 100, 0
    for index, ring in enumerate(rings):
        reached += ring.share_percent
        if ring.share_percent and position < reached:
            return index
    return None


def read_rings(value: object, what: str) -> tuple[Ring, ...]:
    """Rings from plain data; raises BadInput in one sentence."""
    try:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_RINGS:
            raise BadInput(f"{opening(what)} needs a list of 1 to {MAX_RINGS} rings.")
        rings = tuple(_read_ring(one, what) for one in value)
    except Refused as error:
        raise BadInput(str(error)) from error
    names = [ring.name for ring in rings]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"{opening(what)} has two rings of the name {twice}; a ring has a name of its own.")
    total = sum(ring.share_percent for ring in rings)
    if total > 100:
        raise BadInput(f"The shares of the rings of {what} sum to {total} percent; give at most 100.")
    for ring in rings:
        if not (ring.share_percent or ring.hosts or ring.groups):
            raise BadInput(f"The ring {ring.name} of {what} names nobody; give share_percent, hosts or groups.")
    return rings


def _read_ring(value: object, what: str) -> Ring:
    about = f"a ring of {what}"
    record = fields.record(value, about)
    fields.only(record, _RING, _RING_OPTIONAL, about)
    full = {"share_percent": 0, "hosts": [], "groups": [], **record}
    return Ring(
        name=fields.text(full, "name", about, NAME),
        share_percent=fields.integer(full, "share_percent", about, 0, 100),
        hosts=frozenset(fields.texts(full, "hosts", about, most=10000)),
        groups=frozenset(fields.texts(full, "groups", about)),
    )


def read_windows(value: object, what: str) -> dict[str, tuple[Window, ...]]:
    """Windows by site; a site without any may be changed at all times. Raises BadInput in one sentence."""
    try:
        return {
            site: tuple(_read_window(one, f"a window of {site} in {what}") for one in _list(windows, site, what))
            for site, windows in fields.record(value, f"windows of {what}").items()
        }
    except Refused as error:
        raise BadInput(str(error)) from error


def _list(value: object, site: str, what: str) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= 50:
        raise BadInput(
            f"The windows of {site} in {what} are no list of 1 to 50; leave the site out to change it any time."
        )
    return value


def _read_window(value: object, what: str) -> Window:
    record = fields.record(value, what)
    fields.only(record, _WINDOW, frozenset(), what)
    days = fields.texts(record, "days", what)
    unknown = sorted(set(days) - set(DAYS))
    if unknown or not days:
        raise BadInput(f"{opening(what)} has no usable days; give some of {', '.join(DAYS)}.")
    start, end = (_clock(fields.text(record, name, what), what) for name in ("from", "until"))
    if start == end:
        raise BadInput(f"{opening(what)} begins when it ends; leave it out for a whole day.")
    return Window(frozenset(DAYS.index(day) for day in days), start, end)


def _clock(text: str, what: str) -> timedelta:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise BadInput(f"{opening(what)} has the time {text!r}; give hours and minutes such as 22:00, in UTC.")
    return timedelta(hours=int(found[1]), minutes=int(found[2]))


def may_change(windows: Mapping[str, Sequence[Window]], site: str, at: datetime) -> bool:
    """Whether hosts of a site may be changed now."""
    those = windows.get(site)
    return those is None or any(window.holds(at) for window in those)
