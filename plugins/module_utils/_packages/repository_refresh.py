# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshot and timestamp, the two roles whose keys are on the publisher; renewal, and what is about to expire.

A new timestamp is the moment at which readers see a change. During a rotation both are signed by the old and the new
keys, so that they are good under the root that a reader has and under the one that it is about to get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .._common import atomic
from .._common.errors import BadInput
from .._common.refused import Refused
from . import repository_ends, repository_expiry
from . import repository_keys as keys
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf
from .repository_ends import RENEW_SNAPSHOT, RENEW_TIMESTAMP
from .repository_store import Journal, Store


@dataclass(frozen=True)
class OnlineKeys:
    """Who signs without a person; several signers each while keys are rotated."""

    snapshot: tuple[tuf.Signer, ...]
    timestamp: tuple[tuf.Signer, ...]


def online_keys(snapshot: Sequence[tuf.Signer], timestamp: Sequence[tuf.Signer]) -> OnlineKeys:
    return OnlineKeys(tuple(snapshot), tuple(timestamp))


def finish(
    store: Store, online: OnlineKeys, now: datetime, lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES
) -> bool:
    """Carry out the change that waits, if one does, up to a timestamp that names it; the caller holds the lock."""
    journal = Journal(store)
    if not journal.load():
        return False
    root_step = [["place", journal.root, _root_name(journal)]] if journal.root else []
    journal.carry_out(journal.steps)
    if journal.root_first:
        journal.carry_out(root_step)
    seal(store, online, now, journal.heads, _roots(store, journal), lifetimes)
    # readers ask for the next root first, and what they then get is good under it already
    journal.carry_out(root_step)
    journal.carry_out(journal.last_steps)
    journal.done()
    return True


def seal(
    store: Store,
    online: OnlineKeys,
    now: datetime,
    heads: Mapping[str, int],
    roots: Sequence[tuf.Root],
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
) -> dict[str, int]:
    """A snapshot of `heads` and a timestamp of it, where those served lack something; versions of what was written."""
    written: dict[str, int] = {}
    timestamp, snapshot = store.timestamp(), store.snapshot()
    meta = {} if snapshot is None else dict(snapshot.signed.meta)
    meta |= {f"{role}.json": tuf.MetaFile(version) for role, version in heads.items()}
    if snapshot is None or snapshot.signed.meta != meta or not _lasts(snapshot, now, RENEW_SNAPSHOT, roots, "snapshot"):
        # also past a snapshot that an interrupted run left: a versioned name is written once
        version = max(store.versions("snapshot"), default=0) + 1
        snapshot = tuf.Metadata(tuf.Snapshot(version=version, expires=now + lifetimes.snapshot, meta=meta))
        raw = _signed(snapshot, "snapshot", online.snapshot, roots)
        atomic.write_file(store.public / layout.metadata_file("snapshot", version), raw)
        written["snapshot"] = version
    elif timestamp is not None and _lasts(timestamp, now, RENEW_TIMESTAMP, roots, "timestamp"):
        return written
    raw = atomic.read_bounded(
        store.public / layout.metadata_file("snapshot", snapshot.signed.version), layout.MAX_SNAPSHOT
    )
    version = 1 if timestamp is None else timestamp.signed.version + 1
    named = tuf.MetaFile.from_data(snapshot.signed.version, raw, ["sha256"])
    renewed = tuf.Metadata(tuf.Timestamp(version=version, expires=now + lifetimes.timestamp, snapshot_meta=named))
    atomic.write_file(
        store.public / layout.metadata_file("timestamp", None), _signed(renewed, "timestamp", online.timestamp, roots)
    )
    written["timestamp"] = version
    return written


def check_online(online: OnlineKeys, roots: Sequence[tuf.Root]) -> None:
    """Raise BadInput unless the signers suffice under each root, before a change waits for others in vain."""
    for root in roots:
        for role, signers in (("snapshot", online.snapshot), ("timestamp", online.timestamp)):
            usable = {one.public_key.keyid for one in signers} & set(root.roles[role].keyids)
            if len(usable) < root.roles[role].threshold:
                raise _too_few(role, root)


def refresh(
    folder: Any,
    online: OnlineKeys,
    now: datetime,
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
    authorities: Path | None = None,
) -> dict[str, Any]:
    """Finish what was interrupted and renew snapshot and timestamp where their time is short; note what ends.

    Returns `finished`, `written` (versions by role) and `expiries` as `expiring` gives them.
    """
    store = Store(folder)
    with store.locked():
        finished = finish(store, online, now, lifetimes)
        written = seal(store, online, now, {}, [store.root()], lifetimes)
        noted = repository_expiry.note(store, authorities)
        return {"finished": finished, "written": written, "expiries": repository_ends.judged(noted, now)}


def due(store: Store, now: datetime) -> dict[str, int]:
    """The versions that `refresh` would sign now, by role, where no change waits."""
    timestamp, snapshot = store.timestamp(), store.snapshot()
    if timestamp is None or snapshot is None:
        return {}
    roots = [store.root()]
    found = {}
    if not _lasts(snapshot, now, RENEW_SNAPSHOT, roots, "snapshot"):
        found["snapshot"] = max(store.versions("snapshot"), default=0) + 1
    if found or not _lasts(timestamp, now, RENEW_TIMESTAMP, roots, "timestamp"):
        found["timestamp"] = timestamp.signed.version + 1
    return found


def expiring(store: Store, now: datetime, authorities: Path | None = None) -> list[dict[str, Any]]:
    """Everything in the repository that ends, the most urgent first, as `repository_ends.judged` has it."""
    return repository_ends.judged(repository_expiry.read_ends(store, authorities), now)


def _roots(store: Store, journal: Journal) -> list[tuf.Root]:
    """The roots under which snapshot and timestamp must be good while the change becomes visible."""
    served = [] if journal.root_first or not store.versions("root") else [store.root()]
    if not journal.root:
        return served
    raw = atomic.read_bounded(journal.folder / journal.root, layout.MAX_ROOT)
    return [*served, roles.read_root(raw, "new root")]


def _root_name(journal: Journal) -> str:
    raw = atomic.read_bounded(journal.folder / journal.root, layout.MAX_ROOT)
    version = roles.read_root(raw, "new root").version
    return layout.metadata_file("root", version)


def _lasts(metadata: tuf.Metadata[Any], now: datetime, margin: timedelta, roots: Sequence[tuf.Root], role: str) -> bool:
    if metadata.signed.expires - now <= margin:
        return False
    try:
        for root in roots:
            roles.verify(root, role, metadata)
    except Refused:
        return False
    return True


def _signed(metadata: tuf.Metadata[Any], role: str, signers: Sequence[tuf.Signer], roots: Sequence[tuf.Root]) -> bytes:
    entitled = {name for root in roots for name in root.roles[role].keyids}
    usable = [one for one in signers if one.public_key.keyid in entitled]
    keys.sign_metadata(metadata, usable, role)
    try:
        for root in roots:
            roles.verify(root, role, metadata)
    except Refused as error:
        raise _too_few(role, root) from error
    return roles.to_bytes(metadata)


def _too_few(role: str, root: tuf.Root) -> BadInput:
    return BadInput(
        f"The keys given do not suffice to sign the {role} under the root {root.version}; give the keys that this root"
        " names, and while keys are rotated the old and the new ones."
    )
