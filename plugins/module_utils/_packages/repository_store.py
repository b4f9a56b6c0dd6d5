# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository's folder: what is served now, and a journal that makes each change whole or absent.

A change is staged beside what is served, with every byte on the disk; one rename of the folder `pending` is the moment
from which it will happen. Then files are linked into place in the order packages, plain names, `Packages`, lists,
snapshot, timestamp (TUF specification 6.2), each step being one that can be done twice. Whoever opens the repository
next finishes what was interrupted. A name with a version in it is written once and never again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from .._common import atomic, canonical
from .._common.errors import BadInput, BocageError
from .._common.locks import exclusive
from .._common.refused import Refused
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf

_COPY_BYTES = 1 << 20
_MAX_JOURNAL = 1 << 28


class Store:
    """Reads what a folder serves. What cannot be read is a BocageError that names the file."""

    def __init__(self, folder: Path) -> None:
        tuf.require_libraries()
        self.folder = folder
        self.public = folder / layout.PUBLIC

    def versions(self, role: str) -> list[int]:
        """The versions of a role that lie there, served or not."""
        found = []
        end = layout.metadata_file(role, None).removeprefix(f"{layout.METADATA}/")
        with os.scandir(self.public / layout.METADATA) as entries:
            for entry in entries:
                number, _dot, rest = entry.name.partition(".")
                if rest == end and number.isdecimal():
                    found.append(int(number))
        return sorted(found)

    def root_bytes(self, version: int | None = None) -> bytes:
        """A root, the newest by default."""
        if version is None:
            known = self.versions("root") if (self.public / layout.METADATA).is_dir() else []
            if not known:
                raise BadInput(f"There is no repository in {self.folder}; make one with init.")
            version = known[-1]
        return self._read(layout.metadata_file("root", version), layout.MAX_ROOT)

    def root(self) -> tuf.Root:
        signed: tuf.Root = self._metadata(self.root_bytes(), tuf.Root, "root").signed
        return signed

    def timestamp(self) -> tuf.Metadata[tuf.Timestamp] | None:
        """None in a repository that is only being made."""
        if not (self.public / layout.metadata_file("timestamp", None)).exists():
            return None
        raw = self._read(layout.metadata_file("timestamp", None), layout.MAX_TIMESTAMP)
        return self._metadata(raw, tuf.Timestamp, "timestamp")

    def snapshot(self) -> tuf.Metadata[tuf.Snapshot] | None:
        """The one that the timestamp names."""
        timestamp = self.timestamp()
        if timestamp is None:
            return None
        raw = self._read(layout.metadata_file("snapshot", timestamp.signed.snapshot_meta.version), layout.MAX_SNAPSHOT)
        return self._metadata(raw, tuf.Snapshot, "snapshot")

    def heads(self) -> dict[str, int]:
        """Versions of all lists by role, as the snapshot has them."""
        snapshot = self.snapshot()
        if snapshot is None:
            return {}
        return {name.removesuffix(".json"): meta.version for name, meta in snapshot.signed.meta.items()}

    def role_bytes(self, role: str, version: int) -> bytes:
        return self._read(layout.metadata_file(role, version), layout.MAX_ROLE)

    def role(self, role: str, version: int) -> tuf.Metadata[tuf.Targets]:
        return self._metadata(self.role_bytes(role, version), tuf.Targets, role)

    def locked(self) -> AbstractContextManager[None]:
        """Only one publisher at once. Raises BocageError when there is another."""
        self.folder.mkdir(parents=True, exist_ok=True)
        busy = f"The repository {self.folder} is being changed by another process; wait until it has ended."
        return exclusive(self.folder / "lock", busy)

    def _read(self, name: str, maximum: int) -> bytes:
        try:
            return atomic.read_bounded(self.public / name, maximum)
        except OSError as error:
            raise BocageError(
                f"The file {self.public / name} of the repository cannot be read ({error.strerror});"
                " bring it back from a replica."
            ) from error

    def _metadata(self, raw: bytes, kind: type[Any], what: str) -> tuf.Metadata[Any]:
        try:
            return roles.from_bytes(raw, kind, what)
        except Refused as error:
            raise BocageError(f"{error} Bring the file back from a replica of {self.folder}.") from error


class Journal:
    """A change that is being staged, or that was staged and has to be finished."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = store.folder / layout.PENDING
        self._staging = store.folder / f".{layout.PENDING}"
        self.steps: list[list[str]] = []
        self.last_steps: list[list[str]] = []
        self.heads: dict[str, int] = {}
        self.root = ""
        """Stored name of a root that comes with the change."""
        self.root_first = False
        """The old online keys are lost or not to be trusted, so nothing can be good under both roots."""
        self._count = 0

    def begin(self) -> None:
        """An empty place for a change; what an interrupted one left, before its rename, never happened."""
        for rest in (self._staging, self.store.folder / f".{layout.PENDING}-done"):
            if rest.exists():
                shutil.rmtree(rest)
        self._staging.mkdir(parents=True, mode=0o700)
        make_folder(self.store.public / layout.METADATA)

    def stage(self, data: bytes) -> str:
        """Keep bytes until their step comes."""
        self._count += 1
        name = f"{self._count:06}"
        with _create(self._staging / name) as stream:
            stream.write(data)
            _flush(stream)
        return name

    def stage_file(self, source: Path, length: int, sha256: str) -> str:
        """Keep a copy of a package, which must be what the list says. Raises BadInput."""
        name = f"file-{sha256}"
        digest = hashlib.sha256()
        count = 0
        try:
            with source.open("rb") as origin, _create(self._staging / name) as stream:
                while chunk := origin.read(_COPY_BYTES):
                    digest.update(chunk)
                    count += len(chunk)
                    if count > length:
                        break
                    stream.write(chunk)
                _flush(stream)
        except OSError as error:
            raise BocageError(f"The file {source} cannot be copied into the repository: {error.strerror}.") from error
        if (count, digest.hexdigest()) != (length, sha256):
            raise BadInput(f"The file {source} is not the one that was signed; it changed since. Prepare it again.")
        return name

    def staged(self, name: str) -> Path:
        """Where a file lies whose name `stage_file` gave."""
        return self._staging / name

    def commit(self) -> None:
        """From here on the change will happen."""
        document = {
            "steps": self.steps,
            "last_steps": self.last_steps,
            "heads": self.heads,
            "root": self.root,
            "root_first": self.root_first,
        }
        with _create(self._staging / "journal.json") as stream:
            stream.write(canonical.dumps(document))
            _flush(stream)
        atomic.sync_directory(self._staging)
        self._staging.rename(self.folder)
        atomic.sync_directory(self.store.folder)

    def load(self) -> bool:
        """Whether there is a change to finish."""
        if not (self.folder / "journal.json").exists():
            return False
        document = canonical.loads(atomic.read_bounded(self.folder / "journal.json", _MAX_JOURNAL), "the journal")
        self.steps, self.last_steps = document["steps"], document["last_steps"]
        self.heads, self.root, self.root_first = document["heads"], document["root"], document["root_first"]
        return True

    def carry_out(self, steps: Sequence[Sequence[str]]) -> None:
        """Each step may have been done before, wholly or not at all."""
        changed = set()
        for kind, origin, name in steps:
            path = self.store.public / name
            make_folder(path.parent)
            if kind == "remove":
                path.unlink(missing_ok=True)
            elif kind == "place":
                _place(self.folder / origin, path)
            elif kind == "point":
                point(self.store.public / origin, path)
            else:
                point(self.folder / origin, path)
            changed.add(path.parent)
        for folder in sorted(changed):
            atomic.sync_directory(folder)

    def done(self) -> None:
        """Forget the change; it is served."""
        finished = self.store.folder / f".{layout.PENDING}-done"
        if finished.exists():
            shutil.rmtree(finished)
        self.folder.rename(finished)
        atomic.sync_directory(self.store.folder)
        shutil.rmtree(finished)


def make_folder(path: Path) -> None:
    """A folder that the web server can read, whatever mask its maker has."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)


def point(source: Path, path: Path) -> None:
    """Make `path` another name of `source`, in the place of what is there."""
    temporary = path.with_name(f".{path.name[:60]}.{hashlib.sha256(path.name.encode()).hexdigest()[:16]}.new")
    temporary.unlink(missing_ok=True)
    os.link(source, temporary)
    temporary.replace(path)
    # a rename between two names of one file does nothing, by POSIX
    temporary.unlink(missing_ok=True)


def _place(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except FileExistsError:
        if not path.samefile(source) and not _same(source, path):
            raise BocageError(
                f"The file {path} has other bytes than the change that should write it; a name is written only once."
            ) from None


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        return hashlib.file_digest(first, "sha256").digest() == hashlib.file_digest(second, "sha256").digest()


def _create(path: Path) -> Any:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    os.fchmod(descriptor, 0o644)
    return os.fdopen(descriptor, "wb")


def _flush(stream: Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())
