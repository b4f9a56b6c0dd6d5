# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of a program's files with owner, mode and digest, and what differs from it.

All of a folder is looked at by its inodes, which takes milliseconds; contents are read again only where an inode
changed, or where the last reading is too long ago. The time of the last change of an inode is set by the kernel alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import atomic, canonical, fields
from .errors import BocageError

MAX_BYTES = 8 * 1024 * 1024
_FIELDS = frozenset({"schema", "owner", "folders", "files"})
_NONE: frozenset[str] = frozenset()
_OTHERS = 0o022
# Python of another version may add what it compiled; what it loads instead of a listed file is listed itself.
_COMPILED = "__pycache__"


@dataclass(frozen=True)
class Look:
    """What was seen of a folder when all of it was read."""

    findings: tuple[str, ...]
    inodes: str
    """A digest over all inodes, taken before: while it is the same, so are the findings."""


def write(path: Path, folder: Path) -> None:
    """List a folder that its maker has just verified and unpacked."""
    folders, files = {}, {}
    for name, found in _entries(folder):
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            folders[name] = mode
        elif stat.S_ISREG(found.st_mode):
            files[name] = [_digest(folder / name), found.st_size, mode]
        else:
            raise BocageError(f"The program has {name}, which is neither a file nor a folder; it is not installed.")
    listed = {"schema": 1, "owner": folder.stat().st_uid, "folders": folders, "files": files}
    atomic.write_file(path, canonical.dumps(listed), 0o600)


def read(path: Path) -> dict[str, Any] | None:
    """The list; None where there is none that can be used."""
    what = f"the list {path}"
    try:
        listed = fields.record(canonical.loads(atomic.read_bounded(path, MAX_BYTES), what), what)
        fields.only(listed, _FIELDS, _NONE, what)
        fields.record(listed["folders"], what)
        fields.record(listed["files"], what)
        return listed
    except (FileNotFoundError, NotADirectoryError, BocageError):
        return None


def inodes(folder: Path) -> str | None:
    """A digest over all that is known of a folder without reading a file; None where it is gone."""
    try:
        return _inodes(dict(_entries(folder)))
    except (FileNotFoundError, NotADirectoryError):
        return None


def compare(folder: Path, listed: dict[str, Any]) -> Look:
    """Look at a folder, and read all of its files."""
    try:
        entries = dict(_entries(folder))
    except (FileNotFoundError, NotADirectoryError):
        return Look((f"{folder} does not exist.",), "")
    findings = [*_mislaid(folder, listed, entries)]
    for name, (digest, _size, _mode) in sorted(listed["files"].items()):
        if name in entries and stat.S_ISREG(entries[name].st_mode) and _digest(folder / name) != digest:
            findings.append(f"{folder / name} was altered on the host.")
    return Look(tuple(findings), _inodes(entries))


def above(folders: list[Path], owner: int) -> Iterator[str]:
    """The same for folders that a program lies in, of which only owner and mode matter."""
    for path in folders:
        yield from _owned(path, path.lstat(), owner)


def _mislaid(folder: Path, listed: dict[str, Any], entries: dict[str, os.stat_result]) -> Iterator[str]:
    files, folders, owner = listed["files"], listed["folders"], listed["owner"]
    for name in sorted({*files, *folders} - entries.keys()):
        yield f"{folder / name} was removed on the host."
    for name, found in sorted(entries.items()):
        path = folder / name
        wanted = folders.get(name) if stat.S_ISDIR(found.st_mode) else files.get(name, (None, None, None))[2]
        plain = stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)
        if not plain or (wanted is None and (name in files or name in folders)):
            yield f"{path} is of another kind than what was installed."
            continue
        if wanted is None and _COMPILED not in path.relative_to(folder).parts:
            yield f"{path} was added on the host."
        yield from _owned(path, found, owner)
        mode = stat.S_IMODE(found.st_mode)
        if wanted is not None and mode != wanted and not mode & _OTHERS:
            yield f"{path} has the mode {mode:04o} instead of {wanted:04o}."


def _owned(path: Path, found: os.stat_result, owner: int) -> Iterator[str]:
    if found.st_uid != owner:
        yield f"{path} belongs to the user {found.st_uid} instead of {owner}."
    if not stat.S_ISLNK(found.st_mode) and found.st_mode & _OTHERS:
        yield f"{path} is writable by others (mode {stat.S_IMODE(found.st_mode):04o})."


def _entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All below a folder by its path in it, and the folder itself as a dot."""
    yield ".", folder.lstat()
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(folder / inside) as found:
            for entry in found:
                name = f"{inside}{entry.name}"
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # it went while this was looked at
                yield name, status
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(f"{name}/")


def _inodes(entries: dict[str, os.stat_result]) -> str:
    total = hashlib.sha256()
    for name, one in sorted(entries.items()):
        about = (one.st_mode, one.st_uid, one.st_gid, one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino)
        total.update(f"{name}\0{about}\n".encode(errors="surrogateescape"))
    return total.hexdigest()


def _digest(path: Path) -> str:
    # it was a file a moment ago; should it be a pipe now, nobody must wait for it
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
