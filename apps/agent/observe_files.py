# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seal observes of files, folders and accounts.

Content is kept as a digest with a key of this host: the plain digest of a short secret could be guessed. A file whose
size and times are those that were noted is not read again. Whole folders and packages are known by sizes and times
alone; the time of the last change of an inode cannot be set by anybody but the kernel.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Observed = dict[str, Any]

ABSENT: Observed = {"state": "absent"}
# A change within one tick of the kernel's clock leaves the same time; what is younger is read again.
TICK_NS = 20_000_000
_CHUNK = 1 << 20


class Files:
    """The files of a host whose root is `root`; an empty text is the real one."""

    def __init__(self, root: str, key: bytes) -> None:
        self._root = root
        self._key = key

    def file(
        self, name: str, wanted: str, sealed: Observed | None = None, hint: dict[str, int] | None = None
    ) -> tuple[Observed, dict[str, int] | None]:
        """One file, and the hint for the next time; `wanted` is the state that the role wants it in."""
        path = self._root + name
        try:
            found = os.lstat(path)
            if not stat.S_ISLNK(found.st_mode):
                return self._entry(path, found, sealed, hint)
            observed: Observed = {
                "state": "link", "uid": found.st_uid, "gid": found.st_gid, "target": str(Path(path).readlink()),
            }  # fmt: skip
            if wanted in ("file", "directory"):
                # a task may follow a link, so that what it leads to is what was made
                try:
                    observed["resolved"] = self._entry(path, Path(path).stat(), None, None)[0]
                except (FileNotFoundError, NotADirectoryError):
                    observed["resolved"] = ABSENT
            return observed, None
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT, None
        except OSError as error:
            return {"error": f"{name} cannot be looked at: {error.strerror}."}, None

    def tree(self, name: str) -> Observed:
        """A whole folder, without what Python compiles into it."""
        path = os.fsencode(self._root + name)
        try:
            found = os.lstat(path)
            if not stat.S_ISDIR(found.st_mode):
                return {"digest": None}
            lines = [_folder_line(b"", found), *_lines(path, b"")]
        except (FileNotFoundError, NotADirectoryError):
            return {"digest": None}
        except OSError as error:
            return {"error": f"{name} cannot be looked at: {error.strerror}."}
        lines.sort()
        return {"digest": hashlib.sha256(b"\n".join(lines)).hexdigest()}

    def account(self, name: str) -> Observed:
        """An account of /etc/passwd, with the groups that /etc/group puts it into."""
        entry = next((one for one in self._table("/etc/passwd", 7) if one[0] == name), None)
        if entry is None:
            return ABSENT
        return {
            "state": "present",
            "uid": int(entry[2]),
            "gid": int(entry[3]),
            "home": entry[5],
            "shell": entry[6],
            "groups": sorted(one[0] for one in self._table("/etc/group", 4) if name in one[3].split(",")),
        }

    def _entry(
        self, path: str, found: os.stat_result, sealed: Observed | None, hint: dict[str, int] | None
    ) -> tuple[Observed, dict[str, int] | None]:
        observed: Observed = {
            "state": _kind(found.st_mode),
            "mode": f"{stat.S_IMODE(found.st_mode):04o}",
            "uid": found.st_uid,
            "gid": found.st_gid,
        }
        if observed["state"] != "file":
            return observed, None
        new_hint = _hint(found)
        if sealed is not None and new_hint == hint and sealed.get("state") == "file":
            return {**observed, "digest": sealed["digest"]}, hint
        digest, settled = self._content(path)
        return {**observed, "digest": digest}, new_hint if settled == new_hint else None

    def _content(self, path: str) -> tuple[str, dict[str, int] | None]:
        """The keyed digest, and the hint if nothing was written while it was read or just before."""
        total = hmac.new(self._key, digestmod="sha256")
        # it was a regular file a moment ago; should it be a pipe now, nobody must wait for it
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            now = time.time_ns()
            while chunk := stream.read(_CHUNK):
                total.update(chunk)
            found = os.fstat(descriptor)
        return total.hexdigest(), None if now - found.st_ctime_ns < TICK_NS else _hint(found)

    def _table(self, name: str, columns: int) -> Iterator[list[str]]:
        with Path(self._root + name).open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                entry = line.rstrip("\n").split(":")
                if len(entry) == columns:
                    yield entry


def entry_lines(root: bytes, names: Iterable[bytes]) -> list[bytes]:
    """Files as packages know them: no content, but all that changes with it; of folders owner and mode."""
    lines = []
    for name in names:
        path = root + name
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            lines.append(name)
            continue
        lines.append(_folder_line(name, found) if stat.S_ISDIR(found.st_mode) else _line(name, path, found))
    return lines


def _line(name: bytes, path: bytes, found: os.stat_result) -> bytes:
    # paths are bytes here, thousands of them
    target = os.readlink(path) if stat.S_ISLNK(found.st_mode) else b""  # noqa: PTH115
    return b"%b\0%o %d %d %d %d %d %b" % (
        name, found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns, found.st_ctime_ns, target,
    )  # fmt: skip


def _folder_line(name: bytes, found: os.stat_result) -> bytes:
    return b"%b\0%o %d %d" % (name, found.st_mode, found.st_uid, found.st_gid)


def _lines(folder: bytes, inside: bytes) -> Iterator[bytes]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == b"__pycache__":
                continue
            name = inside + b"/" + entry.name
            try:
                found = entry.stat(follow_symlinks=False)
                line = _line(name, entry.path, found)
            except FileNotFoundError:
                continue  # it went while this was looked at
            if stat.S_ISDIR(found.st_mode):
                yield _folder_line(name, found)
                yield from _lines(entry.path, name)
            else:
                yield line


def _hint(found: os.stat_result) -> dict[str, int]:
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "ctime_ns": found.st_ctime_ns}


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "other"
