# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file from replicas into a client's folder: hashed while it comes, continued after an interruption."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .._common import atomic
from .._common.errors import BocageError
from .._common.refused import Refused
from . import repository_layout as layout
from . import tuf_library as tuf
from .fetcher import Fetcher
from .repository_cache import Target


class Download:
    """A target's file, `<sha256>.<name>`, so that a file of this name never has to be replaced."""

    def __init__(self, folder: Path, target: Target, fetcher: Fetcher) -> None:
        self._target, self._fetcher = target, fetcher
        self.path = folder / f"{target.sha256}.{target.name}"
        self._part = folder / f".{target.sha256}.part"

    def is_there(self) -> bool:
        """Whether the whole file is there; one that is not what was signed is removed."""
        if not self.path.is_file():
            return False
        with self.path.open("rb") as stream:
            good = hashlib.file_digest(stream, "sha256").hexdigest() == self._target.sha256
        if not good:
            self.path.unlink()
        return good

    def from_replica(self, url: str) -> Path:
        """Fetch what lacks. Raises Refused (wrong_digest, incomplete) or python-tuf's DownloadError."""
        address = url + quote(layout.target_file(self._target.path, self._target.sha256))
        offset = self._part.stat().st_size if self._part.is_file() else 0
        if 0 < offset < self._target.length:
            try:
                return self._fetch(address, offset)
            except (Refused, tuf.exceptions.DownloadHTTPError, tuf.exceptions.DownloadLengthMismatchError):
                # what lay there may have come from another replica that lied; begin again
                self._part.unlink(missing_ok=True)
        return self._fetch(address, 0)

    def _fetch(self, address: str, offset: int) -> Path:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (0 if offset else os.O_TRUNC)
        with os.fdopen(os.open(self._part, flags, 0o600), "r+b", buffering=0) as stream:
            digest = hashlib.file_digest(stream, "sha256") if offset else hashlib.sha256()
            stream.seek(offset)

            def sink(piece: bytes) -> None:
                digest.update(piece)
                rest = memoryview(piece)
                try:
                    while rest:
                        rest = rest[stream.write(rest) :]
                except OSError as error:
                    raise self._full(error) from error

            self._fetcher.download_into(address, self._target.length, sink, offset)
            self._end(stream)
            size = stream.tell()
        if size < self._target.length:
            raise Refused(
                "incomplete", f"The file of {self._target.path} ended after {size} bytes; it will be continued later."
            )
        if digest.hexdigest() != self._target.sha256:
            self._part.unlink(missing_ok=True)
            raise Refused(
                "wrong_digest", f"The file of {self._target.path} is not the one that was signed; it was deleted."
            )
        self._part.replace(self.path)
        atomic.sync_directory(self.path.parent)
        return self.path

    def _end(self, stream: Any) -> None:
        try:
            os.fsync(stream.fileno())
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> BocageError:
        return BocageError(f"The file {self.path} cannot be written ({error.strerror}); make room and try again.")
