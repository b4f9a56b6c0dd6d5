# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of this host's seals.

A role's counter goes up before its seal is written or dropped. A crash in between leaves a seal that is below the
counter and so counts for nothing: at worst a role runs once more than it had to.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from bocage_core._common import atomic, canonical, fields
from bocage_core._common.errors import BocageError
from bocage_core._common.fields import ROLE
from bocage_core._seals.documents import MAX_SEAL_BYTES

from . import chain

COUNTERS_FILE = "counters.json"
KEY_FILE = "key"
_LOCK_FILE = "lock"
_KEY_BYTES = 32


class SealStore:
    """Seals by role, the counters and the key of content digests."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def roles(self) -> list[str]:
        """Roles that have a file here, whatever is in it."""
        if not self.directory.is_dir():
            return []
        names = [path.stem for path in self.directory.glob("*.json") if path.name != COUNTERS_FILE]
        return sorted(name for name in names if ROLE.fullmatch(name))

    def read(self, role: str) -> bytes | None:
        """The bytes of a seal; one byte too many where they are too many, None where there is none."""
        try:
            with self._file(role).open("rb") as stream:
                return stream.read(MAX_SEAL_BYTES + 1)
        except FileNotFoundError:
            return None

    def counters(self) -> dict[str, int]:
        """The lowest counter that is accepted of each role; raises BocageError where that cannot be known."""
        path = self.directory / COUNTERS_FILE
        what = f"the file {path}"
        try:
            document = fields.record(canonical.loads(atomic.read_bounded(path, 65536), what), what)
            return {role: fields.integer(document, role, what) for role in document}
        except FileNotFoundError:
            if (self.directory / KEY_FILE).exists():
                raise BocageError(f"The counters of seals in {path} are missing; run the roles again.") from None
            return {}

    def key(self) -> bytes | None:
        """The key of content digests, or None before the first seal."""
        try:
            key = atomic.read_bounded(self.directory / KEY_FILE, _KEY_BYTES)
        except FileNotFoundError:
            return None
        return key if len(key) == _KEY_BYTES else None

    def locked(self) -> AbstractContextManager[None]:
        """Alone with the folder; it is made where it is missing."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return chain.locked(self.directory / _LOCK_FILE)

    def prepare(self) -> bytes:
        """The key, made where there is none; the caller holds the lock."""
        key = self.key()
        if key is None:
            key = os.urandom(_KEY_BYTES)
            # first the counters: a key without them stands for counters that were lost
            if not (self.directory / KEY_FILE).exists() and not (self.directory / COUNTERS_FILE).exists():
                self._write_counters({})
            atomic.write_file(self.directory / KEY_FILE, key, 0o600)
        return key

    def advance(self, roles: Iterable[str]) -> dict[str, int]:
        """Raise the counters of these roles, so that no seal counts that was there before; the caller holds the lock."""
        try:
            counters = self.counters()
            highest = max(counters.values(), default=0)
        except BocageError:
            # What was accepted once is unknown; no counter was ever as high as the time of the clock.
            counters, highest = {}, int(time.time())
        for role in roles:
            # a role that is not listed may have been before the counters were lost
            counters[role] = counters.get(role, highest) + 1
        self._write_counters(counters)
        return counters

    def write(self, role: str, seal: bytes) -> None:
        atomic.write_file(self._file(role), seal, 0o600)

    def drop(self, roles: Iterable[str]) -> None:
        """Make the seals of these roles count no more; the caller holds the lock."""
        present = [role for role in roles if self._file(role).exists()]
        if present:
            self.advance(present)
            for role in present:
                self._file(role).unlink(missing_ok=True)
            atomic.sync_directory(self.directory)

    def _file(self, role: str) -> Path:
        if not ROLE.fullmatch(role) or f"{role}.json" == COUNTERS_FILE:
            raise BocageError(f"There is no role of the name {role[:60]!r}.")
        return self.directory / f"{role}.json"

    def _write_counters(self, counters: dict[str, int]) -> None:
        document = json.dumps(counters, sort_keys=True).encode() + b"\n"
        atomic.write_file(self.directory / COUNTERS_FILE, document, 0o600)
