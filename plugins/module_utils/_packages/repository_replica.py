# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a repository that nobody has to trust: everything is verified while it comes, and written in an order in
which a reader sees the old state or the new one (packages, plain names, lists, snapshot, roots, timestamp last).
"""

from __future__ import annotations

import hashlib
import shutil
import ssl
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from .._common import atomic, timestamps
from .._common.errors import BadInput, BocageError
from . import repository_expiry, repository_lists
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf
from .fetcher import Fetcher, Limits, replica_url
from .repository_cache import Target
from .repository_client import translated
from .repository_download import Download
from .repository_store import Store, make_folder, point
from .repository_updater import Updater

_MAX_INDEX = 64 << 20


def replicate(
    source: str,
    folder: Path,
    root: bytes,
    *,
    limits: Limits | None = None,
    context: ssl.SSLContext | None = None,
    at: datetime | None = None,
    packages: bool = True,
    authorities: Path | None = None,
) -> dict[str, Any]:
    """Bring the copy in `folder` to the state of `source`, an address or a folder that is served (`public`).

    Without `packages` only metadata is copied, as whoever signs lists needs it; with them it is noted what ends, also of
    the `authorities` in a file. Returns `timestamp`, `snapshot`,
    `files` and `bytes` that came, and `written`, the files of the copy that are others now. Raises Refused or
    BocageError and leaves the copy in its former state.
    """
    tuf.require_libraries()
    url = replica_url(source)
    store = Store(folder)
    with store.locked(), Fetcher(limits, context) as fetcher:
        copy = _Copy(store, url, fetcher, root, at or timestamps.now())
        try:
            done = copy.run(packages)
        except (tuf.exceptions.RepositoryError, tuf.exceptions.DownloadError) as error:
            raise translated(error, url, "the repository") from error
        except OSError as error:
            raise BocageError(f"The copy in {folder} cannot be written: {error.strerror}.") from error
        if packages:
            # for the agent of a host that serves it
            repository_expiry.note(store, authorities)
        return done


def newest(source: str, folder: Path, root: bytes, *, limits: Limits | None = None, at: datetime | None = None) -> int:
    """The version of the timestamp that `replicate` would find there, verified as it does; writes nothing of the copy."""
    tuf.require_libraries()
    url = replica_url(source)
    with tempfile.TemporaryDirectory() as work, Fetcher(limits, None) as fetcher:
        state = Path(work) / "verified"
        # what the copy has seen, so that older metadata is refused here, too
        if (folder / "verified").is_dir():
            shutil.copytree(folder / "verified", state, symlinks=True)
        state.mkdir(exist_ok=True)
        try:
            updater = Updater(state, f"{url}{layout.METADATA}/", fetcher, root, at or timestamps.now())
            updater.refresh()
        except (tuf.exceptions.RepositoryError, tuf.exceptions.DownloadError) as error:
            raise translated(error, url, "the repository") from error
        return int(updater.trusted.timestamp.version)


class _Copy:
    def __init__(self, store: Store, url: str, fetcher: Fetcher, root: bytes, now: datetime) -> None:
        self.store, self.url, self.fetcher, self.root, self.now = store, url, fetcher, root, now
        self.metadata: dict[str, bytes] = {}
        self.targets: dict[str, tuf.TargetFile] = {}
        self.written = 0
        self._state = store.folder / "verified"

    def run(self, packages: bool) -> dict[str, Any]:
        make_folder(self.store.public / layout.METADATA)
        self._state.mkdir(exist_ok=True)
        try:
            updater = Updater(self._state, f"{self.url}{layout.METADATA}/", self.fetcher, self.root, self.now)
        except (tuf.exceptions.RepositoryError, ValueError) as error:
            raise BadInput("The pinned root of the repository cannot be used; place it again.") from error
        updater.refresh()
        trusted = updater.trusted
        self._lists(trusted)
        if packages:
            self._packages()
            self._plain_names(trusted.snapshot.version)
        for name, raw in self.metadata.items():
            self._write(name, raw)
        self._write(layout.metadata_file("snapshot", trusted.snapshot.version), self._verified("snapshot"))
        self._roots(trusted.root.version)
        self._write(layout.metadata_file("timestamp", None), self._verified("timestamp"))
        return {
            "timestamp": trusted.timestamp.version,
            "snapshot": trusted.snapshot.version,
            "files": self.fetcher.traffic.requests,
            "bytes": self.fetcher.traffic.bytes,
            "written": self.written,
        }

    def _lists(self, trusted: Any) -> None:
        heads = {name.removesuffix(".json"): meta.version for name, meta in trusted.snapshot.meta.items()}
        self.metadata[layout.metadata_file("targets", heads["targets"])] = self._verified("targets")
        for name in roles.delegated(trusted.targets):
            (signed,) = self._load(trusted, {name: heads[name]} if name in heads else {name: 0}, "targets")
            bins = roles.bins_in(signed, name)
            inside = [] if bins is None else self._load(trusted, {one: heads[one] for one in bins.get_roles()}, name)
            owns = _owner(trusted.targets, name)
            for one in (signed, *inside):
                self.targets |= {
                    path: target
                    for path, target in one.targets.items()
                    if not repository_lists.wrong(path, target, owns)
                }

    def _load(self, trusted: Any, versions: Mapping[str, int], parent: str) -> list[tuf.Targets]:
        files = {role: layout.metadata_file(role, version) for role, version in versions.items()}
        there = {role: self.store.public / name for role, name in files.items() if (self.store.public / name).is_file()}
        most = layout.MAX_ROLE if parent == "targets" else layout.MAX_BIN
        missing = [role for role in files if role not in there]
        came = self.fetcher.download_many([(f"{self.url}{files[role]}", most) for role in missing])
        raws = dict(zip(missing, came, strict=True))
        for role, path in there.items():
            raws[role] = atomic.read_bounded(path, layout.MAX_ROLE)
        found = []
        for role, name in files.items():
            found.append(trusted.update_delegated_targets(raws[role], role, parent))
            self.metadata[name] = raws[role]
        return found

    def _packages(self) -> None:
        incoming = self.store.folder / "incoming"
        incoming.mkdir(exist_ok=True)
        for path, one in self.targets.items():
            sha256 = one.hashes["sha256"]
            stored = self.store.public / layout.target_file(path, sha256)
            if stored.is_file() and stored.stat().st_size == one.length:
                continue
            came = Download(incoming, Target(path, one.length, sha256, "", False, None), self.fetcher)
            make_folder(stored.parent)
            fresh = came.from_replica(self.url)
            fresh.chmod(0o644)
            fresh.replace(stored)
            self.written += 1
            atomic.sync_directory(stored.parent)

    def _plain_names(self, snapshot: int) -> None:
        """Agents of WAPT verify their packages themselves; the index is theirs, and is copied as it is."""
        plain = {
            name: layout.target_file(path, one.hashes["sha256"])
            for path, one in self.targets.items()
            if (name := layout.plain_file(path))
        }
        for name, origin in plain.items():
            path = self.store.public / name
            make_folder(path.parent)
            if not (path.is_file() and path.samefile(self.store.public / origin)):
                point(self.store.public / origin, path)
                self.written += 1
        if self._has_index(snapshot):
            return
        try:
            index = self.fetcher.download_bytes(f"{self.url}{layout.INDEX}", _MAX_INDEX)
        except tuf.exceptions.DownloadHTTPError:
            return
        self._write(layout.INDEX, index)
        for folder in ("wapt", "wapt-host"):
            for path in (self.store.public / folder).glob("*.wapt"):
                if f"{folder}/{path.name}" not in plain:
                    path.unlink()
                    self.written += 1

    def _has_index(self, snapshot: int) -> bool:
        """It changes with the lists alone, and is large; the timestamp is what was written last of the copy before."""
        try:
            served = self.store.timestamp()
        except BocageError:
            return False
        there = (self.store.public / layout.INDEX).is_file()
        return there and served is not None and bool(served.signed.snapshot_meta.version == snapshot)

    def _roots(self, newest: int) -> None:
        """All roots there ever were: a host may have been enrolled, or asleep, since any of them."""
        for version in range(1, newest + 1):
            name = layout.metadata_file("root", version)
            if not (self.store.public / name).is_file():
                followed = self._state / "root_history" / f"{version}.root.json"
                url = f"{self.url}{name}"
                raw = followed.read_bytes() if followed.is_file() else self.fetcher.download_bytes(url, layout.MAX_ROOT)
                self._write(name, raw)

    def _verified(self, role: str) -> bytes:
        return atomic.read_bounded(self._state / f"{role}.json", layout.MAX_ROLE)

    def _write(self, name: str, raw: bytes) -> None:
        path = self.store.public / name
        if not (path.is_file() and path.stat().st_size == len(raw) and path.read_bytes() == raw):
            make_folder(path.parent)
            atomic.write_file(path, raw)
            self.written += 1


def poisoned(folder: Path) -> list[str]:
    """Names below `public/` of packages in a copy that are no longer what their name says, and are removed."""
    found = []
    for path in sorted((folder / layout.PUBLIC / layout.TARGETS).rglob("*")):
        expected = path.name.partition(".")[0]
        if path.is_file():
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != expected:
                    found.append(path.relative_to(folder / layout.PUBLIC).as_posix())
                    path.unlink()
    return found


def _owner(top: tuf.Targets, name: str) -> Any:
    if top.delegations is None:
        raise AssertionError("a role is copied that nothing delegates to")
    get = top.delegations.get_roles_for_target
    return lambda path: next(iter(get(path)), ("", True))[0] == name
