# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of other estates: a path, or a URL of https or file, brought into a folder of our own before anybody reads it.

So what was judged is what is used, whoever writes into the place that it came from. Bounded by the fetcher of hosts in
size, rate and time.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urlsplit

from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages import tuf_library as tuf
from bocage_core._packages.fetcher import Fetcher

from .answers import plain

MAX_PACKAGE_BYTES = 16 * 1024**3
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_UNUSUAL = re.compile(r"[^\w.+~=, -]")


class Fetched:
    """A file that was brought here, with its size and the MD5 by which agents of WAPT know files."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path, self.size = path, 0
        self._stream = stream
        self._md5 = hashlib.md5(usedforsecurity=False)

    def take(self, piece: bytes) -> None:
        self.size += len(piece)
        self._md5.update(piece)
        self._stream.write(piece)

    @property
    def md5sum(self) -> str:
        return self._md5.hexdigest()


def url_of(place: str) -> str:
    """Of a path, or of a URL of https or file. Raises BadInput."""
    if not _SCHEME.match(place):
        return Path(place).absolute().as_uri()
    usable: object
    known: object
    try:
        parts = urlsplit(place)
        usable = parts.path and not parts.fragment and not parts.username and not parts.password
        known = (parts.scheme == "https" and parts.hostname) or (parts.scheme == "file" and not parts.netloc)
    except ValueError:
        usable = known = ""
    if not usable or not known:
        raise BadInput(
            f"{_shown(place)} cannot be fetched: give a path, or a URL of https or file without a password in it."
        )
    return place


def is_file_of(place: str, path: Path) -> bool:
    """Whether a place is this file of this machine."""
    url = url_of(place)
    return url.startswith("file:") and Path(unquote(urlsplit(url).path)).resolve() == path.resolve()


def beside(place: str, name: str) -> str:
    """The place of a file in the folder of another one."""
    return f"{url_of(place).partition('?')[0].rpartition('/')[0]}/{quote(name)}"


def fetch(place: str, maximum: int, folder: Path) -> Fetched:
    """Bring a file into `folder`, which has none of its name. Raises Refused, BadInput or BocageError."""
    url = url_of(place)
    path = folder / (_UNUSUAL.sub("_", unquote(urlsplit(url).path.rpartition("/")[2]))[-200:].lstrip(".") or "file")
    try:
        with path.open("xb") as stream, Fetcher() as fetcher:
            fetched = Fetched(path, stream)
            fetcher.download_into(url, maximum, fetched.take)
    except tuf.exceptions.DownloadLengthMismatchError as error:
        raise Refused("oversized", f"{_shown(place)} has more than the {maximum} bytes that are due.") from error
    except tuf.exceptions.DownloadHTTPError as error:
        if url.startswith("file:"):
            raise BadInput(f"{_shown(place)}: there is no such file.") from error
        raise BocageError(f"{_shown(place)} cannot be fetched: {plain(error)}.") from error
    except tuf.exceptions.DownloadError as error:
        raise BocageError(f"{_shown(place)} cannot be fetched: {plain(error).rstrip('.')}.") from error
    return fetched


def _shown(place: str) -> str:
    """Without what may be a secret of a URL."""
    return plain(re.sub(r"(?<=://)[^/@]*@", "", place).partition("?")[0])[:200]
