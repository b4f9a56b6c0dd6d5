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
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .._common import timestamps
from .._common.errors import BocageError
from . import repository_layout as layout
from . import target_custom
from . import tuf_library as tuf

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


@dataclass(frozen=True)
class KnownList:
    """A list that was verified before."""

    parent: str
    version: int
    delegation: str
    expires: datetime


@dataclass(frozen=True)
class VerifiedList:
    """A list that was verified now."""

    name: str
    parent: str
    version: int
    delegation: str
    expires: datetime
    may_execute: bool
    targets: list[tuf.TargetFile]
    raw: bytes | None
    """Kept where bins are delegated in it."""
    refused: list[str]


class Cache:
    """The database in a client's folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def known(self) -> dict[str, KnownList]:
        rows = self._read("select name, parent, version, delegation, expires from roles")
        return {
            name: KnownList(parent, version, delegation, _moment(expires))
            for name, parent, version, delegation, expires in rows
        }

    def raw(self, role: str) -> bytes | None:
        rows = self._read("select raw from roles where name = ?", role)
        return rows[0][0] if rows else None

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

    def replace(self, lists: Iterable[VerifiedList], reachable: set[str], state: dict[str, str]) -> None:
        """Take in an update, wholly or not at all."""
        database = self._open()
        with closing(database), database:
            for one in lists:
                database.execute("delete from targets where role = ?", (one.name,))
                database.execute(
                    "insert or replace into roles values (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        one.name,
                        one.parent,
                        one.version,
                        one.delegation,
                        timestamps.write(one.expires),
                        one.may_execute,
                        one.raw,
                        "\n".join(one.refused),
                    ),
                )
                database.executemany("insert or replace into targets values (?, ?, ?, ?, ?, ?)", _rows(one))
            gone = [(name,) for (name,) in database.execute("select name from roles") if name not in reachable]
            database.executemany("delete from targets where role = ?", gone)
            database.executemany("delete from roles where name = ?", gone)
            database.execute("delete from state")
            database.executemany("insert into state values (?, ?)", state.items())
            most = database.execute("select count(*) from targets").fetchone()[0]
            if most > layout.MAX_TARGETS:
                raise BocageError(f"The repository lists {most} targets; at most {layout.MAX_TARGETS} are kept.")

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
            with closing(self._open()) as database:
                return database.execute(question, values).fetchall()
        except sqlite3.OperationalError as error:
            raise BocageError(f"The list of packages {self._path} cannot be read: {error}.") from error
        except sqlite3.DatabaseError as error:
            self._path.unlink(missing_ok=True)
            raise BocageError(f"The list of packages {self._path} was damaged and is removed; update again.") from error

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
        except BaseException:
            database.close()
            raise
        return database


def _rows(one: VerifiedList) -> Iterator[tuple[Any, ...]]:
    for target in one.targets:
        custom = target.custom
        package = custom.get("package") if isinstance(custom, dict) else None
        text = None if custom is None else json.dumps(custom, separators=(",", ":"))
        yield target.path, one.name, target.length, target.hashes["sha256"], package, text


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
