# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's view of the repository: fresh, complete and consistent, or refused (TUF specification 5).

python-tuf's `ngclient.Updater` follows the chain of roots from the pinned one and checks timestamp, snapshot and top
list. The lists below are fetched here, because all targets are wanted and only lists that changed should be loaded;
each is verified by python-tuf's own trusted set. Replicas are tried in the order that the caller gives.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from .._common import timestamps
from .._common.errors import BadInput, BocageError
from .._common.locks import exclusive
from .._common.refused import Code, Refused
from . import repository_layout as layout
from . import repository_lists, repository_updater
from . import tuf_library as tuf
from .fetcher import Fetcher, Limits, Traffic, replica_url
from .repository_cache import Cache, Target
from .repository_download import Download
from .repository_updater import Updater

_WAIT_SECONDS = 30


class Unreachable(BocageError):
    """No replica answered; what is known stays as it was."""


@dataclass(frozen=True)
class Listing:
    """What an update found. Versions are those of the roles; `expires` is the moment at which the first of all ends."""

    root: int
    timestamp: int
    snapshot: int
    expires: datetime
    replica: str
    failures: tuple[str, ...]
    """One sentence for each replica before this one."""
    requests: int
    bytes: int
    lists_loaded: int
    refused: tuple[str, ...]
    """Targets that were left out, each with its reason."""
    _cache: Cache

    def __len__(self) -> int:
        return self._cache.count()

    def targets(self) -> Iterator[Target]:
        return self._cache.targets()


class Client:
    """A folder that holds what one host knows of one repository; `root` is the pinned root that it starts from.

    `roles` tells which delegations this host reads (by name), all of them by default: a host needs no lists of other
    sites. Times are aware datetimes; `clock` or `at` replace the machine's clock.
    """

    def __init__(
        self,
        folder: Path,
        root: bytes,
        replicas: Sequence[str],
        *,
        limits: Limits | None = None,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], datetime] = timestamps.now,
        roles: Callable[[str], bool] | None = None,
    ) -> None:
        tuf.require_libraries()
        if not replicas:
            raise BadInput("A client needs the address of at least one replica of the repository.")
        self.folder = folder
        self._root = root
        self._replicas = [replica_url(one) for one in replicas]
        self._limits, self._context, self._clock = limits or Limits(), context, clock
        self._roles = roles or (lambda name: True)
        self._metadata = folder / "metadata"
        self._packages = folder / "packages"
        self._cache = Cache(folder / "targets.sqlite")
        self._taken: dict[str, Traffic] = {}

    def update(self, replicas: Sequence[str] | None = None, at: datetime | None = None) -> Listing:
        """Ask the replicas, in order, until one is fresh and whole. Nothing that is known changes otherwise.

        Raises Refused (expired, rolled_back, bad_signature, wrong_digest, incomplete, oversized, too_slow, malformed)
        when a replica answered and none could be believed, Unreachable when none answered.
        """
        now = at or self._clock()
        failures: list[BocageError] = []
        with self._locked(), Fetcher(self._limits, self._context) as fetcher:
            for url in self._urls(replicas):
                # a root that came between two questions makes one look forged; the second time it is there
                for attempt in (1, 2):
                    try:
                        return self._update_from(url, now, fetcher, tuple(str(one) for one in failures))
                    except BocageError as error:
                        if attempt == 2 or getattr(error, "code", "") not in ("bad_signature", "wrong_digest"):
                            failures.append(error)
                            break
        raise _worst(failures)

    def listing(self, at: datetime | None = None, stale: bool = False) -> Listing:
        """What the last update found, without a network. Raises Refused (expired) unless `stale` is wanted."""
        state = self._cache.state()
        if not state:
            raise BocageError(f"Nothing is known of the repository in {self.folder} yet; update first.")
        return self._listing(state, at, stale)

    def _listing(self, state: Mapping[str, str], at: datetime | None, stale: bool) -> Listing:
        expires = timestamps.parse(state["expires"], "The end of the list of packages")
        if not stale and expires <= (at or self._clock()):
            raise Refused(
                "expired", f"What is known of the repository ended at {state['expires']}; update before you install."
            )
        return Listing(
            int(state["root"]),
            int(state["timestamp"]),
            int(state["snapshot"]),
            expires,
            state["replica"],
            (),
            0,
            0,
            0,
            tuple(self._cache.refused()),
            self._cache,
        )

    def find(self, package: str, at: datetime | None = None, stale: bool = False) -> list[Target]:
        """All targets of a package, by path, of the last update. Raises as `listing` does."""
        self.listing(at, stale)
        return self._cache.of_package(package)

    def below(self, folder: str, at: datetime | None = None, stale: bool = False) -> list[Target]:
        """All targets whose path begins with this, by path, such as `crl/`. Raises as `listing` does."""
        self.listing(at, stale)
        return self._cache.below(folder)

    def target(self, path: str, at: datetime | None = None, stale: bool = False) -> Target | None:
        """The target at a path, None where there is none. Raises as `listing` does."""
        self.listing(at, stale)
        return self._cache.at_path(path)

    def download(self, target: Target, replicas: Sequence[str] | None = None, at: datetime | None = None) -> Path:
        """The file of a target in this client's folder, of the length and hash that are signed.

        A part that came before is continued. Raises Refused (expired, incomplete where it is no longer listed,
        wrong_digest, oversized, too_slow) or Unreachable.
        """
        if self.target(target.path, at) != target:
            raise Refused("incomplete", f"The repository no longer lists {target.path} as it was; look it up again.")
        failures: list[BocageError] = []
        with self._locked(), Fetcher(self._limits, self._context) as fetcher:
            download = Download(self._packages, target, fetcher)
            if download.is_there():
                return download.path
            for url in self._urls(replicas):
                before = replace(fetcher.traffic)
                try:
                    path = download.from_replica(url)
                    self._took(url, fetcher.traffic.since(before))
                    return path
                except tuf.exceptions.DownloadError as error:
                    failures.append(translated(error, url, target.path))
                except Refused as error:
                    failures.append(error)
        raise _worst(failures)

    def drain_taken(self) -> dict[str, Traffic]:
        """By replica, what was taken from it since this was asked last; what was refused or broke off is no part of it."""
        taken, self._taken = self._taken, {}
        return taken

    def _took(self, url: str, traffic: Traffic) -> None:
        self._taken.setdefault(url, Traffic()).add(traffic)

    def clean(self, keep: Sequence[Target] = ()) -> list[str]:
        """Remove the files of packages but those of `keep`; names of what went."""
        kept = {f"{one.sha256}.{one.name}" for one in keep}
        with self._locked():
            gone = sorted(one.name for one in self._packages.iterdir() if one.name not in kept)
            for name in gone:
                (self._packages / name).unlink()
        return gone

    def _update_from(self, url: str, now: datetime, fetcher: Fetcher, failures: tuple[str, ...]) -> Listing:
        fetcher.begin()
        before = replace(fetcher.traffic)
        with self._cache.kept_open():
            accepted = repository_updater.accepted_in(self._cache.state(), self.folder)
            try:
                updater = Updater(self._metadata, f"{url}{layout.METADATA}/", fetcher, self._root, now, accepted)
            except (tuf.exceptions.RepositoryError, ValueError) as error:
                raise BadInput("The pinned root of the repository cannot be used; place it again.") from error
            try:
                updater.refresh()
                found = repository_lists.load(updater, fetcher, url, self._cache, self._roles, now)
            except (tuf.exceptions.RepositoryError, tuf.exceptions.DownloadError) as error:
                raise translated(error, url, "the repository") from error
            except OSError as error:
                raise BocageError(f"The folder {self._metadata} cannot be written: {error.strerror}.") from error
            state = {**found.state, "replica": url, "checked_at": timestamps.write(now), **updater.accepted()}
            self._cache.replace(found.lists, found.gone, state)
            listing = self._listing(state, now, False)
        traffic = fetcher.traffic.since(before)
        self._took(url, traffic)
        return replace(
            listing,
            failures=failures,
            requests=traffic.requests,
            bytes=traffic.bytes,
            lists_loaded=len(found.lists),
        )

    def _urls(self, replicas: Sequence[str] | None) -> list[str]:
        return self._replicas if replicas is None else [replica_url(one) for one in replicas]

    def _locked(self) -> AbstractContextManager[None]:
        for folder in (self.folder, self._metadata, self._packages):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        busy = f"Another process uses {self.folder} for longer than {_WAIT_SECONDS} s; wait for its end."
        return exclusive(self.folder / "lock", busy, _WAIT_SECONDS)


_CODES: tuple[tuple[str, Code, str], ...] = (
    ("ExpiredMetadataError", "expired", "its metadata has expired: it is frozen, or the clock of this host is wrong"),
    ("BadVersionNumberError", "rolled_back", "its metadata is of another version than the one that is due"),
    ("UnsignedMetadataError", "bad_signature", "its metadata lacks good signatures of the keys that must sign"),
    ("LengthOrHashMismatchError", "wrong_digest", "a file is not the one that was signed"),
    ("DownloadLengthMismatchError", "oversized", "an answer is longer than it may be"),
    ("SlowRetrievalError", "too_slow", "it sends too slowly"),
    ("RepositoryError", "malformed", "its metadata cannot be used"),
)


def translated(error: Exception, url: str, what: str) -> BocageError:
    """Our own error for one of python-tuf's: Refused, or Unreachable."""
    if isinstance(error, tuf.exceptions.DownloadHTTPError) and error.status_code in (403, 404, 410):
        return Refused("incomplete", f"The replica {url} lacks a file of {what} that it should have; use another one.")
    for name, code, sentence in _CODES:
        if isinstance(error, getattr(tuf.exceptions, name)):
            return Refused(code, f"The replica {url} is refused for {what}: {sentence} ({error}).")
    return Unreachable(f"The replica {url} does not give {what}: {error}.")


def _worst(failures: Sequence[BocageError]) -> BocageError:
    """One error for all replicas: the first refusal, as it may be an attack, else that none answered."""
    refused = [one for one in failures if isinstance(one, Refused)]
    others = [one for one in failures if not isinstance(one, Unreachable)]
    chosen = (refused or others or list(failures))[0]
    rest = [str(one) for one in failures if one is not chosen]
    if rest:
        chosen.args = (" ".join([str(chosen), "Also:", *rest]),)
    return chosen
