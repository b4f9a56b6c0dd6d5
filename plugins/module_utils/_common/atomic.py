# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are whole or absent, also after a power cut."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import BocageError


def write_file(path: Path, data: bytes, mode: int = 0o644, *, sync: bool = True) -> None:
    """Write `data` beside `path`, flush it to the disk, then move it into place with `mode`.

    Without `sync` the caller calls `sync_directory` once for several files; until then a power cut may bring the old one back.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    # Never wider than its owner before the final mode is set: the bytes may be a secret.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_directory(path.parent)


def write_link(path: Path, target: str) -> None:
    """Point the link at `path` to `target`, in the place of a file or link that is there."""
    temporary = path.with_name(f".{path.name}.new")
    # of a run that was interrupted
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
    sync_directory(path.parent)


def is_private(path: Path) -> bool:
    """Whether nobody but its owner can use the file."""
    return stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def sync_directory(path: Path) -> None:
    """Make renames and removals in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bounded(path: Path, maximum: int) -> bytes:
    """The bytes of a file that is expected to be small; a larger one is an error, not a full memory."""
    with path.open("rb") as stream:
        data = stream.read(maximum + 1)
    if len(data) > maximum:
        raise BocageError(f"The file {path} is larger than {maximum} bytes, which it should never be.")
    return data
