# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that travels between holders: what it would do, who signed it, and how many signatures it still lacks.

Nothing is decided here for the publisher, who checks everything again: this tells holders what they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._common.errors import BadInput
from .._common.refused import Refused
from . import repository_roles as roles
from . import tuf_library as tuf
from .repository_edit import Change
from .repository_store import Store


@dataclass(frozen=True)
class Signed:
    """Of the lists of one role in a change: who must sign them, and who did."""

    keys: frozenset[str]
    """Names of the keys that count."""
    signers: frozenset[str]
    """Those of them whose signature all these lists have."""
    missing: int


class Frame:
    """What says who signs the lists of a change: the root, the top list, and lists that are spread over bins."""

    def __init__(self, change: Change, root: bytes, store: Store | None = None, root_first: bool = False) -> None:
        """`root` is the one that is served, where `store` does not say so; with `root_first` only the one after counts."""
        served = root if store is None else store.root_bytes()
        following = [] if change.root is None else [change.root]
        # what comes with the next root has to be good under both
        counting = following if root_first and following else [served, *following]
        self._roots = [roles.read_root(raw) for raw in dict.fromkeys(counting)]
        self._change, self._store = change, store
        self._heads = {} if store is None else store.heads()
        self._read: dict[str, tuf.Targets] = {}
        self.lists: dict[str, tuf.Metadata[tuf.Targets]] = {
            name: roles.from_bytes(raw, tuf.Targets, name) for name, raw in sorted(change.lists.items())
        }

    def roles(self) -> dict[str, Signed]:
        """By role, bins with the role that they belong to. Raises Refused, or BadInput where the top list lacks."""
        found: dict[str, list[Signed]] = {}
        for name, metadata in self.lists.items():
            role, delegators = self._delegators(name)
            one = _under_all([_judged(delegator, name, metadata) for delegator in delegators])
            found.setdefault(role, []).append(one)
        return {role: _together(each) for role, each in found.items()}

    def missing(self) -> dict[str, int]:
        """How many signatures each role still lacks; empty for a change that is complete."""
        return {role: one.missing for role, one in self.roles().items() if one.missing}

    def role_of(self, name: str) -> str:
        """The role that a list of the change belongs to, as a bin does to its own."""
        return self._delegators(name)[0]

    def _delegators(self, name: str) -> tuple[str, Sequence[tuf.Root | tuf.Targets]]:
        if name == "targets":
            return name, self._roots
        top = self.current("targets")
        if top is None:
            raise BadInput(
                f"The change has the list {ascii(name)[1:-1][:60]} and no top list, which says who signs it; give a copy"
                " of the repository, too."
            )
        delegated = roles.delegated(top)
        if name in delegated:
            return name, [top]
        for role in delegated:
            above = self.current(role) if roles.is_bin_of(name, role) else None
            if above is not None:
                return role, [above]
        raise Refused("bad_signature", f"Nobody is entitled to sign {ascii(name)[:60]} of the change.")

    def current(self, name: str) -> tuf.Targets | None:
        """A list as it is once the change was taken in."""
        return self.lists[name].signed if name in self.lists else self.served(name)

    def served(self, name: str) -> tuf.Targets | None:
        if self._store is None or name not in self._heads:
            return None
        if name not in self._read:
            self._read[name] = self._store.role(name, self._heads[name]).signed
        return self._read[name]

    def is_served(self) -> bool:
        """Whether its lists are those that are served: it was taken in, and nothing after it."""
        store, heads = self._store, self._heads
        return (
            store is not None
            and self._change.root in (None, store.root_bytes())
            and all(
                name in heads and store.role_bytes(name, heads[name]) == raw for name, raw in self._change.lists.items()
            )
        )

    def overtaken(self) -> str:
        """The list that is not the next one of what is served, so that the change can never be taken in; or ""."""
        following, store = self._change.root, self._store
        if (
            following is not None
            and store is not None
            and roles.read_root(following).version != store.root().version + 1
        ):
            return "root"
        for name, metadata in self.lists.items():
            if metadata.signed.version != self._heads.get(name, 0) + 1:
                return name
        return ""

    def steps(self) -> list[str]:
        """What it would do to what is served, in words."""
        steps = []
        if self._change.root is not None and self._store is not None and self._change.root != self._store.root_bytes():
            steps.append("take the next root")
        for role in sorted({self.role_of(name) for name in self.lists}):
            steps += self._steps_of_top() if role == "targets" else self._steps_of(role)
        return steps

    def _steps_of_top(self) -> list[str]:
        after, before = self.lists["targets"].signed, self.served("targets")
        names = ", ".join(roles.delegated(after))
        if before is None:
            return [f"begin a repository with {names}"]
        same = after.delegations == before.delegations and after.targets == before.targets
        return ["sign targets anew"] if same else [f"delegate to {names}"]

    def _steps_of(self, role: str) -> list[str]:
        mine = [name for name in self.lists if self.role_of(name) == role]
        others = [name for name in self._heads if role in mine and roles.is_bin_of(name, role)]
        before, after = self._targets(mine + others, now=True), self._targets(mine, now=False)
        new = [path for path, one in after.items() if path not in before or before[path].to_dict() != one.to_dict()]
        steps = [f"publish {path}" for path in new] + [f"retire {path}" for path in before if path not in after]
        return steps or ([f"sign {role} anew"] if role in self._heads else [])

    def _targets(self, names: list[str], *, now: bool) -> dict[str, tuf.TargetFile]:
        found: dict[str, tuf.TargetFile] = {}
        for name in names:
            signed = self.served(name) if now else self.lists[name].signed
            found |= {} if signed is None else signed.targets
        return found


def lacking(missing: Mapping[str, int]) -> str:
    """In words: 1 signature of targets."""
    return " and ".join(
        f"{count} {'signature' if count == 1 else 'signatures'} of {role}" for role, count in sorted(missing.items())
    )


def _judged(delegator: tuf.Root | tuf.Targets, name: str, metadata: tuf.Metadata[tuf.Targets]) -> Signed:
    try:
        result = delegator.get_verification_result(name, metadata.signed_bytes, metadata.signatures)
        keys = delegator.get_delegated_role(name).keyids
    except ValueError as error:
        raise Refused("bad_signature", f"Nobody is entitled to sign {ascii(name)[:60]} of the change.") from error
    return Signed(frozenset(keys), frozenset(result.signed), max(result.missing, 0))


def _under_all(each: Sequence[Signed]) -> Signed:
    """Of one list that has to be good under one root, or under two: who is in both serves both with one signature."""
    first, *others = each
    for other in others:
        shared = len((first.keys & other.keys) - first.signers - other.signers)
        missing = first.missing + other.missing - min(first.missing, other.missing, shared)
        first = Signed(first.keys | other.keys, first.signers | other.signers, missing)
    return first


def _together(lists: list[Signed]) -> Signed:
    signers = frozenset.intersection(*(one.signers for one in lists))
    return Signed(lists[0].keys, signers, max(one.missing for one in lists))
