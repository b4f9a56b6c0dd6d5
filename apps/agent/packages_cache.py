# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads: a file is in the cache under its hash once the whole acceptance rule let it pass, and never before.

What was accepted is recorded with the metadata that it was accepted on, so that it can be installed later without a
network: the record and the hash are checked then, and how old a record may be is declared.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from bocage_core._common import atomic, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused

from . import packages_fetched
from .packages_ports import Library, Offer, Progress
from .packages_store import Record, Store, put_facts, put_record

# A clock that was corrected by some minutes makes no record one of the future.
_CLOCK_WINDOW = timedelta(minutes=10)
_PARTIAL = ".partial-"
_SPARE_BYTES = 16 * 1024 * 1024


class Cache:
    def __init__(self, folder: Path, store: Store, library: Library, clock: Callable[[], datetime], days: int) -> None:
        self._folder = folder
        self._store = store
        self._library = library
        self._clock = clock
        self._most = timedelta(days=days)

    def path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.wapt"

    def fetch(self, offer: Offer, floor: str | None, maximum: int, progress: Progress) -> Record:
        """Have an accepted file of this offer, with a record of today's metadata; raises Refused, and keeps nothing."""
        about = f"{offer.package} {offer.version}"
        if offer.size > maximum:
            raise BocageError(
                f"{about} has {offer.size} bytes, more than the {maximum} of limits.package_bytes; it is not fetched."
            )
        path = self.path(offer.sha256)
        known = self._store.record(offer.sha256)
        there = path.exists() and path.stat().st_size == offer.size
        metadata = self._library.versions()
        # a download that is kept may be older than what was installed since, for which leave is needed now
        if there and known is not None and known.metadata == metadata and not self._is_below(known, floor):
            return known
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = path if there else self._folder / f"{_PARTIAL}{offer.sha256}"
            if not there:
                self.need_room(self._folder, offer.size, about)
                self._library.download(offer, partial, progress)
                _flush(partial)
            accepted = self._library.accept(partial, offer, floor, self._clock())
        except Refused as error:
            self._refuse(offer, error)
            raise
        except OSError as error:
            self._drop(offer.sha256)
            raise BocageError(f"{about} cannot be kept in {self._folder}: {error.strerror}.") from error
        if not there:
            partial.replace(path)
            atomic.sync_directory(self._folder)
        record = Record(
            sha256=offer.sha256,
            name=accepted.package,
            version=accepted.version,
            section=accepted.section,
            depends=accepted.depends,
            conflicts=accepted.conflicts,
            size=offer.size,
            path=offer.path,
            signer=accepted.signer,
            executable=accepted.executable,
            control=dict(accepted.control),
            metadata=metadata,
            accepted_at=timestamps.write(self._clock()),
        )
        fetched = packages_fetched.added(self._store.fact("fetched"), self._library.taken(), self._clock())
        with self._store.step() as step:
            put_record(step, record)
            put_facts(step, {"fetched": fetched})
        return record

    def accepted(self, sha256: str, *, offline: bool) -> Record:
        """The record of a file that may be installed now; an offline use is noted, as the report tells it."""
        record = self._store.record(sha256)
        if record is None or not self.path(sha256).is_file():
            raise BocageError(f"No accepted file with the hash {sha256[:16]} is in the cache {self._folder}.")
        if offline:
            if problem := self._problem(record):
                raise BocageError(f"{record.name} {record.version} is not installed without the repository: {problem}.")
            record = replace(record, used_offline_at=timestamps.write(self._clock()))
            with self._store.step() as step:
                put_record(step, record)
        return record

    def offers(self, package: str) -> Sequence[Offer]:
        """What of a package can be installed without a repository."""
        return [
            Offer(
                package=one.name,
                version=one.version,
                section=one.section,
                depends=one.depends,
                conflicts=one.conflicts,
                sha256=one.sha256,
                size=one.size,
                path=one.path,
            )
            for one in self._store.records()
            if one.name == package and self.path(one.sha256).is_file() and not self._problem(one)
        ]

    def check_hash(self, record: Record) -> None:
        """The bytes are still those that were accepted; others are removed."""
        total = hashlib.sha256()
        with self.path(record.sha256).open("rb") as stream:
            while piece := stream.read(1024 * 1024):
                total.update(piece)
        if total.hexdigest() != record.sha256:
            self._drop(record.sha256)
            raise Refused(
                "bad_signature",
                f"The download of {record.name} {record.version} was changed after it was accepted; it is removed.",
            )

    def drop(self, sha256: str) -> None:
        """Remove a file that is no longer needed; its record tells what was installed from it."""
        self.path(sha256).unlink(missing_ok=True)

    def clean(self, keep: Collection[str]) -> tuple[int, int]:
        """Remove all files but these, and what interrupted downloads left; how many, and their bytes."""
        count = freed = 0
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if path.is_file() and path.stem not in keep:
                freed += path.stat().st_size
                count += 1
                path.unlink()
        return count, freed

    def clean_interrupted(self) -> None:
        for path in self._folder.glob(f"{_PARTIAL}*") if self._folder.is_dir() else ():
            path.unlink(missing_ok=True)

    def need_room(self, folder: Path, size: int, about: str) -> None:
        free = shutil.disk_usage(folder).free
        if free < size + _SPARE_BYTES:
            raise BocageError(
                f"The disk of {folder} is full: {about} needs {size} bytes and {free} are free; make room, or run"
                " `bocage-agent clean`."
            )

    def _problem(self, record: Record) -> str:
        """Why a record is not good enough without a repository; empty where it is."""
        now = self._clock()
        accepted = timestamps.parse(record.accepted_at, "the time of a record")
        if accepted > now + _CLOCK_WINDOW:
            return f"it was accepted at {record.accepted_at}, which by this host's clock is yet to come; set the clock"
        if now - accepted > self._most:
            return (
                f"it was accepted at {record.accepted_at}, more than the {self._most.days} days of offline_record_days"
                " ago; connect this host to a repository, and see that its clock is right"
            )
        floor = self._store.floor(record.name)
        if self._is_below(record, floor):
            # with leave to go back it was accepted after what it goes back from was installed
            row = self._store.rows().get(record.name)
            since = row.installed_at if row is not None and row.version == floor else None
            if since is None or accepted <= timestamps.parse(since, "the time of an installation"):
                return f"{floor} was installed since, and going back from it needs leave from the repository"
        return ""

    def _is_below(self, record: Record, floor: str | None) -> bool:
        return floor is not None and self._library.compare(record.version, floor) < 0

    def _refuse(self, offer: Offer, error: Refused) -> None:
        self._drop(offer.sha256)
        values = (offer.package, offer.version, error.code, str(error)[:500], timestamps.write(self._clock()))
        with self._store.step() as step:
            step.execute("DELETE FROM acceptance WHERE sha256=?", (offer.sha256,))
            step.execute("INSERT INTO refusal (name,version,code,reason,at) VALUES (?,?,?,?,?)", values)
            step.execute("DELETE FROM refusal WHERE id <= (SELECT max(id) FROM refusal) - 200")

    def _drop(self, sha256: str) -> None:
        for path in (self.path(sha256), self._folder / f"{_PARTIAL}{sha256}"):
            path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
