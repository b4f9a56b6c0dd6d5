# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a change (by whoever holds the keys of a list) and taking it in (by the publisher, who holds none of them).

`prepare` edits and signs lists; its result can travel. `commit` believes nothing of it: signatures, versions, paths,
descriptions and bytes are checked before the first of them is served.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from .._common.errors import BadInput
from . import repository_keys as keys
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf
from .repository_ends import RENEW_LIST
from .repository_store import Store

_SAMPLE = 16


@dataclass(frozen=True)
class Addition:
    """A target to be listed, with the file that holds its bytes."""

    target: tuf.TargetFile
    source: Path


@dataclass
class Change:
    """Signed lists by role, and the files that they newly name, by the name under which these are stored."""

    lists: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    root: bytes | None = None


def add_file(path: str, source: Path, custom: Mapping[str, Any] | None = None) -> Addition:
    """A target of a file as it is now; `custom` describes the package (target_custom)."""
    try:
        with source.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            length = stream.tell()
    except OSError as error:
        raise BadInput(f"The file {source} cannot be read: {error.strerror}.") from error
    return Addition(roles.target(path, length, sha256, custom), source)


def role_of(top: tuf.Targets, path: str) -> str:
    """The delegation that may sign a path. Raises BadInput."""
    layout.check_path(path)
    if top.delegations is not None:
        for name, _terminating in top.delegations.get_roles_for_target(path):
            return name
    raise BadInput(f"No delegation of this repository covers {path}; add one to its top list first.")


def prepare(
    store: Store,
    additions: Iterable[Addition],
    removals: Iterable[str],
    signers: Mapping[str, Sequence[tuf.Signer]],
    now: datetime,
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
) -> Change:
    """The change that adds some targets (in the place of what has their path) and retires others.

    `store` may be a copy of the metadata alone. `signers` are by delegation; too few are no error here, since others
    can add theirs with `repository_keys.sign` to each of `lists`. Raises BadInput for what cannot be listed.
    """
    heads = store.heads()
    top = store.role("targets", heads["targets"]).signed
    edits: dict[str, tuple[dict[str, tuf.TargetFile], set[str]]] = {}
    change = Change()
    for one in additions:
        edits.setdefault(role_of(top, one.target.path), ({}, set()))[0][one.target.path] = one.target
        change.files[layout.target_file(one.target.path, one.target.hashes["sha256"])] = one.source
    for path in removals:
        edits.setdefault(role_of(top, path), ({}, set()))[1].add(path)
    for role, (added, removed) in edits.items():
        edit = _Edit(store, heads, role, top, now, lifetimes)
        for name, metadata in edit.lists(added, removed).items():
            keys.sign_metadata(metadata, signers.get(role, ()), name)
            change.lists[name] = roles.to_bytes(metadata)
    return change


def renew(
    store: Store,
    signers: Mapping[str, Sequence[tuf.Signer]],
    now: datetime,
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
    everything: bool = False,
) -> Change:
    """The same lists signed anew: those that expire within two weeks, or all, as a change of keys needs.

    Only lists of the delegations in `signers`, and the top list for `targets`.
    """
    heads = store.heads()
    top = store.role("targets", heads["targets"])
    change = Change()
    for role in signers:
        names = ["targets"] if role == "targets" else _names(store, heads, role, top.signed)
        for name in names:
            metadata = store.role(name, heads[name])
            if not everything and metadata.signed.expires - now > RENEW_LIST:
                continue
            metadata.signed.version += 1
            metadata.signed.expires = now + lifetimes.targets
            metadata.signatures.clear()
            keys.sign_metadata(metadata, signers[role], name)
            change.lists[name] = roles.to_bytes(metadata)
    return change


def delegate(
    store: Store,
    delegations: Sequence[roles.Delegation],
    signers: Mapping[str, Sequence[tuf.Signer]],
    now: datetime,
    lifetimes: layout.Lifetimes = layout.DEFAULT_LIFETIMES,
) -> Change:
    """The top list with other delegations: new keys, sites that come or go.

    Lists of a delegation that is new are begun, and those whose keys change are signed anew, by `signers` of that
    delegation; `targets` are the signers of the top list.
    """
    heads = store.heads()
    top = store.role("targets", heads["targets"]).signed
    raw = roles.new_targets(delegations, top.version + 1, now, lifetimes.targets)
    change = Change({"targets": keys.sign(raw, signers.get("targets", ()), "targets")})
    planned = roles.from_bytes(raw, tuf.Targets, "targets").signed
    served = roles.delegated(top)
    for name, delegation in roles.delegated(planned).items():
        fresh = _Edit(store, heads, name, planned, now, lifetimes)
        if name not in heads:
            lists = {name: roles.new_list(1, now, lifetime=lifetimes.targets)}
        elif name not in served or _keys_differ(served[name], delegation, top, planned):
            lists = fresh.again()
        else:
            continue
        for one, metadata in lists.items():
            keys.sign_metadata(metadata, signers.get(name, ()), one)
            change.lists[one] = roles.to_bytes(metadata)
    return change


def sign_change(change: Change, role: str, signers: Sequence[tuf.Signer]) -> list[str]:
    """Add signatures to the lists of a delegation, its bins with it, in a change; the lists that were signed.

    Raises BadInput where the change has no list of it.
    """
    signed = [name for name in sorted(change.lists) if name == role or roles.is_bin_of(name, role)]
    if not signed:
        raise BadInput(f"The change has no list {role} that could be signed.")
    for name in signed:
        change.lists[name] = keys.sign(change.lists[name], signers, name)
    return signed


class _Edit:
    """New versions of the lists of one delegation."""

    def __init__(
        self,
        store: Store,
        heads: Mapping[str, int],
        role: str,
        top: tuf.Targets,
        now: datetime,
        lifetimes: layout.Lifetimes,
    ) -> None:
        self.store, self.heads, self.role, self.now = store, heads, role, now
        self.lifetime = lifetimes.targets
        self.delegation = roles.delegated(top)[role]
        self.keys = {} if top.delegations is None else top.delegations.keys
        self.current = store.role(role, heads[role]).signed if role in heads else None
        self.bins = None if self.current is None else roles.bins_in(self.current, role)

    def lists(self, added: Mapping[str, tuf.TargetFile], removed: set[str]) -> dict[str, tuf.Metadata[tuf.Targets]]:
        if self.bins is None:
            targets = {} if self.current is None else dict(self.current.targets)
            _apply(targets, added, removed)
            bits = layout.bits_for(len(targets))
            return self._spread(targets, bits) if bits else {self.role: self._list(self.role, targets)}
        touched = {self.bins.get_role_for_target(path) for path in (*added, *removed)}
        served = {name: dict(self.store.role(name, self.heads[name]).signed.targets) for name in touched}
        bits = layout.bits_for(self._estimate(served) + len(added), self.bins.bit_length)
        if bits != self.bins.bit_length:
            targets = {}
            for name in self.bins.get_roles():
                targets |= self.store.role(name, self.heads[name]).signed.targets
            _apply(targets, added, removed)
            return self._spread(targets, bits)
        own = self.bins.get_role_for_target
        for name, targets in served.items():
            here = {path: one for path, one in added.items() if own(path) == name}
            _apply(targets, here, {path for path in removed if own(path) == name})
        return {name: self._list(name, targets) for name, targets in served.items()}

    def again(self) -> dict[str, tuf.Metadata[tuf.Targets]]:
        """All lists of the delegation with the keys that it has now."""
        if self.current is None or self.bins is None:
            return {self.role: self._list(self.role, {} if self.current is None else self.current.targets)}
        found = {name: self.store.role(name, self.heads[name]).signed.targets for name in self.bins.get_roles()}
        lists = {name: self._list(name, targets) for name, targets in found.items()}
        return {self.role: self._head(self.bins.bit_length), **lists}

    def _spread(self, targets: Mapping[str, tuf.TargetFile], bits: int) -> dict[str, tuf.Metadata[tuf.Targets]]:
        bins = roles.bins_of(self.role, self.delegation.keyids, self.delegation.threshold, bits)
        found: dict[str, dict[str, tuf.TargetFile]] = {name: {} for name in bins.get_roles()}
        for path, one in targets.items():
            found[bins.get_role_for_target(path)][path] = one
        return {self.role: self._head(bits), **{name: self._list(name, inside) for name, inside in found.items()}}

    def _head(self, bits: int) -> tuf.Metadata[tuf.Targets]:
        bins = roles.bins_of(self.role, self.delegation.keyids, self.delegation.threshold, bits)
        own = {name: self.keys[name] for name in self.delegation.keyids}
        return roles.new_list(self._next(self.role), self.now, (), bins, own, self.lifetime)

    def _list(self, name: str, targets: Mapping[str, tuf.TargetFile]) -> tuf.Metadata[tuf.Targets]:
        return roles.new_list(self._next(name), self.now, targets.values(), lifetime=self.lifetime)

    def _next(self, name: str) -> int:
        return self.heads.get(name, 0) + 1

    def _estimate(self, served: Mapping[str, Mapping[str, Any]]) -> int:
        """How many targets there are, from some bins: to read all of them for each package would take a second."""
        if self.bins is None:
            raise AssertionError("only lists in bins are estimated")
        counts = {name: len(targets) for name, targets in served.items()}
        for name in self.bins.get_roles():
            if len(counts) >= _SAMPLE:
                break
            if name not in counts:
                counts[name] = len(self.store.role(name, self.heads[name]).signed.targets)
        sampled = sum(counts.values())
        return sampled * int(self.bins.number_of_bins) // len(counts)


def _apply(targets: dict[str, tuf.TargetFile], added: Mapping[str, tuf.TargetFile], removed: set[str]) -> None:
    for path in removed:
        if targets.pop(path, None) is None:
            raise BadInput(f"The repository has no target {path} that could be retired; look at its list.")
    targets |= added


def _names(store: Store, heads: Mapping[str, int], role: str, top: tuf.Targets) -> list[str]:
    if role not in roles.delegated(top):
        raise BadInput(f"This repository has no delegation {role}; look at its top list.")
    bins = roles.bins_in(store.role(role, heads[role]).signed, role)
    return [role, *([] if bins is None else bins.get_roles())]


def _keys_differ(old: tuf.DelegatedRole, new: tuf.DelegatedRole, before: tuf.Targets, after: tuf.Targets) -> bool:
    same = set(old.keyids) == set(new.keyids) and old.threshold == new.threshold
    return not same or before.delegations is None or after.delegations is None
