# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What whoever signs lists does before a change travels: read the publisher's metadata, believe only what is signed,
and make the next lists. No key of the publisher is needed, and none of these keys ever goes there.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .._common.errors import BadInput
from . import repository, repository_edit, repository_keys, target_custom
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf
from .container import open_container
from .control import parse_control
from .kinds import target_path
from .repository_replica import replicate
from .repository_store import Store

MAX_EXPORTED_BYTES = 2 << 30
MAX_EXPORTED = 100_000
_METADATA = re.compile(rf"{layout.METADATA}/[A-Za-z0-9%_][A-Za-z0-9.%_-]{{0,200}}\.json")


@dataclass(frozen=True)
class Planned:
    """A change with what it does in words; empty where there is nothing to do."""

    change: repository_edit.Change
    steps: tuple[str, ...]

    @property
    def empty(self) -> bool:
        return not self.change.lists and not self.change.files


def take_exported(archive: Path, work: Path, root: bytes, now: datetime) -> Store:
    """A verified copy of the metadata that a publisher exported (`bocage-package export`). Raises Refused or BadInput."""
    source, left = work / "exported", MAX_EXPORTED_BYTES
    (source / layout.METADATA).mkdir(parents=True)
    try:
        with tarfile.open(archive, "r:") as opened:
            for count, member in enumerate(opened):
                left -= member.size
                # by its name alone: a link, a folder or a way out has none of this form
                if not member.isreg() or not _METADATA.fullmatch(member.name) or count > MAX_EXPORTED or left < 0:
                    raise BadInput(f"The exported metadata {archive} holds more than metadata: {member.name[:80]!a}.")
                stream = opened.extractfile(member)
                (source / member.name).write_bytes(b"" if stream is None else stream.read())
    except (tarfile.TarError, OSError) as error:
        raise BadInput(f"The exported metadata {archive} cannot be read: {error}.") from error
    replicate(str(source), work / "copy", root, at=now, packages=False)
    return Store(work / "copy")


def addition_of(package: Path, site: str = "") -> repository_edit.Addition:
    """A package as a target: its path, and what is signed of it there. Raises Refused or BadInput."""
    with open_container(package) as container:
        raw = container.control_raw
    control = parse_control(raw, f"the control file of {package}")
    path = target_path(control, site, "say of which site, so that its signer is known")
    return repository_edit.add_file(path, package, target_custom.from_control(control.fields, raw).to_dict())


def begin(
    root: bytes, wanted: Sequence[roles.Delegation], signers: Mapping[str, Sequence[tuf.Signer]], now: datetime
) -> Planned:
    """The first lists of a repository, empty."""
    _require_signers(wanted, signers)
    change = repository.new_change(root, wanted, signers, now)
    return Planned(change, (f"begin a repository with {', '.join(one.name for one in wanted)}",))


def delegate(
    store: Store,
    wanted: Sequence[roles.Delegation],
    signers: Mapping[str, Sequence[tuf.Signer]],
    now: datetime,
    root: bytes,
) -> Planned:
    """The top list with these delegations, where it has others, and a new root where one waits."""
    change, steps = repository_edit.Change(), []
    served = roles.delegated(store.role("targets", store.heads()["targets"]).signed)
    same = served.keys() == {one.name for one in wanted} and all(
        set(served[one.name].keyids) == {key.keyid for key in one.keys} and served[one.name].threshold == one.threshold
        for one in wanted
    )
    if not same:
        _require_signers([one for one in wanted if one.name not in served], signers)
        change = repository_edit.delegate(store, wanted, signers, now)
        steps.append(f"delegate to {', '.join(one.name for one in wanted)}")
    if store.root_bytes() != root:
        change.root = root
        steps.append("take the next root")
    return Planned(change, tuple(steps))


def publish(
    store: Store,
    additions: Iterable[repository_edit.Addition],
    removals: Iterable[str],
    signers: Mapping[str, Sequence[tuf.Signer]],
    now: datetime,
) -> Planned:
    """List targets and retire others; lists of the same signers that end soon are signed anew with them."""
    heads = store.heads()
    top = store.role("targets", heads["targets"]).signed
    listed = {path: one for name in _lists(store, heads, top) for path, one in name.items()}
    new = [one for one in additions if not _same(listed.get(one.target.path), one.target)]
    gone = [path for path in removals if path in listed]
    needed = {repository_edit.role_of(top, path) for path in (*(one.target.path for one in new), *gone)}
    for role in sorted(needed):
        if not signers.get(role):
            raise BadInput(f"No key of the delegation {role} was given, which has to sign this change.")
    change = repository_edit.prepare(store, new, gone, signers, now)
    renewed = repository_edit.renew(store, {role: one for role, one in signers.items() if one}, now)
    steps = [f"publish {one.target.path}" for one in new] + [f"retire {path}" for path in gone]
    for name, raw in renewed.lists.items():
        if name not in change.lists:
            change.lists[name] = raw
            steps.append(f"sign {name} anew")
    return Planned(change, tuple(steps))


def _lists(store: Store, heads: Mapping[str, int], top: tuf.Targets) -> Iterable[dict[str, tuf.TargetFile]]:
    for name in roles.delegated(top):
        signed = store.role(name, heads[name]).signed
        bins = roles.bins_in(signed, name)
        yield signed.targets
        for one in [] if bins is None else bins.get_roles():
            yield store.role(one, heads[one]).signed.targets


def _same(served: tuf.TargetFile | None, wanted: tuf.TargetFile) -> bool:
    return served is not None and served.to_dict() == wanted.to_dict()


def _require_signers(wanted: Sequence[roles.Delegation], signers: Mapping[str, Sequence[tuf.Signer]]) -> None:
    for role in ("targets", *(one.name for one in wanted)):
        if not signers.get(role):
            raise BadInput(f"No key of {role} was given, which has to sign its first list.")


def sign_with(files: Mapping[str, Sequence[Path]], passphrases: Mapping[str, bytes]) -> dict[str, list[tuf.Signer]]:
    """Signers by role; `passphrases` by role, and under "" for all others."""
    return {
        role: [repository_keys.load_signer(path, passphrases.get(role, passphrases.get(""))) for path in paths]
        for role, paths in files.items()
    }
