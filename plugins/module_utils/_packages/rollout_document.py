# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host reads of a rollout of packages: the exact versions of its ring, before and after.

The document is a target of the repository (``rollouts/<name>.json``), so that it is signed, fresh and the same for
every host. All versions that any ring may get stand in it when it starts, with the downgrade tickets of the way back,
so that a rollback needs no new decision: afterwards only ``phase`` and ``open_rings`` change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._common import canonical, fields, timestamps
from .._common.errors import opening
from .._common.refused import Refused
from .._common.rings import Ring, read_rings, ring_of
from .._common.rollout import PHASES, Phase

SCHEMA = 1
MAX_BYTES = 4 * 1024 * 1024
MAX_LOCKED = 5000
PATH = re.compile(r"rollouts/([a-z0-9][a-z0-9_-]{0,62})\.json")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FIELDS = frozenset({"schema", "name", "salt", "rings", "phase", "open_rings", "before", "after", "tickets", "expires"})
_LOCK = frozenset({"version", "sha256"})
_VERSION = re.compile(r"[0-9][0-9.]{0,60}(-[0-9]{1,20})?")
_PACKAGE = re.compile(r"[^\x00-\x20/\\|=(),]{1,255}")
# hosts keep what a rollout gave them until it is taken back or another one comes
_TAKEN = ("running", "paused", "stopped", "aborted", "done")


@dataclass(frozen=True)
class Locked:
    """A package of a lock; ``sha256`` of its file is what every host of the ring gets."""

    version: str
    sha256: str


@dataclass(frozen=True)
class RolloutDocument:
    """``before`` and ``after``: the closure by package name; a package that is not in ``before`` was not there."""

    name: str
    salt: str
    rings: tuple[Ring, ...]
    phase: Phase
    open_rings: int
    before: Mapping[str, Locked]
    after: Mapping[str, Locked]
    tickets: tuple[Mapping[str, Any], ...]
    expires: datetime

    def lock(self, which: str) -> dict[str, Any]:
        return {name: {"version": one.version, "sha256": one.sha256} for name, one in getattr(self, which).items()}


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


def render(document: RolloutDocument) -> bytes:
    return canonical.dumps(
        {
            "schema": SCHEMA,
            "name": document.name,
            "salt": document.salt,
            "rings": [
                {
                    "name": ring.name,
                    "share_percent": ring.share_percent,
                    "hosts": sorted(ring.hosts),
                    "groups": sorted(ring.groups),
                }
                for ring in document.rings
            ],
            "phase": document.phase,
            "open_rings": document.open_rings,
            "before": document.lock("before"),
            "after": document.lock("after"),
            "tickets": list(document.tickets),
            "expires": timestamps.write(document.expires),
        }
    )


def parse(raw: bytes, what: str = "the rollout") -> RolloutDocument:
    """A document whose bytes the repository vouched for; raises Refused."""
    if len(raw) > MAX_BYTES:
        raise Refused("oversized", f"{opening(what)} has {len(raw)} bytes; at most {MAX_BYTES} are accepted.")
    record = fields.record(canonical.loads(raw, what), what)
    fields.only(record, _FIELDS, frozenset(), what)
    fields.integer(record, "schema", what, SCHEMA, SCHEMA)
    if record["phase"] not in PHASES:
        raise fields.malformed(what, "has an unknown phase")
    rings = read_rings(record["rings"], what)
    tickets = record["tickets"]
    if not isinstance(tickets, list) or len(tickets) > MAX_LOCKED:
        raise fields.malformed(what, "has no usable list of downgrade tickets")
    return RolloutDocument(
        name=fields.text(record, "name", what, NAME),
        salt=fields.text(record, "salt", what),
        rings=rings,
        phase=record["phase"],
        open_rings=fields.integer(record, "open_rings", what, 0, len(rings)),
        before=_read_lock(record["before"], f"the versions before {what}"),
        after=_read_lock(record["after"], f"the versions of {what}"),
        tickets=tuple(fields.record(one, f"a ticket in {what}") for one in tickets),
        expires=timestamps.parse(record["expires"], f"The end of {what}"),
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
        lock[name] = Locked(
            fields.text(record, "version", about, _VERSION), fields.text(record, "sha256", about, fields.SHA256)
        )
    return lock


def pins(document: RolloutDocument, host_id: str, name: str) -> Pins | None:
    """What a host has to keep to; None where no ring of the rollout has it. Groups are hosts here, resolved when signed."""
    ring = ring_of(document.rings, document.salt, host_id, name)
    if ring is None:
        return None
    taken = ring < document.open_rings and document.phase in _TAKEN
    versions = document.after if taken else document.before
    names = document.before.keys() | document.after.keys()
    return Pins(
        versions=versions,
        withheld=frozenset(names - versions.keys()),
        reason=f"rollout {document.name}, ring {document.rings[ring].name}",
        tickets=() if taken else document.tickets,
        taken=taken,
        digest=canonical.digest(canonical.dumps(document.lock("after" if taken else "before"))),
    )
