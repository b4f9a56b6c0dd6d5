# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python-tuf's client with a given clock, files that survive a power cut, and a record of what it accepted before.

A host reads its own copies of the last root, timestamp, snapshot and top list at each update. Once such a copy was
verified, its mark is kept: one SHA-256 of its bytes, of its name, and of the mark of who delegates to it, up to the pinned
root. A copy of the same mark has the same bytes under the same keys and thresholds, so its signatures are not checked
again; versions and ends are. All else, what replicas send and roots that came after the pinned one, is verified in full.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from .._common import atomic
from . import repository_layout as layout
from . import tuf_library as tuf
from .fetcher import Fetcher
from .repository_reading import Kept, load_data, payload

_WORD = "accepted."
# goes up when metadata is judged more strictly, so that what an earlier version of this program took is judged again
_FORM = "1"
_PINNED = "pinned"
_NOBODY = "0" * 64


def accepted_in(state: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The marks by role that an earlier update left; none where others than this user reach into the folder."""
    held = folder.stat()
    if held.st_uid != os.geteuid() or stat.S_IMODE(held.st_mode) & 0o077:
        return {}
    return {name.removeprefix(_WORD): mark for name, mark in state.items() if name.startswith(_WORD)}


class TrustedSet(tuf.TrustedMetadataSet):
    """The metadata that was verified so far, each with its mark.

    python-tuf's own begins with the clock of the machine and a slower reading; all its private names are set here.
    """

    def __init__(self, root: bytes, now: datetime, accepted: Mapping[str, str]) -> None:
        self._trusted_set = {}
        self._trusted_delegations = set()
        self.reference_time = now
        self._load_data: Any = self._load
        self._accepted = accepted
        self.marks: dict[str, str] = {}
        """By role; of those that came with what they delegate to, or are asked for at each update."""
        self._latest: tuple[Any, str] = (None, "")
        self._load_trusted_root(root)

    def _load(
        self, kind: type[Any], data: bytes, delegator: Any = None, role_name: str | None = None
    ) -> tuple[Any, bytes, dict[str, tuf.Signature]]:
        role = role_name or kind.type
        mark = ""
        if isinstance(data, Kept):
            mark = self._mark(role, delegator, data)
            if mark == self._accepted.get(role):
                signed = payload(kind, data)
                self._latest = signed, mark
                return signed, b"", {}
        found = load_data(kind, data, delegator, role_name)
        if kind is not tuf.Targets or found[0].delegations is not None:
            self._latest = found[0], mark or self._mark(role, delegator, data)
        return found

    def _mark(self, role: str, delegator: Any, data: bytes) -> str:
        above = next((name for name, one in self._trusted_set.items() if one is delegator), None)
        before = _NOBODY if above is None else self.marks[above]
        # all but the name have one length, so that no two readings have the same bytes
        words = f"{_FORM} {before} {hashlib.sha256(data).hexdigest()} {role}"
        return hashlib.sha256(words.encode("utf-8")).hexdigest()

    def _add(self, role: str, signed: Any, delegator: str) -> None:
        super()._add(role, signed, delegator)
        # only now is it believed: it may be of a wrong version after all signatures were good
        latest, mark = self._latest
        if signed is latest:
            self.marks[role] = mark

    def _load_trusted_root(self, data: bytes) -> None:
        signed, raw, signatures = self._load(tuf.Root, Kept(data), None, _PINNED)
        if raw:
            signed.verify_delegate(tuf.Root.type, raw, signatures)
        self._add(tuf.Root.type, signed, tuf.Root.type)
        self.marks[_PINNED] = self.marks[tuf.Root.type]


class Updater(tuf.Updater):
    """It reaches into private names of tuf 7 (those of TrustedSet, its own `_dir`, `_metadata_base_url`, `_fetcher`,
    `_trusted_set`, `_load_local_metadata`, `_persist_root`, `_persist_file`, `_update_root_symlink`), which tests would miss.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        fetcher: Fetcher,
        root: bytes,
        now: datetime,
        accepted: Mapping[str, str] | None = None,
    ) -> None:
        self.config = tuf.UpdaterConfig(
            root_max_length=layout.MAX_ROOT,
            timestamp_max_length=layout.MAX_TIMESTAMP,
            snapshot_max_length=layout.MAX_SNAPSHOT,
            targets_max_length=layout.MAX_ROLE,
        )
        self._dir, self._metadata_base_url, self._fetcher = str(folder), url, fetcher
        self._moved: set[Path] = set()
        self._trusted_set = TrustedSet(root, now, accepted or {})
        self._persist_root(self.trusted.root.version, root)

    def refresh(self) -> None:
        try:
            super().refresh()
        finally:
            # what was seen stays seen, also when what came after it is refused
            for folder in self._moved:
                atomic.sync_directory(folder)

    @property
    def trusted(self) -> Any:
        """The metadata that was verified so far."""
        return self._trusted_set

    def accepted(self) -> dict[str, str]:
        """What `accepted_in` finds once it is kept; only for an update that ended well."""
        return {f"{_WORD}{role}": mark for role, mark in self.trusted.marks.items()}

    def _load_local_metadata(self, rolename: str) -> bytes:
        return Kept(super()._load_local_metadata(rolename))

    def _update_root_symlink(self) -> None:
        """Nothing: a client begins with its pinned root, never with the link to the last one."""

    def _persist_root(self, version: int, data: bytes) -> None:
        path = Path(self._dir, "root_history", f"{version}.root.json")
        # the pinned one comes with each update
        if not (path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data):
            path.parent.mkdir(exist_ok=True, parents=True)
            self._persist_file(str(path), data)

    def _persist_file(self, filename: str, data: bytes) -> None:
        path = Path(filename)
        atomic.write_file(path, data, sync=False)
        self._moved.add(path.parent)
