# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository in one place: what modules and programs call. The parts are in the files `repository_*`.

| who | calls |
| --- | --- |
| holders of root keys | `repository_root`: draft, describe, check; `repository_keys.sign` |
| whoever signs lists | `prepare`, `renew`, `delegate`, `sign_change` (repository_edit), `write_change` (change_archive) |
| the publisher | `read_change` (change_archive), `init`, `commit`, `clear` (repository_publish), `refresh`, `expiring` (repository_refresh) |
| caches | `replicate` (repository_replica) |
| hosts | `Client` (repository_client) |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from . import repository_edit as edit
from . import repository_keys as keys
from . import repository_layout as layout
from . import repository_publish, repository_refresh
from . import repository_roles as roles
from . import tuf_library as tuf
from .repository_refresh import OnlineKeys
from .repository_store import Store


def new_change(
    root: bytes,
    delegations: Sequence[roles.Delegation],
    signers: Mapping[str, Sequence[tuf.Signer]],
    now: datetime,
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
) -> edit.Change:
    """The first lists of a repository, empty, for `init`; `signers` by delegation, and `targets` for the top list."""
    raw = roles.new_targets(delegations, 1, now, lifetimes.targets)
    change = edit.Change({"targets": keys.sign(raw, signers.get("targets", ()), "targets")}, root=root)
    for one in delegations:
        empty = roles.new_list(1, now, lifetime=lifetimes.targets)
        keys.sign_metadata(empty, signers.get(one.name, ()), one.name)
        change.lists[one.name] = roles.to_bytes(empty)
    return change


def publish(
    folder: Path,
    additions: Iterable[edit.Addition],
    signers: Mapping[str, Sequence[tuf.Signer]],
    online: OnlineKeys,
    now: datetime,
    *,
    removals: Iterable[str] = (),
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
) -> edit.Change:
    """Prepare and commit on one machine, which holds the keys of the lists only while this runs.

    An earlier publish that was interrupted is finished first. The change that was made is the answer.
    """
    store = Store(folder)
    with store.locked():
        repository_refresh.finish(store, online, now, lifetimes)
    change = edit.prepare(store, additions, removals, signers, now, lifetimes)
    repository_publish.commit(folder, change, online, now, lifetimes)
    return change


def retire(
    folder: Path,
    paths: Iterable[str],
    signers: Mapping[str, Sequence[tuf.Signer]],
    online: OnlineKeys,
    now: datetime,
    *,
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
) -> edit.Change:
    """List some targets no longer; `clear` removes their files once no reader can need them."""
    return publish(folder, (), signers, online, now, removals=paths, lifetimes=lifetimes)
