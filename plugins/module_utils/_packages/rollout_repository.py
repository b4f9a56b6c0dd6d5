# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repository has for rollouts: its packages, and the rollouts themselves, as far as it is signed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .._common import atomic
from .._common.errors import BadInput, opening
from .._common.refused import Refused
from . import change_plan, target_custom
from . import repository_layout as layout
from . import tuf_library as tuf
from .estate_roots import EstateRoots
from .kinds import kind_of_path
from .repository_edit import Addition
from .rollout_document import MAX_BYTES, PATH, RolloutDocument, parse
from .rollout_start import Listed


@dataclass(frozen=True)
class Repository:
    """`targets` by path; `rollouts` by name; `may_execute` says of a path whether its delegation may sign programs."""

    targets: Mapping[str, tuf.TargetFile]
    rollouts: Mapping[str, RolloutDocument]
    may_execute: Callable[[str], bool]

    def rollout(self, name: str | None) -> RolloutDocument:
        """Raises BadInput where there is none of that name."""
        found = self.rollouts.get(name or "")
        if found is None:
            there = ", ".join(sorted(self.rollouts)) or "none"
            raise BadInput(f"The repository has no rollout {name or 'without a name'}; there are: {there}.")
        return found

    def packages(self, additions: Iterable[Addition]) -> list[Listed]:
        """All packages but those of single hosts, with those that come with a rollout."""
        coming = {one.target.path: one.target for one in additions}
        if known := sorted(coming.keys() & self.targets.keys()):
            raise BadInput(f"{known[0]} is published already, and hosts may have taken it; give it a higher version.")
        return [
            Listed(one.hashes["sha256"], target_custom.parse(one.custom, path), path in coming)
            for path, one in {**self.targets, **coming}.items()
            if kind_of_path(path) not in ("", "host") and one.custom
        ]

    def paths_of(self, document: RolloutDocument) -> list[str]:
        """Where the packages are listed that came with a rollout."""
        came = {sha256 for name in document.changing & document.after.keys() for sha256 in document.after[name].sha256}
        return sorted(path for path, one in self.targets.items() if one.hashes.get("sha256") in came)


def read_exported(archive: Path, work: Path, known: EstateRoots, now: datetime) -> Repository:
    """What a publisher exported, once it was verified. Raises Refused or BadInput."""
    store = change_plan.take_exported(archive, work, known, now)
    targets = change_plan.listed(store)
    rollouts = {}
    for path, target in targets.items():
        if found := PATH.fullmatch(path):
            rollouts[found[1]] = _read(work / change_plan.EXPORTED, path, target)
    return Repository(targets, rollouts, change_plan.may_execute(store))


def _read(folder: Path, path: str, target: tuf.TargetFile) -> RolloutDocument:
    what = f"the rollout {path}"
    try:
        raw = atomic.read_bounded(folder / layout.target_file(path, target.hashes["sha256"]), MAX_BYTES)
    except OSError as error:
        raise BadInput(
            f"{opening(what)} is listed and did not come with what was exported; export it again."
        ) from error
    if len(raw) != target.length or hashlib.sha256(raw).hexdigest() != target.hashes["sha256"]:
        raise Refused("altered", f"{opening(what)} is not the one that is listed.")
    return parse(raw, what)
