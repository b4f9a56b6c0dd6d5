# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes from a replica that nobody trusts: over HTTP or out of a folder, bounded in size, rate and time.

Built on httpx; python-tuf uses it for metadata (`FetcherInterface`) and the client for packages. Each transfer has a
deadline that holds for connecting, headers and body alike, so that a server which sends a byte now and then is left
behind. Nothing is decoded: what is signed are the bytes as they lie there.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

from .._common.errors import BadInput
from . import tuf_library as tuf

try:
    import httpx
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = tuf.MISSING_LIBRARY

_PIECE = 1 << 16
_AT_ONCE = 8
Sink = Callable[[bytes], None]


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes per second that a replica gets."""

    connect_seconds: float = 10.0
    idle_seconds: float = 20.0
    grace_seconds: float = 10.0
    """After this time a transfer must have kept the rate."""
    least_bytes_per_second: int = 4096
    update_seconds: float = 1800.0
    """For all metadata of an update together; the first one of a host behind a thin line has 4 MB."""

    def transfer_seconds(self, length: int) -> float:
        return self.connect_seconds + self.grace_seconds + length / self.least_bytes_per_second


@dataclass
class Traffic:
    """What was transferred so far."""

    requests: int = 0
    bytes: int = 0

    def add(self, other: Traffic) -> None:
        self.requests += other.requests
        self.bytes += other.bytes

    def since(self, before: Traffic) -> Traffic:
        return Traffic(self.requests - before.requests, self.bytes - before.bytes)


class Fetcher(tuf.FetcherInterface):
    """Transfers from the replicas of one client; a context manager, as it keeps connections. Not inside a running loop.

    URLs are http, https (judged by `context`, or by the authorities that the machine trusts) and file. Errors are
    python-tuf's DownloadError and its kinds: DownloadHTTPError (also for a file that is not there, as 404),
    SlowRetrievalError, DownloadLengthMismatchError.
    """

    def __init__(self, limits: Limits | None = None, context: ssl.SSLContext | None = None) -> None:
        if MISSING_LIBRARY is not None:
            raise BadInput(
                f"The Python library {MISSING_LIBRARY} is missing on this machine; install what"
                " requirements/runtime.in of bocage.fleet lists."
            )
        self.limits = limits or Limits()
        self.traffic = Traffic()
        self._deadline = time.monotonic() + self.limits.update_seconds
        self._runner = asyncio.Runner()
        self._clients: dict[bool, httpx.AsyncClient] = {}
        """One for https, and one for all else."""
        self._context = context

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for client in self._clients.values():
            self._runner.run(client.aclose())
        self._clients.clear()
        self._runner.close()

    def begin(self) -> None:
        """The time for an update's metadata starts now."""
        self._deadline = time.monotonic() + self.limits.update_seconds

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """One file of metadata."""
        found = bytearray()
        self._take(url, max_length, found.extend, 0, self._left(max_length))
        return bytes(found)

    def download_many(self, wanted: Sequence[tuple[str, int]]) -> Iterator[bytes]:
        """Files of metadata of one replica, given as URL and greatest length, in their order, some at a time."""
        if wanted and _is_file(wanted[0][0]):
            yield from (self.download_bytes(url, most) for url, most in wanted)
            return
        for start in range(0, len(wanted), _AT_ONCE * 4):
            with _as_download_errors():
                found = self._runner.run(self._several(wanted[start : start + _AT_ONCE * 4]))
            yield from found

    def download_into(self, url: str, max_length: int, sink: Sink, offset: int = 0) -> None:
        """The rest of a file from `offset` on, piece by piece. A replica that does not know ranges is an error."""
        self._take(url, max_length, sink, offset, self.limits.transfer_seconds(max_length))

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError("all transfers of python-tuf go through download_bytes")

    def _take(self, url: str, max_length: int, sink: Sink, offset: int, seconds: float) -> None:
        with _as_download_errors():
            if _is_file(url):
                _copy_file(url, offset, self._bounded(max_length, sink, offset, seconds))
            else:
                self._runner.run(self._transfer(url, max_length, sink, offset, seconds))

    def _left(self, length: int) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise tuf.exceptions.SlowRetrievalError("the time for all metadata was over")
        return min(left, self.limits.transfer_seconds(length))

    async def _several(self, wanted: Sequence[tuple[str, int]]) -> list[bytes]:
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(url: str, most: int) -> bytes:
            found = bytearray()
            async with free:
                await self._transfer(url, most, found.extend, 0, self._left(most))
            return bytes(found)

        tasks = [asyncio.create_task(one(url, most)) for url, most in wanted]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _transfer(self, url: str, max_length: int, sink: Sink, offset: int, seconds: float) -> None:
        take = self._bounded(max_length, sink, offset, seconds)
        async with asyncio.timeout(seconds), self._response(url, offset) as pieces:
            async for piece in pieces:
                take(piece)

    def _bounded(self, max_length: int, sink: Sink, offset: int, seconds: float) -> Sink:
        """`sink` for one transfer that begins now, bounded in size, rate and time."""
        self.traffic.requests += 1
        started = time.monotonic()
        received = 0

        def take(piece: bytes) -> None:
            nonlocal received
            received += len(piece)
            self.traffic.bytes += len(piece)
            if offset + received > max_length:
                raise tuf.exceptions.DownloadLengthMismatchError(f"more than the {max_length} bytes that are due")
            elapsed = time.monotonic() - started
            if elapsed > seconds:
                raise TimeoutError
            if elapsed > self.limits.grace_seconds and received < elapsed * self.limits.least_bytes_per_second:
                raise tuf.exceptions.SlowRetrievalError(f"only {received} bytes in {elapsed:.0f} seconds")
            sink(piece)

        return take

    def _open(self, secure: bool) -> httpx.AsyncClient:
        context = self._context
        if context is None:
            # to load the machine's authorities takes 20 ms of each run that needs none
            context = ssl.create_default_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        timeout = httpx.Timeout(self.limits.idle_seconds, connect=self.limits.connect_seconds)
        return httpx.AsyncClient(
            verify=context,
            timeout=timeout,
            trust_env=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "bocage"},
            limits=httpx.Limits(max_connections=_AT_ONCE),
        )

    @asynccontextmanager
    async def _response(self, url: str, offset: int) -> AsyncIterator[AsyncIterator[bytes]]:
        secure = url.startswith("https:")
        client = self._clients.get(secure)
        if client is None:
            client = self._clients[secure] = self._open(secure)
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with client.stream("GET", url, headers=headers) as response:
            expected = 206 if offset else 200
            if response.status_code != expected:
                raise tuf.exceptions.DownloadHTTPError(f"the answer was {response.status_code}", response.status_code)
            if offset and not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                raise tuf.exceptions.DownloadError("the answer is not the part that was asked for")
            yield response.aiter_raw()


@contextmanager
def _as_download_errors() -> Iterator[None]:
    try:
        yield
    except tuf.exceptions.DownloadError:
        raise
    except TimeoutError as error:
        raise tuf.exceptions.SlowRetrievalError("the time for the transfer was over") from error
    except httpx.TimeoutException as error:
        raise tuf.exceptions.SlowRetrievalError("nothing came for a while") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise tuf.exceptions.DownloadError(str(error) or type(error).__name__) from error


def _is_file(url: str) -> bool:
    return url.startswith("file:")


def _copy_file(url: str, offset: int, sink: Sink) -> None:
    """A file of a folder: nothing is waited for, so that it needs no loop of events."""
    path = unquote(urlsplit(url).path)
    try:
        # a pipe in the place of a file would be waited for
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise tuf.exceptions.DownloadHTTPError(f"there is no file {path}", 404) from error
    except OSError as error:
        raise tuf.exceptions.DownloadError(f"{path} cannot be read: {error.strerror}") from error
    # before it is made a stream, which a folder cannot be
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise tuf.exceptions.DownloadError(f"{path} is not a file")
    with os.fdopen(descriptor, "rb") as stream:
        stream.seek(offset)
        while piece := stream.read(_PIECE):
            sink(piece)


def replica_url(place: str) -> str:
    """The address of a replica with a slash at its end; a folder may be given by its path. Raises BadInput."""
    url = Path(place).as_uri() if place.startswith("/") else place
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "file" or (parts.scheme in ("http", "https") and parts.hostname and not parts.query)
    except ValueError:
        usable = False
    if not usable or parts.username or parts.fragment:
        raise BadInput(f"{place!r} is not the address of a replica: give a URL of http, https or file, or a folder.")
    return url if url.endswith("/") else f"{url}/"
