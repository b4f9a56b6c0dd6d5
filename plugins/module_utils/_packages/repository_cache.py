# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client verified, kept so that it is parsed once: the lists by role and version, the targets by package.

A list is loaded again only when the snapshot names another version of it, or when the delegation to it changed. This
is a cache of the client's own; a file that is damaged is begun anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .._common.errors import BocageError
from .._common.refused import Refused
from . import repository_layout as layout
from . import target_custom
from . import tuf_library as tuf

_JSON = json.JSONEncoder(separators=(",", ":"))
_FORM = 1
_TABLES = f"""
create table roles (
  name text primary key, parent text not null, version integer not null, delegation text not null,
  expires text not null, may_execute integer not null, raw blob, refused text not null
) without rowid;
create table targets (
  path text primary key, role text not null, length integer not null, sha256 text not null, package text, custom text
);
create index targets_role on targets (role);
create index targets_package on targets (package);
create table state (name text primary key, value text not null) without rowid;
pragma user_version = {_FORM};
"""


TargetRow = tuple[str, str, Any, Any, Any, Any]
"""A target as it is kept: path, list, length, SHA-256, package, description."""


@dataclass(frozen=True)
class Target:
    """One target of the repository, as signed by a role that may speak of it."""

    path: str
    length: int
    """Bytes."""
    sha256: str
    role: str
    may_execute: bool
    """Whether the delegation under which it is listed allows executable content."""
    custom_text: str | None

    @property
    def custom(self) -> target_custom.Custom:
        """The description of a package. Raises Refused for a target that is none."""
        return target_custom.parse(self.words, self.path)

    @property
    def words(self) -> Any:
        """`custom` as it was signed, for targets that are no packages."""
        return None if self.custom_text is None else json.loads(self.custom_text)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class KnownList(NamedTuple):
    """A list that was verified before; plain, since there are as many as bins."""

    name: str
    parent: str
    version: int
    delegation: str
    expires: str
    """In the one spelling of timestamps, which sorts as moments do."""
    raw: bytes | None
    """Kept where bins are delegated in it."""


@dataclass(frozen=True)
class VerifiedList:
    """A list that was verified now."""

    name: str
    parent: str
    version: int
    delegation: str
    expires: str
    may_execute: bool
    rows: set[TargetRow]
    raw: bytes | None
    """Kept where bins are delegated in it."""
    refused: list[str]
    before: set[TargetRow]
    """What of it is kept: only what differs is written, as the rows of a bin lie all over the file."""


class Cache:
    """The database in a client's folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: sqlite3.Connection | None = None

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Several questions with one opening, which takes longer than most answers."""
        with closing(self._open()) as self._kept:
            try:
                # what is asked until the update is taken in is one transaction, so that the file is looked at once
                self._kept.execute("begin")
                yield
            finally:
                self._kept = None

    def known(self) -> dict[str, KnownList]:
        """By name."""
        rows = self._read("select name, parent, version, delegation, expires, raw from roles")
        # as _make does it, in a third of the time
        return {row[0]: tuple.__new__(KnownList, row) for row in rows}

    def state(self) -> dict[str, str]:
        return dict(self._read("select name, value from state"))

    def refused(self) -> list[str]:
        """Targets that were left out, each with its reason."""
        return [
            line
            for (text,) in self._read("select refused from roles where refused != ''")
            for line in text.splitlines()
        ]

    def count(self) -> int:
        return int(self._read("select count(*) from targets")[0][0])

    def targets(self) -> Iterator[Target]:
        """All of them by path, while no update runs."""
        yield from self._targets("1")

    def of_package(self, package: str) -> list[Target]:
        return list(self._targets("package = ?", package))

    def below(self, folder: str) -> list[Target]:
        """All whose path begins with this, such as `crl/`."""
        return list(self._targets("path >= ? and path < ?", folder, f"{folder}\U0010ffff"))

    def at_path(self, path: str) -> Target | None:
        return next(iter(self._targets("path = ?", path)), None)

    def rows(self, name: str) -> set[TargetRow]:
        """The targets of a list, as `row_of` writes them."""
        return set(self._read("select * from targets where role = ?", name))

    def replace(self, lists: Sequence[VerifiedList], gone: Iterable[str], state: dict[str, str]) -> None:
        """Take in an update, wholly or not at all: lists that are new, and the names of those that are no more."""
        try:
            with self._database() as database:
                _take_in(database, lists, gone, state)
        except sqlite3.OperationalError as error:
            raise BocageError(f"The list of packages {self._path} cannot be written: {error}; update again.") from error
        except OverflowError as error:
            raise Refused(
                "malformed", "A list of the repository has a version above 2^63; use another replica."
            ) from error
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
            # a fault of ours says nothing of the file
            raise
        except sqlite3.DatabaseError as error:
            raise self._removed() from error

    def _targets(self, condition: str, *values: str) -> Iterator[Target]:
        question = (
            "select path, length, sha256, role, (select may_execute from roles where name = role), custom from targets"
        )
        for path, length, sha256, role, may_execute, custom in self._read(
            f"{question} where {condition} order by path", *values
        ):
            yield Target(path, length, sha256, role, bool(may_execute), custom)

    def _read(self, question: str, *values: str) -> list[Any]:
        try:
            with self._database() as database:
                return database.execute(question, values).fetchall()
        except sqlite3.OperationalError as error:
            raise BocageError(f"The list of packages {self._path} cannot be read: {error}.") from error
        except sqlite3.ProgrammingError:
            # a fault of ours says nothing of the file
            raise
        except sqlite3.DatabaseError as error:
            raise self._removed() from error

    def _removed(self) -> BocageError:
        """What is said of a file that is damaged, once it is gone."""
        self._path.unlink(missing_ok=True)
        return BocageError(f"The list of packages {self._path} was damaged and is removed; update again.")

    def _database(self) -> AbstractContextManager[sqlite3.Connection]:
        return closing(self._open()) if self._kept is None else nullcontext(self._kept)

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError as error:
            raise BocageError(f"The list of packages {self._path} cannot be opened: {error}.") from error
        except sqlite3.DatabaseError:
            # damaged, or of another version of this program: everything in it can be loaded again
            self._path.unlink(missing_ok=True)
        try:
            return self._connect()
        except sqlite3.Error as error:
            raise BocageError(f"The list of packages {self._path} cannot be opened: {error}.") from error

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=30)
        try:
            form = database.execute("pragma user_version").fetchone()[0]
            if form == 0:
                database.executescript(f"begin; {_TABLES} commit;")
            elif form != _FORM:
                raise sqlite3.DatabaseError("another form")
            # a journal that is emptied, and flushed so, takes half of the time of one that is made and removed
            database.execute("pragma journal_mode=truncate")
            database.execute("pragma synchronous=full")
        except BaseException:
            database.close()
            raise
        return database


def _take_in(
    database: sqlite3.Connection, lists: Sequence[VerifiedList], gone: Iterable[str], state: dict[str, str]
) -> None:
    """In one transaction."""
    with database:
        for one in lists:
            database.execute(
                "insert or replace into roles values (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    one.name,
                    one.parent,
                    one.version,
                    one.delegation,
                    one.expires,
                    one.may_execute,
                    one.raw,
                    "\n".join(one.refused),
                ),
            )
            _replace_targets(database, one)
        names = [(name,) for name in gone]
        database.executemany("delete from targets where role = ?", names)
        database.executemany("delete from roles where name = ?", names)
        database.execute("delete from state")
        database.executemany("insert into state values (?, ?)", state.items())
        _refuse_too_many(database)


def _replace_targets(database: sqlite3.Connection, one: VerifiedList) -> None:
    # a path may have gone to another list, whose row of it stays
    gone = [row[:2] for row in one.before - one.rows]
    database.executemany("delete from targets where path = ? and role = ?", gone)
    database.executemany("insert or replace into targets values (?, ?, ?, ?, ?, ?)", one.rows - one.before)


def _refuse_too_many(database: sqlite3.Connection) -> None:
    # rows have numbers from 1 on, so that the last one tells without counting in nearly all cases
    (last,) = database.execute("select max(rowid) from targets").fetchone()
    if (last or 0) > layout.MAX_TARGETS:
        (count,) = database.execute("select count(*) from targets").fetchone()
        if count > layout.MAX_TARGETS:
            raise BocageError(f"The repository lists {count} targets; at most {layout.MAX_TARGETS} are kept.")


def row_of(name: str, target: tuf.TargetFile) -> TargetRow:
    """A target of a list, whatever it says of itself."""
    custom = target.custom
    package = custom.get("package") if isinstance(custom, dict) else None
    # a target that is no package may have anything there
    package = package if isinstance(package, str) else None
    text = None if custom is None else _JSON.encode(custom)
    return target.path, name, target.length, target.hashes.get("sha256"), package, text
