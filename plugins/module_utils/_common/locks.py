# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One process at a time, by a lock on a file that ends with the process (flock(2))."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import BocageError

_POLL_SECONDS = 0.05


@contextmanager
def exclusive(path: Path, busy: str, wait_seconds: float = 0, kind: type[BocageError] = BocageError) -> Iterator[None]:
    """Held until the end of the block; the file stays. Raises `kind` with the sentence `busy` where another one has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise kind(busy) from error
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)
