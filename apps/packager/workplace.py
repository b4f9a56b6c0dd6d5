# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for the time of a run, beside what it is for, so that files are moved and not copied."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Whoever made one has locked it long before.
_OLD_SECONDS = 60


@contextmanager
def workplace(parent: Path | None, prefix: str, clear: bool = True) -> Iterator[Path]:
    """A folder in `parent`, gone afterwards; with `clear`, those of runs that were cut off go, too.

    Each is locked by its run, and the lock ends with the process however that ends (flock(2)). None is the system's place
    for such folders, which is cleared by others.
    """
    if parent is not None and clear:
        _clear(parent, prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as name:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # who looks whether it is old holds it for a moment
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(descriptor)


def _clear(parent: Path, prefix: str) -> None:
    for rest in parent.glob(f"{prefix}*"):
        # somebody else may be at work there, or just have ended
        with suppress(OSError):
            descriptor = os.open(rest, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - os.fstat(descriptor).st_mtime > _OLD_SECONDS:
                    shutil.rmtree(rest)
            finally:
                os.close(descriptor)
