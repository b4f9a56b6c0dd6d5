# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports that wait to be delivered: one file each, named by its number, so that their order is that of the names."""

from __future__ import annotations

from pathlib import Path

from bocage_core._common import atomic
from bocage_core._state.report import MAX_REPORT_BYTES

MAX_FILES = 1000


class Spool:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(self, counter: int, envelope: bytes) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        atomic.write_file(self.directory / f"{counter:020d}.json", envelope, 0o600)

    def files(self) -> list[Path]:
        """Oldest first."""
        if not self.directory.exists():
            return []
        return sorted(path for path in self.directory.iterdir() if path.suffix == ".json" and path.stem.isdigit())

    def read(self, path: Path) -> bytes:
        return atomic.read_bounded(path, MAX_REPORT_BYTES)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def drop_oldest(self) -> list[int]:
        """Keep the newest; returns the numbers of those that had to go."""
        return self._drop(self.files()[:-MAX_FILES])

    def drop_all(self) -> list[int]:
        return self._drop(self.files())

    def _drop(self, files: list[Path]) -> list[int]:
        for path in files:
            self.remove(path)
        return [number_of(path) for path in files]


def number_of(path: Path) -> int:
    return int(path.stem)
