# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists below the top one, for a client: which changed, fetched some at a time, verified, and read once.

A target counts only in the list of the delegation, and of the bin, that its path belongs to (TUF specification 5.6.7);
one that is malformed is left out with a reason and does not take the others with it, so that one deployer's mistake
does not stop all updates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from .repository_cache import Cache, KnownList, VerifiedList

_MAX_REASONS = 20


@dataclass(frozen=True)
class Loaded:
    """Lists that are new, the names of all that count, and what is to be remembered of the update."""

    lists: list[VerifiedList]
    reachable: set[str]
    state: dict[str, str]


@dataclass(frozen=True)
class _Wanted:
    """A list that should be known, and by whom it is delegated."""

    name: str
    parent: str
    version: int
    delegation: str
    may_execute: bool
    owns: Callable[[str], bool]


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
        self.lists: list[VerifiedList] = []
        self.ends: list[datetime] = []

    def load(self, wanted: Callable[[str], bool]) -> Loaded:
        delegations = {name: role for name, role in roles.delegated(self.top).items() if wanted(name)}
        heads = [self._head(name, role) for name, role in delegations.items()]
        self._fetch(heads)
        bins = [one for head in heads for one in self._bins(head)]
        self._fetch(bins)
        reachable = {one.name for one in (*heads, *bins)}
        trusted = self.trusted
        signed = (trusted.root, trusted.timestamp, trusted.snapshot, trusted.targets)
        ends = [*(one.expires for one in signed), *self.ends]
        state = {
            "root": str(trusted.root.version),
            "timestamp": str(trusted.timestamp.version),
            "snapshot": str(trusted.snapshot.version),
            "expires": timestamps.write(min(ends)),
        }
        return Loaded(self.lists, reachable, state)

    def _head(self, name: str, role: tuf.DelegatedRole) -> _Wanted:
        if self.top.delegations is None:
            raise AssertionError("a role is wanted that nothing delegates to")
        get = self.top.delegations.get_roles_for_target

        def owns(path: str) -> bool:
            return next(iter(get(path)), ("", True))[0] == name

        digest = roles.delegation_digest(self.top.delegations, role)
        return _Wanted(name, "targets", self._version(name), digest, roles.may_execute(role), owns)

    def _bins(self, head: _Wanted) -> list[_Wanted]:
        signed = self.trusted.get(head.name)
        if signed is None:
            raw = self.cache.raw(head.name)
            if raw is None:
                return []
            signed = self.trusted.update_delegated_targets(raw, head.name, "targets")
        bins = roles.bins_in(signed, head.name)
        if bins is None:
            return []
        # the right to execute is the delegation's, so a change of it must reach the bins
        digest = f"{roles.delegation_digest(signed.delegations, bins)}{head.may_execute}"
        own = bins.get_role_for_target
        return [
            _Wanted(name, head.name, self._version(name), digest, head.may_execute, _in_bin(own, name, head.owns))
            for name in bins.get_roles()
        ]

    def _version(self, name: str) -> int:
        meta = self.trusted.snapshot.meta.get(f"{name}.json")
        if meta is None:
            raise Refused(
                "incomplete", f"The snapshot of {self.url} does not name the list {name}; use another replica."
            )
        return int(meta.version)

    def _fetch(self, wanted: list[_Wanted]) -> None:
        missing = []
        for one in wanted:
            known = self.known.get(one.name)
            if known is None or not self._still_good(one, known):
                missing.append(one)
            elif known.expires <= self.now:
                raise Refused("expired", f"The list {one.name} of {self.url} has expired; its keys must sign it again.")
            else:
                self.ends.append(known.expires)
        addresses = [
            (
                f"{self.url}{layout.metadata_file(one.name, one.version)}",
                layout.MAX_ROLE if one.parent == "targets" else layout.MAX_BIN,
            )
            for one in missing
        ]
        for one, raw in zip(missing, self.fetcher.download_many(addresses), strict=True):
            self._verify(one, raw)

    @staticmethod
    def _still_good(one: _Wanted, known: KnownList) -> bool:
        return (known.version, known.delegation, known.parent) == (one.version, one.delegation, one.parent)

    def _verify(self, one: _Wanted, raw: bytes) -> None:
        signed: tuf.Targets = self.trusted.update_delegated_targets(raw, one.name, one.parent)
        good: list[tuf.TargetFile] = []
        refused: list[str] = []
        for path, target in signed.targets.items():
            reason = wrong(path, target, one.owns)
            if not reason:
                good.append(target)
            elif len(refused) < _MAX_REASONS:
                refused.append(f"The list {one.name} has the target {ascii(path)[:80]}, which {reason}.")
        self.ends.append(signed.expires)
        kept = raw if signed.delegations is not None else None
        self.lists.append(
            VerifiedList(
                one.name,
                one.parent,
                signed.version,
                one.delegation,
                signed.expires,
                one.may_execute,
                good,
                kept,
                refused,
            )
        )


def _in_bin(own: Callable[[str], str], name: str, outer: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda path: own(path) == name and outer(path)


def wrong(path: str, target: tuf.TargetFile, owns: Callable[[str], bool]) -> str:
    """Why a target of a list is not taken, "" when it is; `owns` says which paths the list may speak of."""
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
            target_custom.parse(target.custom, path)
        except Refused:
            return "is a package without a usable description"
    return ""
