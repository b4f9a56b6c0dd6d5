# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists below the top one, for a client: which changed, fetched some at a time, verified, and read once.

A target counts only in the list of the delegation, and of the bin, that its path belongs to (TUF specification 5.6.7);
one that is malformed is left out with a reason and does not take the others with it, so that one deployer's mistake
does not stop all updates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._common import timestamps
from .._common.fields import SHA256
from .._common.refused import Refused
from . import repository_layout as layout
from . import repository_roles as roles
from . import target_custom
from . import tuf_library as tuf
from .fetcher import Fetcher
from .repository_cache import Cache, TargetRow, VerifiedList, row_of
from .repository_reading import Kept

_MAX_REASONS = 20


@dataclass(frozen=True)
class Loaded:
    """Lists that are new, the names of those that count no more, and what is to be remembered of the update."""

    lists: list[VerifiedList]
    gone: set[str]
    state: dict[str, str]


@dataclass(frozen=True)
class _Wanted:
    """Lists that should be known, and how they are delegated: one by its paths, or all bins of one."""

    names: Sequence[str]
    parent: str
    delegation: str
    """Tells under which keys, paths and rights they count; a list that was verified under others is verified again."""
    scope: str
    """The paths that are theirs, and those that other delegations have before them."""
    may_execute: bool
    owner: Callable[[str], str]
    """The name of the list that may speak of a path."""


def load(
    updater: Any, fetcher: Fetcher, url: str, cache: Cache, wanted: Callable[[str], bool], now: datetime
) -> Loaded:
    """All lists that the refreshed updater's top list reaches through delegations that are wanted."""
    return _Loader(updater, fetcher, url, cache, now).load(wanted)


class _Loader:
    def __init__(self, updater: Any, fetcher: Fetcher, url: str, cache: Cache, now: datetime) -> None:
        self.trusted, self.fetcher, self.url, self.cache, self.now = updater.trusted, fetcher, url, cache, now
        self.known = cache.known()
        self.top: tuf.Targets = self.trusted.targets
        self.heads: dict[str, tuf.MetaFile] = self.trusted.snapshot.meta
        self.lists: list[VerifiedList] = []
        self.ends: list[str] = []

    def load(self, wanted: Callable[[str], bool]) -> Loaded:
        delegated = roles.delegated(self.top)
        owner = roles.owners(self.top)
        heads = [self._head(name, role, owner) for name, role in delegated.items() if wanted(name)]
        self._fetch(heads)
        bins = [one for head in heads for one in self._bins(head)]
        self._fetch(bins)
        gone = self.known.keys() - {name for one in (*heads, *bins) for name in one.names}
        trusted = self.trusted
        signed = (trusted.root, trusted.timestamp, trusted.snapshot, trusted.targets)
        ends = [*(timestamps.write(one.expires) for one in signed), *self.ends]
        state = {
            "root": str(trusted.root.version),
            "timestamp": str(trusted.timestamp.version),
            "snapshot": str(trusted.snapshot.version),
            "expires": min(ends),
        }
        return Loaded(self.lists, gone, state)

    def _head(self, name: str, role: tuf.DelegatedRole, owner: Callable[[str], str]) -> _Wanted:
        if self.top.delegations is None:
            raise AssertionError("a role is wanted that nothing delegates to")
        scope = roles.scope(self.top, role)
        digest = f"{roles.delegation_digest(self.top.delegations, role)}{scope}"
        return _Wanted([name], "targets", digest, scope, roles.may_execute(role), owner)

    def _bins(self, head: _Wanted) -> list[_Wanted]:
        (name,) = head.names
        signed = self.trusted.get(name)
        if signed is None:
            raw = self.known[name].raw
            if raw is None:
                return []
            signed = self.trusted.update_delegated_targets(Kept(raw), name, "targets")
        bins = roles.bins_in(signed, name)
        if bins is None:
            return []
        get = bins.get_role_for_target

        def owner(path: str) -> str:
            return get(path) if head.owner(path) == name else ""

        # paths and the right to execute are the delegation's, so a change of them must reach the bins
        digest = f"{roles.delegation_digest(signed.delegations, bins)}{head.may_execute}{head.scope}"
        return [_Wanted(list(bins.get_roles()), name, digest, head.scope, head.may_execute, owner)]

    def _named(self, one: _Wanted, name: str) -> tuple[int, str]:
        """The version that is due, and what it is kept under: where the snapshot has a digest of it, with that."""
        meta = self.heads.get(f"{name}.json")
        if meta is None:
            raise Refused(
                "incomplete", f"The snapshot of {self.url} does not name the list {name}; use another replica."
            )
        if not meta.hashes:
            return meta.version, one.delegation
        return meta.version, one.delegation + "".join(f" {kind}:{meta.hashes[kind]}" for kind in sorted(meta.hashes))

    def _fetch(self, wanted: list[_Wanted]) -> None:
        now = timestamps.write(self.now)
        missing: list[tuple[_Wanted, str]] = []
        addresses: list[tuple[str, int]] = []
        for one in wanted:
            most = layout.MAX_ROLE if one.parent == "targets" else layout.MAX_BIN
            for name in one.names:
                version, mark = self._named(one, name)
                known = self.known.get(name)
                if known is None or known[:4] != (name, one.parent, version, mark):
                    missing.append((one, name))
                    addresses.append((f"{self.url}{layout.metadata_file(name, version)}", most))
                elif known.expires <= now:
                    raise Refused("expired", f"The list {name} of {self.url} has expired; its keys must sign it again.")
                else:
                    self.ends.append(known.expires)
        for (one, name), raw in zip(missing, self.fetcher.download_many(addresses), strict=True):
            self._verify(one, name, raw)

    def _verify(self, one: _Wanted, name: str, raw: bytes) -> None:
        signed: tuf.Targets = self.trusted.update_delegated_targets(raw, name, one.parent)
        mark = self._named(one, name)[1]
        before, known = self.cache.rows(name), self.known.get(name)
        # under the same keys, paths and rights, what was taken as it is now is right
        right = before if known is not None and (known.parent, known.delegation) == (one.parent, mark) else set()
        rows: set[TargetRow] = set()
        refused: list[str] = []

        def owns(path: str) -> bool:
            return one.owner(path) == name

        for path, target in signed.targets.items():
            row = row_of(name, target)
            reason = "" if row in right else wrong(path, target, owns)
            if not reason:
                rows.add(row)
            elif len(refused) < _MAX_REASONS:
                refused.append(f"The list {name} has the target {ascii(path)[:80]}, which {reason}.")
        expires = timestamps.write(signed.expires)
        self.ends.append(expires)
        kept = raw if signed.delegations is not None else None
        version = signed.version
        self.lists.append(
            VerifiedList(name, one.parent, version, mark, expires, one.may_execute, rows, kept, refused, before)
        )


def wrong(path: str, target: tuf.TargetFile, owns: Callable[[str], bool]) -> str:
    """Why a target of a list is not taken, "" when it is; `owns` says which paths the list may speak of.

    What was taken is not judged again: when this gets stricter, repository_cache._FORM goes up.
    """
    if not layout.is_path(path):
        return "is not a path that is served"
    if not owns(path):
        return "it may not sign"
    hashes: Mapping[str, Any] = target.hashes
    if not isinstance(hashes.get("sha256"), str) or not SHA256.fullmatch(hashes["sha256"]):
        return "has no SHA-256"
    if not isinstance(target.length, int) or not 0 <= target.length <= layout.MAX_TARGET_BYTES:
        return "has no usable length"
    if layout.plain_file(path) is not None:
        try:
            target_custom.check(target.custom, path)
        except Refused:
            return "is a package without a usable description"
    return ""
