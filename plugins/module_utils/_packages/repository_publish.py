# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a publisher does: make a repository, take in changes that others signed, replace the root, clear away.

Public calls give plain data or nothing; all of them hold the repository's lock and first finish what was interrupted.
"""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .._common.errors import BadInput
from .._common.refused import Refused
from . import index_upkeep, repository_refresh, repository_root, target_custom
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf
from .repository_edit import Change
from .repository_expiry import loaded_roles
from .repository_refresh import OnlineKeys, finish
from .repository_store import Journal, Store

# How long what is no longer listed stays for readers that began before.
GRACE = timedelta(days=2)


def init(
    folder: Path,
    change: Change,
    online: OnlineKeys,
    now: datetime,
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
) -> None:
    """A new repository of a signed root, top list and lists of all delegations. Raises BadInput where there is one."""
    store = Store(folder)
    with store.locked():
        if finish(store, online, now, lifetimes):
            return
        if (store.public / layout.metadata_file("timestamp", None)).exists():
            raise BadInput(f"There is a repository in {folder} already; choose another folder or publish into it.")
        if change.root is None or "targets" not in change.lists:
            raise BadInput("A new repository needs a signed root and a signed top list.")
        repository_root.check(change.root, None, now)
        _take_in(store, change, online, now, lifetimes, root_first=True)


def commit(
    folder: Path,
    change: Change,
    online: OnlineKeys,
    now: datetime,
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
    root_first: bool = False,
) -> bool:
    """Take in a change; whether anything is served now that was not. Raises Refused or BadInput before that.

    With a new root, `online` are the signers of the old and of the new root, so that no reader is ever without a
    timestamp that it can believe; `root_first` is for the case that the old ones are lost.
    """
    store = Store(folder)
    with store.locked():
        finished = finish(store, online, now, lifetimes)
        if is_served(store, change):
            return finished
        store.root_bytes()
        if change.root is not None:
            repository_root.check(change.root, store.root_bytes(), now)
        if change.lists or change.root is not None:
            _take_in(store, change, online, now, lifetimes, root_first)
        return True


def is_served(store: Store, change: Change) -> bool:
    """Whether all of a change was taken in before, and nothing after it."""
    heads = store.heads()
    if not heads or (change.root is not None and change.root != store.root_bytes()):
        return False
    if not all(name in heads and store.role_bytes(name, heads[name]) == raw for name, raw in change.lists.items()):
        return False
    return all(_has(store.public / name, source) for name, source in change.files.items())


def _has(served: Path, brought: Path) -> bool:
    """Whether a file that a change brings is the one that is served."""
    return served.is_file() and filecmp.cmp(served, brought, shallow=False)


def foresee(folder: Path, change: Change, online: OnlineKeys, now: datetime, root_first: bool = False) -> bool:
    """What `init` or `commit` would say, with the same checks; writes nothing. Raises Refused or BadInput."""
    store = Store(folder)
    if (folder / layout.PENDING).exists():
        # what is served is only known once that is finished
        return True
    if is_served(store, change):
        return False
    served = bool(store.heads())
    if change.root is not None:
        repository_root.check(change.root, store.root_bytes() if served else None, now)
    elif not served:
        raise BadInput("A new repository needs a signed root and a signed top list.")
    checked = _Checked(store, change, now, root_first or not served)
    repository_refresh.check_online(online, [roles.read_root(raw) for raw in checked.roots])
    return True


def _take_in(
    store: Store,
    change: Change,
    online: OnlineKeys,
    now: datetime,
    lifetimes: layout.Lifetimes,
    root_first: bool,
) -> None:
    checked = _Checked(store, change, now, root_first)
    repository_refresh.check_online(online, [roles.read_root(raw) for raw in checked.roots])
    journal = Journal(store)
    journal.begin()
    stored = {}
    for name, one in checked.new_files.items():
        source = change.files.get(name)
        if source is not None:
            stored[name] = journal.stage_file(source, one.length, one.hashes["sha256"])
        elif not (store.public / name).is_file():
            raise BadInput(f"The change lists {one.path} and does not bring its file; add the file to it.")
    journal.steps += [["place", staged, name] for name, staged in stored.items()]
    journal.steps += [["point", origin, plain] for plain, origin in checked.plain.items()]
    journal.steps += _index_steps(store, checked, journal, stored)
    for role, raw in change.lists.items():
        version = checked.versions[role]
        journal.steps.append(["place", journal.stage(raw), layout.metadata_file(role, version)])
    journal.last_steps += [["remove", "", plain] for plain in checked.retired]
    journal.heads = checked.versions
    if change.root is not None:
        journal.root, journal.root_first = journal.stage(change.root), root_first
    journal.commit()
    finish(store, online, now, lifetimes)


def _index_steps(store: Store, checked: _Checked, journal: Journal, stored: Mapping[str, str]) -> list[list[str]]:
    """Agents of WAPT get an index of what will be served; one that is too big for them is none."""

    def targets(name: str, version: int) -> tuf.Targets:
        given = checked.metadata.get(name)
        signed: tuf.Targets
        signed = given.signed if given and given.signed.version == version else store.role(name, version).signed
        return signed

    def file(name: str) -> Path:
        return journal.staged(stored[name]) if name in stored else store.public / name

    served = index_upkeep.Served(checked.delegations, {**checked.heads, **checked.versions}, targets, file)
    try:
        index = index_upkeep.renewed(store.public / layout.INDEX, served)
    except BadInput:
        return [["remove", "", layout.INDEX]]
    return [] if index is None else [["replace", journal.stage(index), layout.INDEX]]


class _Checked:
    """A change that was found to be what it claims; everything that is needed to carry it out."""

    def __init__(self, store: Store, change: Change, now: datetime, root_first: bool) -> None:
        self.store, self.change, self.now = store, change, now
        self.heads = store.heads()
        self.metadata = {name: roles.from_bytes(raw, tuf.Targets, name) for name, raw in change.lists.items()}
        self.versions = {name: one.signed.version for name, one in self.metadata.items()}
        self._check_signatures(root_first)
        for name, one in self.metadata.items():
            self._check_version(name, one.signed)
        before, after = self._targets(self.heads), {}
        for name, one in self.metadata.items():
            for path, target in one.signed.targets.items():
                self._check_target(name, target)
                after[path] = target
        self.new_files = {
            layout.target_file(path, one.hashes["sha256"]): one
            for path, one in after.items()
            if path not in before or before[path].hashes != one.hashes
        }
        self._check_plain_names(before, after)

    def _check_signatures(self, root_first: bool) -> None:
        top = self._get("targets")
        # good under each root that a reader may have while the change becomes visible
        old = [] if root_first and self.change.root is not None else [self.store.root_bytes()]
        self.roots = old if self.change.root is None else [*old, self.change.root]
        for raw in self.roots:
            roles.verify(roles.read_root(raw), "targets", top)
        self.delegations = roles.delegated(top.signed)
        self.bins: dict[str, tuf.SuccinctRoles] = {}
        # where keys may have changed, lists that did not change must be good under them as well
        everything = "targets" in self.metadata
        for name in self.delegations:
            if not everything and name not in self.metadata and name not in self._heads_of_bins():
                continue
            head = self._get(name)
            roles.verify(top.signed, name, head)
            bins = roles.bins_in(head.signed, name)
            if bins is None:
                continue
            self.bins[name] = bins
            for one in bins.get_roles():
                if everything or name in self.metadata or one in self.metadata:
                    roles.verify(head.signed, one, self._get(one))
        known = {"targets", *self.delegations, *(one for bins in self.bins.values() for one in bins.get_roles())}
        if foreign := set(self.metadata) - known:
            raise Refused("other_role", f"Nobody delegates to {min(foreign)} in this repository.")

    def _heads_of_bins(self) -> set[str]:
        return {name.rpartition("-")[0] for name in self.metadata}

    def _get(self, name: str) -> tuf.Metadata[tuf.Targets]:
        if name in self.metadata:
            return self.metadata[name]
        if name not in self.heads:
            raise Refused(
                "incomplete", f"The change delegates to {name} and brings no list of it; let its keys sign one."
            )
        return self.store.role(name, self.heads[name])

    def _check_version(self, name: str, signed: tuf.Targets) -> None:
        expected = self.heads.get(name, 0) + 1
        if signed.version != expected:
            raise Refused(
                "rolled_back",
                f"The list {name} of the change has the version {signed.version} where {expected} is next; something"
                " else was published since. Prepare the change again.",
            )
        if signed.is_expired(self.now):
            raise Refused("expired", f"The list {name} of the change has expired; sign it again.")

    def _check_target(self, name: str, target: tuf.TargetFile) -> None:
        path = target.path
        if not layout.is_path(path) or target.hashes.keys() != {"sha256"} or target.length > layout.MAX_TARGET_BYTES:
            raise Refused("malformed", f"The list {name} has a target that no host would read: {ascii(path)[:80]}.")
        owner = next((one for one, role in self.delegations.items() if role.is_delegated_path(path)), "targets")
        if owner in self.bins:
            owner = self.bins[owner].get_role_for_target(path)
        if owner != name:
            raise Refused("other_role", f"The list {name} has the target {path}, which only {owner} may sign.")
        if layout.plain_file(path) is not None:
            target_custom.parse(target.custom, path)

    def _targets(self, heads: Mapping[str, int]) -> dict[str, tuf.TargetFile]:
        """What the lists of the change held until now, and all bins of a role that gets others."""
        names = [name for name in self.metadata if name in heads]
        for role in self.metadata.keys() & self.bins.keys():
            served = roles.bins_in(self.store.role(role, heads[role]).signed, role) if role in heads else None
            names += [] if served is None else [one for one in served.get_roles() if one not in self.metadata]
        found: dict[str, tuf.TargetFile] = {}
        for name in names:
            found |= self.store.role(name, heads[name]).signed.targets
        return found

    def _check_plain_names(self, before: Mapping[str, tuf.TargetFile], after: Mapping[str, tuf.TargetFile]) -> None:
        freed = {plain for path in before if path not in after and (plain := layout.plain_file(path))}
        owners: dict[str, str] = {}
        self.plain: dict[str, str] = {}
        for path, one in after.items():
            plain = layout.plain_file(path)
            if plain is None:
                continue
            taken = owners.setdefault(plain, path)
            there = path not in before and plain not in freed and (self.store.public / plain).exists()
            if taken != path or there:
                raise BadInput(
                    f"{path} and another target would be one file, {plain}, for agents of WAPT; rename one of them."
                )
            if path not in before or before[path].hashes != one.hashes:
                self.plain[plain] = layout.target_file(path, one.hashes["sha256"])
        self.retired = sorted(freed - owners.keys())


def clear(folder: Path, now: datetime, grace: timedelta = GRACE) -> list[str]:
    """Remove what no snapshot of the last days names; names below `public/` of what went. Roots stay for ever."""
    store = Store(folder)
    with store.locked():
        if (folder / layout.PENDING).exists():
            raise BadInput(f"A change of the repository {folder} waits to be finished; refresh it first.")
        kept = _kept(store, now, grace)
        gone = []
        for part in (layout.METADATA, layout.TARGETS):
            for path in sorted((store.public / part).rglob("*")):
                name = path.relative_to(store.public).as_posix()
                if path.is_file() and name not in kept and not name.endswith(".root.json"):
                    path.unlink()
                    gone.append(name)
        return gone


def _kept(store: Store, now: datetime, grace: timedelta) -> set[str]:
    timestamp = store.timestamp()
    if timestamp is None:
        return set()
    kept = {layout.metadata_file("timestamp", None)}
    served = timestamp.signed.snapshot_meta.version
    for version in reversed([one for one in store.versions("snapshot") if one <= served]):
        raw = store._read(layout.metadata_file("snapshot", version), layout.MAX_SNAPSHOT)
        signed = roles.from_bytes(raw, tuf.Snapshot, "snapshot").signed
        heads = {name.removesuffix(".json"): meta.version for name, meta in signed.meta.items()}
        kept.add(layout.metadata_file("snapshot", version))
        kept |= {layout.metadata_file(role, number) for role, number in heads.items()}
        kept |= set(_files(store, heads))
        # the one before it was replaced when this one was signed
        if signed.expires - layout.SNAPSHOT_LIFETIME < now - grace:
            break
    return kept


def _files(store: Store, heads: Mapping[str, int]) -> Iterable[str]:
    for role in loaded_roles(store, heads):
        for path, one in store.role(role, heads[role]).signed.targets.items():
            yield layout.target_file(path, one.hashes["sha256"])


def listing(folder: Path) -> dict[str, dict[str, Any]]:
    """All targets by path, as the publisher serves them: length, sha256, role and custom; what `Packages` is made of."""
    store = Store(folder)
    heads = store.heads()
    return {
        path: {"length": one.length, "sha256": one.hashes["sha256"], "role": role, "custom": one.custom}
        for role in loaded_roles(store, heads)
        for path, one in store.role(role, heads[role]).signed.targets.items()
    }
