# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container ``.wapt``: opened with its hygiene checked, read as a stream, unpacked into a new folder.

Nothing is unpacked to find out whether it may be: names, kinds and sizes come from the layout, contents are hashed while
they stream, once, and unpacking checks each digest again on its way to the disk.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from .._common.errors import BadInput, BocageError, opening
from .._common.refused import Refused
from . import entry_names, zip_layout
from .zip_layout import DEFLATED, Entry, Limits

CHUNK_BYTES = 1024 * 1024
# Above this, hashing in a thread of its own pays: both it and unpacking let other threads run.
_THREAD_BYTES = 4 * CHUNK_BYTES
_CAPS = {
    entry_names.CONTROL: 1024 * 1024,
    entry_names.CERTIFICATE: 256 * 1024,
    entry_names.MANIFEST: 32 * 1024 * 1024,
    entry_names.SIGNATURE: 16 * 1024,
    entry_names.ICON: 4 * 1024 * 1024,
}
# Not to wait for the other end of a pipe that lies in the place of a package.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class Container:
    """A package whose structure is clean; made by `open_container`, to be closed or used in a ``with``."""

    def __init__(self, stream: BinaryIO, what: str, entries: list[Entry]) -> None:
        self._stream = stream
        self._files = {entry.name: entry for entry in entries if not entry.is_folder}
        self._digests: dict[str, str] = {}
        self._kept: dict[str, bytes] = {}
        self.what = what
        self.names = tuple(self._files)
        """Files, in the order in which they lie in the archive."""
        self.folders = tuple(entry.name for entry in entries if entry.is_folder)
        for entry in entries:
            if entry.is_folder and b"".join(self._chunks(entry)):
                raise zip_layout.bad(what, f"holds the folder {entry.name!r} with contents of its own")

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()

    @property
    def control_raw(self) -> bytes:
        """``WAPT/control``; raises Refused when the package has none."""
        return self.small(entry_names.CONTROL)

    @property
    def manifest_raw(self) -> bytes:
        """``WAPT/manifest.sha256``; raises Refused when the package is not signed."""
        return self.small(entry_names.MANIFEST)

    @property
    def signature_raw(self) -> bytes:
        """``WAPT/signature.sha256``; raises Refused when the package is not signed."""
        return self.small(entry_names.SIGNATURE)

    @property
    def certificates_raw(self) -> bytes:
        """``WAPT/certificate.crt``; raises Refused when the package is not signed."""
        return self.small(entry_names.CERTIFICATE)

    @property
    def size(self) -> int:
        """What the files occupy when they are unpacked, in bytes."""
        return sum(entry.size for entry in self._files.values())

    def small(self, name: str) -> bytes:
        """The whole of one of the files that describe the package, within the bound of its kind."""
        if name not in self._kept:
            entry = self._files.get(name)
            if entry is None:
                raise Refused("unsigned", f"{opening(self.what)} has no {name}: it is not a signed package.")
            if entry.size > _CAPS[name]:
                raise Refused(
                    "oversized", f"{name} in {self.what} has {entry.size} bytes; at most {_CAPS[name]} are read."
                )
            data = b"".join(self._chunks(entry))
            self._digests[name] = hashlib.sha256(data).hexdigest()
            self._kept[name] = data
        return self._kept[name]

    def digest(self, name: str) -> str:
        """The hexadecimal SHA-256 of a file's contents, computed once; raises Refused where its bytes are damaged."""
        if name not in self._digests:
            entry = self._files[name]
            total = hashlib.sha256()
            if entry.size < _THREAD_BYTES:
                for chunk in self._chunks(entry):
                    total.update(chunk)
            else:
                _beside(self._chunks(entry), total.update)
            self._digests[name] = total.hexdigest()
        return self._digests[name]

    def extract(self, folder: Path, digests: Mapping[str, str]) -> None:
        """Unpack every file into `folder`, which is made anew; raises Refused where a file is not what was accepted.

        `digests` are those of the accepted package, by name. What was written before a refusal stays for the caller to
        remove, and nothing of it was executed.
        """
        try:
            folder.mkdir(mode=0o700)
            for name in self.folders:
                (folder / name).mkdir(parents=True, exist_ok=True)
            for name, entry in self._files.items():
                self._extract_one(folder / name, entry, digests.get(name, ""))
        except OSError as error:
            raise BocageError(f"{opening(self.what)} cannot be unpacked into {folder}: {error.strerror}.") from error

    def _extract_one(self, path: Path, entry: Entry, expected: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        total = hashlib.sha256()
        with os.fdopen(os.open(path, flags, 0o755 if entry.mode & 0o100 else 0o644), "wb") as stream:
            for chunk in self._chunks(entry):
                total.update(chunk)
                stream.write(chunk)
        if total.hexdigest() != expected and entry.name not in entry_names.UNLISTED:
            raise Refused("altered", f"The file {entry.name} in {self.what} is not the one that was accepted.")

    def _chunks(self, entry: Entry) -> Iterator[bytes]:
        """The contents, never more than the directory said, whole and with the checksum that it said."""
        checksum = 0
        size = 0
        for chunk in self._inflated(entry) if entry.method == DEFLATED else self._raw(entry):
            size += len(chunk)
            if size > entry.size:
                break
            checksum = zlib.crc32(chunk, checksum)
            yield chunk
        if size != entry.size or checksum != entry.crc:
            raise zip_layout.bad(self.what, f"holds the damaged entry {entry.name!r}")

    def _raw(self, entry: Entry) -> Iterator[bytes]:
        left = entry.compressed
        position = entry.start
        while left:
            # Each time, since another file may be read between two chunks.
            self._stream.seek(position)
            chunk = self._stream.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise zip_layout.bad(self.what, "is cut short")
            left -= len(chunk)
            position += len(chunk)
            yield chunk

    def _inflated(self, entry: Entry) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for packed in self._raw(entry):
                while packed:
                    if inflater.eof:
                        raise zip_layout.bad(self.what, f"has hidden bytes behind the entry {entry.name!r}")
                    yield inflater.decompress(packed, CHUNK_BYTES)
                    packed = inflater.unconsumed_tail or inflater.unused_data
            while not inflater.eof and (chunk := inflater.decompress(b"", CHUNK_BYTES)):
                yield chunk
        except zlib.error as error:
            raise zip_layout.bad(self.what, f"holds the damaged entry {entry.name!r}") from error
        if not inflater.eof:
            raise zip_layout.bad(self.what, f"holds the damaged entry {entry.name!r}")


def open_container(path: Path, limits: Limits | None = None, what: str = "") -> Container:
    """A package, its archive hygiene done; raises Refused for what is not clean and BadInput where there is no file.

    `what` names it in sentences, where its file has a name that says nothing.
    """
    return read_container(open_file(path), path, limits, what)


def open_file(path: Path) -> BinaryIO:
    """A package to be read, whatever it holds; raises BadInput where there is no file."""
    try:
        descriptor = os.open(path, _OPEN)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its path holds a NUL"
        raise BadInput(f"The package {path.name} cannot be read at {path}: {reason}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadInput(f"The package {path.name} cannot be read at {path}: it is not a file.")
    return os.fdopen(descriptor, "rb")


def whole_digest(stream: BinaryIO, what: str) -> str:
    """The hexadecimal SHA-256 of a file that is open, whatever it holds."""
    total = hashlib.sha256()
    try:
        stream.seek(0)
        while chunk := stream.read(CHUNK_BYTES):
            total.update(chunk)
    except OSError as error:
        raise BocageError(f"{opening(what)} cannot be read: {error.strerror}.") from error
    return total.hexdigest()


def read_container(stream: BinaryIO, path: Path, limits: Limits | None = None, what: str = "") -> Container:
    """The same for a file that is open; it is closed with the container, or here when it is refused."""
    what = what or f"the package {path.name}"
    try:
        return Container(stream, what, zip_layout.read_layout(stream, what, limits or Limits()))
    except OSError as error:
        stream.close()
        raise BocageError(f"{opening(what)} cannot be read at {path}: {error.strerror}.") from error
    except BaseException:
        stream.close()
        raise


def _beside(chunks: Iterator[bytes], consume: Callable[[bytes], object]) -> None:
    """Consume chunks in a second thread while the next one is made in this."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending: Future[object] | None = None
        for chunk in chunks:
            if pending is not None:
                pending.result()
            pending = pool.submit(consume, chunk)
        if pending is not None:
            pending.result()
