# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What whoever signs lists does before a change travels: read the publisher's metadata, believe only what is signed,
and make the next lists. No key of the publisher is needed, and none of these keys ever goes there.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .._common.errors import BadInput
from .._common.refused import Refused
from . import change_signatures, estate_roots, publishable, repository, repository_edit, repository_keys
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf
from .estate_roots import EstateRoots
from .repository_replica import replicate
from .repository_store import Store

MAX_EXPORTED_BYTES = 2 << 30
MAX_EXPORTED = 100_000
EXPORTED = "exported"
_METADATA = re.compile(rf"{layout.METADATA}/[A-Za-z0-9%_][A-Za-z0-9.%_-]{{0,200}}\.json")
_ROLLOUT = re.compile(rf"{layout.TARGETS}/rollouts/[0-9a-f]{{64}}\.[a-z0-9][a-z0-9_-]{{0,62}}\.json")


@dataclass(frozen=True)
class Planned:
    """A change with what it does in words; empty where there is nothing to do."""

    change: repository_edit.Change
    steps: tuple[str, ...]
    later: tuple[str, ...] = ()
    """Lists that end soon and need more signatures than the rest, so that a change of their own brings them."""

    @property
    def empty(self) -> bool:
        return not self.change.lists and not self.change.files and self.change.root is None


def take_exported(archive: Path, work: Path, known: EstateRoots, now: datetime) -> Store:
    """A verified copy of the metadata that a publisher exported (`bocage-package export`). Raises Refused or BadInput.

    It is verified from the newest root on that both know, so that the copy shows which root is served.

    Rollouts that came with it lie beside the copy, and nobody has looked into them yet.
    """
    source, left = work / EXPORTED, MAX_EXPORTED_BYTES
    (source / layout.METADATA).mkdir(parents=True)
    (source / layout.TARGETS / "rollouts").mkdir(parents=True)
    try:
        with tarfile.open(archive, "r:") as opened:
            for count, member in enumerate(opened):
                left -= member.size
                # by its name alone: a link, a folder or a way out has none of this form
                formed = _METADATA.fullmatch(member.name) or _ROLLOUT.fullmatch(member.name)
                if not member.isreg() or not formed or count > MAX_EXPORTED or left < 0:
                    raise BadInput(f"The exported metadata {archive} holds more than metadata: {member.name[:80]!a}.")
                stream = opened.extractfile(member)
                (source / member.name).write_bytes(b"" if stream is None else stream.read())
    except (tarfile.TarError, OSError) as error:
        raise BadInput(f"The exported metadata {archive} cannot be read: {error}.") from error
    root = known.begin_at(estate_roots.newest_exported(source))
    replicate(str(source), work / "copy", root, at=known.judged_at(root, now), packages=False)
    return Store(work / "copy")


def may_execute(store: Store) -> Callable[[str], bool]:
    """Of a path in a repository, whether its delegation may sign what is executed."""
    return publishable.delegated_rights(store.role("targets", store.heads()["targets"]).signed)


def begin(
    root: bytes,
    wanted: Sequence[roles.Delegation],
    signers: Mapping[str, Sequence[tuf.Signer]],
    now: datetime,
    partly: bool = False,
) -> Planned:
    """The first lists of a repository, empty; `partly` where other holders sign what these cannot."""
    _require_signers(wanted, signers, partly)
    change = repository.new_change(root, wanted, signers, now)
    return Planned(change, (f"begin a repository with {', '.join(one.name for one in wanted)}",))


def delegate(
    store: Store,
    wanted: Sequence[roles.Delegation],
    signers: Mapping[str, Sequence[tuf.Signer]],
    now: datetime,
    following: bytes | None,
    partly: bool = False,
) -> Planned:
    """The top list with these delegations, where it has others, and the `following` root, if one waits.

    `signers` of targets are those of the root that is served and of the next one, since the list has to be good under
    both.
    """
    change, steps = repository_edit.Change(), []
    top = store.role("targets", store.heads()["targets"])
    served = roles.delegated(top.signed)
    same = served.keys() == {one.name for one in wanted} and all(
        set(served[one.name].keyids) == {key.keyid for key in one.keys} and served[one.name].threshold == one.threshold
        for one in wanted
    )
    if not same:
        _require_signers([one for one in wanted if one.name not in served], signers, partly)
    if not same or (following is not None and not _is_good(following, top)):
        # from what is declared: former keys may have signed other paths or rights into what is served
        change = repository_edit.delegate(store, wanted, signers, now)
        steps.append("sign targets anew" if same else f"delegate to {', '.join(one.name for one in wanted)}")
    if following is not None:
        change.root = following
        steps.append("take the next root")
    return Planned(change, tuple(steps))


def publish(
    store: Store,
    additions: Iterable[repository_edit.Addition],
    removals: Iterable[str],
    signers: Mapping[str, Sequence[tuf.Signer]],
    now: datetime,
    partly: bool = False,
) -> Planned:
    """List targets and retire others; lists of the same signers that end soon are signed anew with them.

    Of the latter those that need more signatures than these do not hold up the rest.
    """
    top = store.role("targets", store.heads()["targets"]).signed
    served = listed(store)
    new = [one for one in additions if not _same(served.get(one.target.path), one.target)]
    publishable.refuse_other_bytes(served, new)
    gone = [path for path in removals if path in served]
    needed = {repository_edit.role_of(top, path) for path in (*(one.target.path for one in new), *gone)}
    lacking = sorted(role for role in needed if not signers.get(role))
    if lacking and not (partly and len(lacking) < len(needed)):
        raise BadInput(f"No key of the delegation {lacking[0]} was given, which has to sign this change.")
    change = repository_edit.prepare(store, new, gone, signers, now)
    renewed = repository_edit.renew(store, {role: one for role, one in signers.items() if one}, now)
    steps = [f"publish {one.target.path}" for one in new] + [f"retire {path}" for path in gone]
    fresh = {name: raw for name, raw in renewed.lists.items() if name not in change.lists}
    frame = change_signatures.Frame(repository_edit.Change(fresh), store.root_bytes(), store)
    short = frame.missing()
    later = {name for name in fresh if frame.role_of(name) in short}
    if not change.lists and later == fresh.keys():
        later = set()
    for name in sorted(fresh.keys() - later):
        change.lists[name] = fresh[name]
        steps.append(f"sign {name} anew")
    return Planned(change, tuple(steps), tuple(sorted(later)))


def listed(store: Store) -> dict[str, tuf.TargetFile]:
    """All targets that are served, by path."""
    heads = store.heads()
    found: dict[str, tuf.TargetFile] = {}
    for name in roles.delegated(store.role("targets", heads["targets"]).signed):
        signed = store.role(name, heads[name]).signed
        bins = roles.bins_in(signed, name)
        for one in [
            signed,
            *(store.role(inside, heads[inside]).signed for inside in (bins.get_roles() if bins else ())),
        ]:
            found |= one.targets
    return found


def _is_good(root: bytes, top: tuf.Metadata[tuf.Targets]) -> bool:
    try:
        roles.verify(roles.read_root(root), "targets", top)
    except Refused:
        return False
    return True


def _same(served: tuf.TargetFile | None, wanted: tuf.TargetFile) -> bool:
    return served is not None and served.to_dict() == wanted.to_dict()


def _require_signers(
    wanted: Sequence[roles.Delegation], signers: Mapping[str, Sequence[tuf.Signer]], partly: bool
) -> None:
    needed = ("targets", *(one.name for one in wanted))
    lacking = [role for role in needed if not signers.get(role)]
    if lacking and not (partly and len(lacking) < len(needed)):
        raise BadInput(f"No key of {lacking[0]} was given, which has to sign its first list.")


def sign_with(files: Mapping[str, Sequence[Path]], passphrases: Mapping[str, bytes]) -> dict[str, list[tuf.Signer]]:
    """Signers by role; `passphrases` by role, and under "" for all others."""
    return {
        role: [repository_keys.load_signer(path, passphrases.get(role, passphrases.get(""))) for path in paths]
        for role, paths in files.items()
    }
