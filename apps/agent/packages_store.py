# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of packages on this host: one SQLite file, and one transaction for each step.

A transaction is on the disk when it is over (WAL, synchronous FULL): whatever cuts the power, the next run finds the
state before a step or after it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from bocage_core._common.errors import BocageError

SCHEMA = 1
STATES = ("OK", "NEED-INSTALL", "NEED-UPGRADE", "NEED-REMOVE", "ERROR", "MISSING")
_KEPT_STEPS = 5000
_STATE_NAMES = ",".join(f"'{state}'" for state in STATES)
_TABLES = f"""
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE package (
  name TEXT PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ({_STATE_NAMES})), reason TEXT NOT NULL DEFAULT '',
  version TEXT, wanted TEXT, section TEXT NOT NULL DEFAULT 'base', depends TEXT NOT NULL DEFAULT '',
  conflicts TEXT NOT NULL DEFAULT '', sha256 TEXT NOT NULL DEFAULT '', installed_at TEXT,
  audit TEXT NOT NULL DEFAULT '', audit_reason TEXT NOT NULL DEFAULT '', audited_at TEXT,
  audit_schedule TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE request (name TEXT PRIMARY KEY, request TEXT NOT NULL, asked_by TEXT NOT NULL, asked_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE uninstall (
  name TEXT PRIMARY KEY, version TEXT NOT NULL, control TEXT NOT NULL, setup BLOB, undo TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE floor (name TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE acceptance (
  sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, section TEXT NOT NULL, depends TEXT NOT NULL,
  conflicts TEXT NOT NULL, size INTEGER NOT NULL, path TEXT NOT NULL, signer TEXT NOT NULL, executable INTEGER NOT NULL,
  control TEXT NOT NULL, metadata TEXT NOT NULL, accepted_at TEXT NOT NULL, used_offline_at TEXT
) WITHOUT ROWID;
CREATE TABLE refusal (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
  at TEXT NOT NULL
);
CREATE TABLE pending (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, action TEXT NOT NULL, version TEXT NOT NULL, sha256 TEXT NOT NULL,
  step TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE step (
  id INTEGER PRIMARY KEY, at TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, action TEXT NOT NULL,
  step TEXT NOT NULL, note TEXT NOT NULL
);
CREATE TABLE rule (name TEXT PRIMARY KEY, kind TEXT NOT NULL, content TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Row:
    """A package that is installed, or should be; all times as in signed documents."""

    name: str
    state: str
    reason: str = ""
    version: str | None = None
    """That is installed, as far as is known."""
    wanted: str | None = None
    section: str = "base"
    depends: str = ""
    conflicts: str = ""
    sha256: str = ""
    installed_at: str | None = None
    audit: str = ""
    audit_reason: str = ""
    audited_at: str | None = None
    audit_schedule: str = ""


@dataclass(frozen=True)
class Record:
    """A file that the acceptance rule let pass, on which metadata, and when."""

    sha256: str
    name: str
    version: str
    section: str
    depends: str
    conflicts: str
    size: int
    path: str
    signer: str
    executable: bool
    control: dict[str, Any]
    metadata: dict[str, int]
    accepted_at: str
    used_offline_at: str | None = None


@dataclass(frozen=True)
class Pending:
    """What was begun and is not over."""

    id: int
    name: str
    action: str
    version: str
    sha256: str
    step: str
    at: str


@dataclass(frozen=True)
class Uninstall:
    """How a package goes again, recorded before it came."""

    name: str
    version: str
    control: dict[str, Any]
    setup: bytes | None
    undo: list[list[Any]]


_ROW = tuple(one.name for one in fields(Row))
_RECORD = tuple(one.name for one in fields(Record))


class Store:
    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The state in a folder, made where there is none."""
        path = folder / "state.sqlite"
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            # made by us first, so that it is never wider than its owner
            path.touch(mode=0o600)
        except OSError as error:
            raise BocageError(f"The state of packages {path} cannot be made: {error.strerror}.") from error
        with _said(path):
            connection = sqlite3.connect(path, isolation_level=None, timeout=30)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                store = cls(path, connection)
                store._prepare()
            except BaseException:
                connection.close()
                raise
            return store

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The state for a look at it, beside an agent that may be working; None where there is none."""
        path = folder / "state.sqlite"
        if not path.exists():
            return None
        with _said(path):
            store = cls(path, sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=30))
            if store._version() != SCHEMA:
                store.close()
                return None
            return store

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def step(self) -> Iterator[sqlite3.Connection]:
        """All or nothing."""
        with _said(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # a full disk may have rolled back already
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    # what is known

    def rows(self) -> dict[str, Row]:
        # the names of columns are those of our own class
        found = self._all(f"SELECT {','.join(_ROW)} FROM package ORDER BY name")  # noqa: S608
        return {one[0]: Row(*one) for one in found}

    def records(self) -> list[Record]:
        found = self._all(f"SELECT {','.join(_RECORD)} FROM acceptance ORDER BY name, accepted_at")  # noqa: S608
        return [_record_of(dict(zip(_RECORD, one, strict=True))) for one in found]

    def record(self, sha256: str) -> Record | None:
        found = self._all(f"SELECT {','.join(_RECORD)} FROM acceptance WHERE sha256=?", sha256)  # noqa: S608
        return _record_of(dict(zip(_RECORD, found[0], strict=True))) if found else None

    def pending(self) -> list[Pending]:
        return [Pending(*one) for one in self._all("SELECT id,name,action,version,sha256,step,at FROM pending")]

    def requests(self) -> dict[str, str]:
        """By package, what was asked for on this host itself."""
        return dict(self._all("SELECT name, request FROM request ORDER BY name"))

    def uninstall(self, name: str) -> Uninstall | None:
        found = self._all("SELECT version,control,setup,undo FROM uninstall WHERE name=?", name)
        if not found:
            return None
        version, control, setup, undo = found[0]
        return Uninstall(name, version, json.loads(control), setup, json.loads(undo))

    def floor(self, name: str) -> str | None:
        found = self._all("SELECT version FROM floor WHERE name=?", name)
        return str(found[0][0]) if found else None

    def fact(self, name: str) -> Any:
        found = self._all("SELECT value FROM fact WHERE name=?", name)
        return json.loads(found[0][0]) if found else None

    def refusals(self, most: int = 20) -> list[tuple[str, str, str, str, str]]:
        """Newest first: package, version, code, reason, time."""
        return self._all("SELECT name,version,code,reason,at FROM refusal ORDER BY id DESC LIMIT ?", most)

    def rules(self, kind: str) -> dict[str, Any]:
        """By package, what an installed package of that type says."""
        return {one[0]: json.loads(one[1]) for one in self._all("SELECT name,content FROM rule WHERE kind=?", kind)}

    def history(self, most: int = 100) -> list[tuple[str, str, str, str, str, str]]:
        """Newest first: time, package, version, action, step, note."""
        return self._all("SELECT at,name,version,action,step,note FROM step ORDER BY id DESC LIMIT ?", most)

    # one transaction each

    def set_facts(self, values: Mapping[str, Any]) -> None:
        with self.step() as step:
            put_facts(step, values)

    def note(self, at: str, name: str, version: str, action: str, what: str, note: str = "") -> None:
        with self.step() as step:
            add_step(step, at, name, version, action, what, note)

    def _all(self, statement: str, *values: Any) -> list[Any]:
        with _said(self.path):
            return self._connection.execute(statement, values).fetchall()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _prepare(self) -> None:
        version = self._version()
        if version > SCHEMA:
            raise BocageError(
                f"The state of packages {self.path} was written by a newer agent (form {version}, this one knows"
                f" {SCHEMA}); install the newer agent again."
            )
        if version == 0:
            with self.step() as step:
                # another agent may have been faster
                if self._version() == 0:
                    for statement in _TABLES.split(";\n"):
                        step.execute(statement)
                    step.execute(f"PRAGMA user_version={SCHEMA}")


def _record_of(values: dict[str, Any]) -> Record:
    decoded = {name: json.loads(values[name]) for name in ("control", "metadata")}
    return Record(**{**values, **decoded, "executable": bool(values["executable"])})


def put_row(step: sqlite3.Connection, row: Row) -> None:
    marks = ",".join("?" * len(_ROW))
    values = [getattr(row, name) for name in _ROW]
    step.execute(f"INSERT OR REPLACE INTO package ({','.join(_ROW)}) VALUES ({marks})", values)  # noqa: S608


def put_record(step: sqlite3.Connection, record: Record) -> None:
    values = [getattr(record, name) for name in _RECORD]
    values = [json.dumps(one, sort_keys=True) if isinstance(one, dict) else one for one in values]
    marks = ",".join("?" * len(_RECORD))
    step.execute(f"INSERT OR REPLACE INTO acceptance ({','.join(_RECORD)}) VALUES ({marks})", values)  # noqa: S608


def put_facts(step: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        step.execute("INSERT OR REPLACE INTO fact VALUES (?,?)", (name, json.dumps(value, sort_keys=True)))


def put_uninstall(step: sqlite3.Connection, one: Uninstall) -> None:
    step.execute(
        "INSERT OR REPLACE INTO uninstall VALUES (?,?,?,?,?)",
        (one.name, one.version, json.dumps(one.control, sort_keys=True), one.setup, json.dumps(one.undo)),
    )


def add_step(step: sqlite3.Connection, at: str, name: str, version: str, action: str, what: str, note: str) -> None:
    step.execute(
        "INSERT INTO step (at,name,version,action,step,note) VALUES (?,?,?,?,?,?)",
        (at, name, version, action, what, note[:1000]),
    )
    step.execute("DELETE FROM step WHERE id <= (SELECT max(id) FROM step) - ?", (_KEPT_STEPS,))


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What SQLite says, as a sentence."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise BocageError(f"The disk of {path} is full; make room, then run this again.") from error
        if "locked" in str(error):
            raise BocageError(f"Another program keeps the state of packages {path} locked; end it.") from error
        raise BocageError(f"The state of packages {path} cannot be used: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise BocageError(
            f"The state of packages {path} is damaged ({error}); move it away, and the next upgrade installs anew."
        ) from error
