# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory's memory in the operator's home: envelopes, which of them were verified, and the last report seen.

Whoever can write this file can have anything believed that it holds, exactly as somebody who can write the operator's
inventory or Ansible itself. It is therefore used only when nobody but the operator can reach it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._state.acceptance import LastSeen
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_documents import Documents

FORMAT = "1"
BUSY_SECONDS = 30
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE hosts (host_id TEXT PRIMARY KEY, received_at TEXT, enrolment BLOB, report BLOB, fork TEXT);
CREATE TABLE seen (host_id TEXT PRIMARY KEY, generation INTEGER NOT NULL, counter INTEGER NOT NULL,
                   digest TEXT NOT NULL, previous TEXT, issued_at TEXT NOT NULL);
CREATE TABLE proofs (proof BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class CacheUnusable(BocageError):
    """The cache cannot be used; the inventory goes on without one."""


class EstateCache:
    """One file for one inventory and one pinned key."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path, enrolment_key: bytes) -> EstateCache:
        """The cache in a file of mode 0600, emptied where it was written for another pinned key or format."""
        try:
            _make_private(path)
            cache = cls(_connect(str(path)))
            try:
                cache._prepare(enrolment_key)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                # Damaged; all of it can be had again.
                cache.close()
                path.unlink()
                _make_private(path)
                cache = cls(_connect(str(path)))
                cache._prepare(enrolment_key)
        except (OSError, sqlite3.Error) as error:
            raise CacheUnusable(f"The inventory's cache {path} cannot be used: {error}.") from error
        return cache

    @classmethod
    def in_memory(cls, enrolment_key: bytes) -> EstateCache:
        cache = cls(_connect(":memory:"))
        cache._prepare(enrolment_key)
        return cache

    def close(self) -> None:
        self._connection.close()

    def cursor(self, source: str) -> str | None:
        """Where the last answer of this source ended; another source, or another reader's view of it, begins anew."""
        return self._meta("cursor") if self._meta("source") == source else None

    def apply(self, source: str, cursor: str, changed: Iterable[Documents]) -> None:
        """Keep what a source gave, together with where it ended: both or neither."""
        rows = [
            (
                one.host_id,
                None if one.received_at is None else timestamps.write(one.received_at),
                one.enrolments[0] if one.enrolments else None,
                one.reports[0] if one.reports else None,
                json.dumps([raw.decode() for raw in one.fork]) if one.fork else None,
            )
            for one in changed
        ]
        with self._connection:
            self._connection.executemany("REPLACE INTO hosts VALUES (?, ?, ?, ?, ?)", rows)
            self._put_meta("source", source)
            self._put_meta("cursor", cursor)

    def documents(self) -> list[Documents]:
        found = self._connection.execute("SELECT host_id, received_at, enrolment, report, fork FROM hosts")
        return [
            Documents(
                host_id=host_id,
                enrolments=[] if enrolment is None else [enrolment],
                reports=[] if report is None else [report],
                fork=[] if fork is None else [raw.encode() for raw in json.loads(fork)],
                received_at=None if received_at is None else datetime.fromisoformat(received_at),
            )
            for host_id, received_at, enrolment, report, fork in found
        ]

    def proofs(self) -> set[bytes]:
        return {proof for (proof,) in self._connection.execute("SELECT proof FROM proofs")}

    def seen(self) -> dict[str, LastSeen]:
        found = self._connection.execute("SELECT host_id, generation, counter, digest, previous, issued_at FROM seen")
        return {
            host_id: LastSeen(generation, counter, digest, previous, datetime.fromisoformat(issued_at))
            for host_id, generation, counter, digest, previous, issued_at in found
        }

    def remember(self, before: set[bytes], used: set[bytes], seen: Mapping[str, LastSeen]) -> None:
        """Keep the proofs that were used, forget the others, and note the newest reports."""
        gone, new = before - used, used - before
        if not gone and not new and not seen:
            return
        with self._connection:
            self._connection.executemany("DELETE FROM proofs WHERE proof = ?", ((proof,) for proof in gone))
            self._connection.executemany("INSERT OR IGNORE INTO proofs VALUES (?)", ((proof,) for proof in new))
            self._connection.executemany(
                "REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (host_id, one.generation, one.counter, one.digest, one.previous, timestamps.write(one.issued_at))
                    for host_id, one in seen.items()
                ),
            )

    def _prepare(self, enrolment_key: bytes) -> None:
        owner = f"{FORMAT} {enrolment_key.hex()}"
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
            if "meta" in tables and self._meta("owner") == owner:
                return
            for name in tables:
                # Names come from the file itself, which only its owner writes.
                self._connection.execute(f'DROP TABLE "{name}"')
            for statement in _TABLES.split(";"):
                self._connection.execute(statement)
            self._put_meta("owner", owner)

    def _meta(self, name: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _put_meta(self, name: str, value: str) -> None:
        self._connection.execute("REPLACE INTO meta VALUES (?, ?)", (name, value))


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level="IMMEDIATE")
    # A cache that a power cut takes away is made again; waiting for the disk would be felt in every run.
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _make_private(path: Path) -> None:
    """The file exists, is the operator's own and nobody else's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    for one, loose in ((path.parent, 0o022), (path, 0o077)):
        found = one.stat()
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & loose:
            raise CacheUnusable(
                f"The inventory's cache {one} is open to others, so it is not used; remove it or choose another"
                " cache_directory."
            )
