# SPDX-License-Identifier: GPL-3.0-or-later
"""One agent at a time changes packages; the second one says so and who the first is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bocage_core._common import timestamps
from bocage_core._common.errors import BocageError

from . import packages_platform as platform


class Busy(BocageError):
    """Another agent is at work."""


@contextmanager
def run_lock(path: Path, verb: str, wait_seconds: float = 0) -> Iterator[None]:
    """Held until the end of the block, or of the process; no child inherits it."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise BocageError(f"The lock of packages {path} cannot be opened: {error.strerror}.") from error
    try:
        deadline = time.monotonic() + wait_seconds
        while not platform.take_lock(descriptor):
            if time.monotonic() >= deadline:
                raise Busy(f"Another agent works with packages on this host ({_holder(path)}); wait for it, or end it.")
            time.sleep(0.1)
        holder = {"process": os.getpid(), "verb": verb, "since": timestamps.write(timestamps.now())}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(path: Path) -> str:
    """For people only; the lock itself decides."""
    try:
        found = json.loads(path.read_bytes()[:4096])
        return f"process {int(found['process'])}, {str(found['verb'])[:32]}, since {str(found['since'])[:32]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "which has only just begun"
