# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host reads of a rollout of packages: the exact versions of its ring, before and after.

The document is a target of the repository (``rollouts/<name>.json``), so that it is signed, fresh and the same for
every host. All versions that any ring may get stand in it when it starts, with the downgrade tickets of the way back,
so that a rollback needs no new decision: afterwards only its ``state`` changes. Whoever takes the next step needs
nothing but this document and what hosts report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from .._common import canonical, fields
from .._common.errors import BadInput, opening
from .._common.refused import Refused
from .._common.rings import may_change, ring_of
from .._common.rollout import Rollout, State, read_rollout, read_state, state_as_data

SCHEMA = 1
MAX_BYTES = 4 * 1024 * 1024
MAX_LOCKED = 5000
MAX_BUILDS = 32
PATH = re.compile(r"rollouts/([a-z0-9][a-z0-9_-]{0,62})\.json")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FIELDS = frozenset({"schema", "definition", "state", "before", "after", "tickets"})
_LOCK = frozenset({"version", "sha256"})
_VERSION = re.compile(r"[0-9][0-9.]{0,60}(-[0-9]{1,20})?")
_PACKAGE = re.compile(r"[^\x00-\x20/\\|=(),]{1,255}")
_WAITING = ("pending", "running", "paused")
# rings that were opened keep what they took until it is taken back
_TAKEN = ("running", "paused", "stopped", "aborted")


@dataclass(frozen=True)
class Locked:
    """A package of a lock; ``sha256`` of its file, one for each kind of machine, is what every host of the ring gets."""

    version: str
    sha256: tuple[str, ...]


@dataclass(frozen=True)
class RolloutDocument:
    """``before`` and ``after``: the closure by package name; a package that is not in ``before`` was not there.

    ``definition`` is plain data for `read_rollout`, without groups: they are hosts here, resolved when it was signed.
    """

    definition: Mapping[str, Any]
    state: State
    before: Mapping[str, Locked]
    after: Mapping[str, Locked]
    tickets: tuple[Mapping[str, Any], ...]

    @cached_property
    def rollout(self) -> Rollout:
        return read_rollout(self.definition)

    @property
    def name(self) -> str:
        return self.rollout.name

    @property
    def expires(self) -> datetime:
        """The end of a rollout that has one, as all that are read from a repository."""
        if self.rollout.expires is None:
            raise BadInput(f"The rollout {self.name} has no end; give it one.")
        return self.rollout.expires

    def lock(self, which: str) -> dict[str, Any]:
        return {
            name: {"version": one.version, "sha256": list(one.sha256)} for name, one in getattr(self, which).items()
        }

    def lock_digest(self, which: str) -> str:
        """By which a report tells of which versions it speaks."""
        return canonical.digest(canonical.dumps(self.lock(which)))

    @property
    def changing(self) -> frozenset[str]:
        """Packages that are other ones afterwards."""
        names = self.before.keys() | self.after.keys()
        return frozenset(name for name in names if self.before.get(name) != self.after.get(name))


@dataclass(frozen=True)
class Pins:
    """What a host may have of the packages of a rollout: exact versions, and names that it must not take."""

    versions: Mapping[str, Locked]
    withheld: frozenset[str]
    reason: str
    """For explanations, as in "rollout editor-2, ring pilots, pins"."""
    tickets: tuple[Mapping[str, Any], ...]
    taken: bool
    """Whether the ring of this host has the change."""
    digest: str
    """Of the versions, so that a report tells which of them it speaks of."""
    ring: int
    """Number of the ring of this host, from 1; 0 where no ring has it."""
    pending: bool
    """Whether this host waits for its ring to open."""


def render(document: RolloutDocument) -> bytes:
    return canonical.dumps(
        {
            "schema": SCHEMA,
            "definition": dict(document.definition),
            "state": state_as_data(document.state),
            "before": document.lock("before"),
            "after": document.lock("after"),
            "tickets": list(document.tickets),
        }
    )


def parse(raw: bytes, what: str = "the rollout") -> RolloutDocument:
    """A document whose bytes the repository vouched for; raises Refused."""
    if len(raw) > MAX_BYTES:
        raise Refused("oversized", f"{opening(what)} has {len(raw)} bytes; at most {MAX_BYTES} are accepted.")
    record = fields.record(canonical.loads(raw, what), what)
    fields.only(record, _FIELDS, frozenset(), what)
    fields.integer(record, "schema", what, SCHEMA, SCHEMA)
    definition = fields.record(record["definition"], f"the definition of {what}")
    fields.text(definition, "name", what, NAME)
    tickets = record["tickets"]
    if not isinstance(tickets, list) or len(tickets) > MAX_LOCKED:
        raise fields.malformed(what, "has no usable list of downgrade tickets")
    try:
        rollout = read_rollout(definition)
        state = read_state(record["state"], rollout)
    except BadInput as error:
        raise Refused("malformed", str(error)) from error
    if rollout.expires is None:
        raise fields.malformed(what, "has no end")
    return RolloutDocument(
        definition=definition,
        state=state,
        before=_read_lock(record["before"], f"the versions before {what}"),
        after=_read_lock(record["after"], f"the versions of {what}"),
        tickets=tuple(fields.record(one, f"a ticket in {what}") for one in tickets),
    )


def _read_lock(value: object, what: str) -> dict[str, Locked]:
    found = fields.record(value, what)
    if len(found) > MAX_LOCKED:
        raise fields.malformed(what, f"names more than {MAX_LOCKED} packages")
    lock = {}
    for name, one in found.items():
        about = f"a package in {what}"
        if not _PACKAGE.fullmatch(name):
            raise fields.malformed(what, "has a package of an unusable name")
        record = fields.record(one, about)
        fields.only(record, _LOCK, frozenset(), about)
        builds = fields.texts(record, "sha256", about, fields.SHA256, MAX_BUILDS)
        if not builds:
            raise fields.malformed(about, "has no file")
        lock[name] = Locked(fields.text(record, "version", about, _VERSION), tuple(builds))
    return lock


def ring_lock(document: RolloutDocument, ring: int) -> Mapping[str, Locked]:
    """The exact versions that every host of a ring, numbered from 0, should have now, whatever windows make it wait."""
    taken = document.state.phase == "done" or _is_taken(document.state, ring)
    return document.after if taken else document.before


def _is_taken(state: State, ring: int) -> bool:
    return ring <= state.ring and state.phase in _TAKEN


def pins(
    document: RolloutDocument, host_id: str, name: str, site: str, now: datetime, installed: Mapping[str, str]
) -> Pins | None:
    """What a host has to keep to; None once all rings have the change and nothing is held back any more.

    `installed` has versions by package: outside of the windows of its site, a host keeps the change that it has and takes
    none. A host that no ring has keeps what was before, too: it is the last one that should take what nobody tried.
    """
    state, rollout = document.state, document.rollout
    if state.phase == "done":
        return None
    ring = ring_of(rollout.rings, rollout.salt, host_id, name)
    taken = ring is not None and _is_taken(state, ring)
    if taken and not may_change(rollout.windows, site, now):
        has = {one for one in document.changing & document.after.keys() if one in installed}
        taken = any(installed[one] == document.after[one].version for one in has)
    versions = document.after if taken else document.before
    names = document.before.keys() | document.after.keys()
    where = "no ring" if ring is None else f"ring {rollout.rings[ring].name}"
    return Pins(
        versions=versions,
        withheld=frozenset(names - versions.keys()),
        reason=f"rollout {rollout.name}, {where}",
        tickets=() if taken else document.tickets,
        taken=taken,
        digest=document.lock_digest("after" if taken else "before"),
        ring=0 if ring is None else ring + 1,
        pending=not taken and state.phase in _WAITING,
    )
