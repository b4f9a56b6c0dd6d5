# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in a dictionary, and an engine on real SQLite, real files and real child processes."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bocage_agent import packages_report
from bocage_agent.packages_engine import Engine
from bocage_agent.packages_ports import Accepted, Offer, Progress, Solution, Taken
from bocage_agent.packages_runner import Runner
from bocage_agent.packages_settings import PackageSettings, from_document
from bocage_agent.packages_store import Row, Store
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages.requests import Request

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class FakeLibrary:
    """Believes everything but what `refuse` names; solves for the newest version, without going back."""

    files: dict[str, bytes] = field(default_factory=dict)
    known: dict[str, list[Offer]] = field(default_factory=dict)
    number: int = 0
    problem: BocageError | None = None
    refuse: dict[str, str] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    executable: bool = True
    came: Taken = field(default_factory=Taken)

    def add(self, package: str, version: str, setup: str = "", **fields: Any) -> Offer:
        extra = fields.pop("files", {})
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            control = f"package : {package}\nversion : {version}\n"
            for name, content in {"WAPT/control": control, "setup.py": setup, **extra}.items():
                if content:
                    # without the time of day, so that the same content is the same file
                    archive.writestr(zipfile.ZipInfo(name), content)
        data = packed.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        offer = Offer(package, version, sha256=digest, size=len(data), path=f"{package}_{version}.wapt", **fields)
        self.files[digest] = data
        self.known.setdefault(package, []).append(offer)
        self.number += 1
        return offer

    def update(self) -> dict[str, int]:
        if self.problem is not None:
            raise self.problem
        return self.versions()

    def versions(self) -> dict[str, int]:
        return {"timestamp": self.number, "root": 1}

    def taken(self) -> Taken:
        came, self.came = self.came, Taken(site_has_copy=self.came.site_has_copy)
        return came

    def kept(self, installed: Mapping[str, str]) -> Mapping[str, Any]:
        return {}

    def offers(self, package: str) -> Sequence[Offer]:
        return self.known.get(package, [])

    def search(self, words: Sequence[str]) -> Sequence[Offer]:
        return [one for found in self.known.values() for one in found if all(word in one.package for word in words)]

    def download(self, offer: Offer, path: Path, progress: Progress) -> None:
        path.write_bytes(self.files[offer.sha256])
        progress(offer.size, offer.size)

    def accept(self, path: Path, offer: Offer, floor: str | None, moment: datetime) -> Accepted:
        if offer.package in self.refuse:
            raise Refused("revoked", self.refuse[offer.package])
        if floor is not None and self.compare(offer.version, floor) < 0:
            raise Refused("below_floor", f"{offer.package} {offer.version} is older than {floor}.")
        self.accepted.append(f"{offer.package} {offer.version}")
        control = {"package": offer.package, "version": offer.version, "audit_schedule": "1d"}
        return Accepted(
            offer.package,
            offer.version,
            offer.section,
            offer.depends,
            offer.conflicts,
            "developer",
            self.executable,
            control,
        )

    def unpack(self, path: Path, sha256: str, folder: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)

    def solve(
        self,
        requests: Iterable[str | Request],
        forbidden: Iterable[str],
        installed: Mapping[str, Offer],
        offers: Callable[[str], Sequence[Offer]],
        renew: Callable[[str], bool],
        kept: Mapping[str, Any],
    ) -> Solution:
        wanted: dict[str, Offer] = {}
        missing: dict[str, str] = {}

        def visit(name: str) -> None:
            if name in wanted or name in missing:
                return
            found = [one for one in offers(name) if name not in forbidden]
            if name in installed and (not renew(name) or not found):
                found = [installed[name]]
            if not found:
                missing[name] = f"The repository has no package {name}"
                return
            best = max(found, key=lambda one: self._key(one.version))
            for needed in self.names(best.depends):
                visit(needed)
            wanted[name] = best

        for request in requests:
            before = dict(wanted)
            for name in [request.package] if isinstance(request, Request) else self.names(request):
                visit(name)
                new = [one for found, one in wanted.items() if found not in before]
                if any(self.clash(one, other) for one in new for other in before.values()):
                    wanted = before
                    missing[name] = "It is in conflict with what was asked for before it"
        for name, one in installed.items():
            clashes = any(self.clash(one, other) for other in wanted.values())
            if name not in wanted and one.section == "base" and not clashes:
                visit(name)
        return Solution(tuple(wanted.values()), missing, {})

    def compare(self, first: str, second: str) -> int:
        return (self._key(first) > self._key(second)) - (self._key(first) < self._key(second))

    def clash(self, first: Offer, second: Offer) -> bool:
        return second.package in self.names(first.conflicts) or first.package in self.names(second.conflicts)

    def names(self, requests: str) -> list[str]:
        return [one.partition("(")[0].strip() for one in requests.split(",") if one.strip()]

    def _key(self, version: str) -> tuple[int, ...]:
        return tuple(int(part) for part in version.replace("-", ".").split("."))


@dataclass
class Host:
    """A host's folders; each call is a new run of the agent."""

    folder: Path
    library: FakeLibrary = field(default_factory=FakeLibrary)
    now: datetime = NOW
    lines: list[str] = field(default_factory=list)
    after: Callable[[str], None] = lambda step: None
    supervised: bool = False

    @property
    def document(self) -> dict[str, Any]:
        return {
            "replicas": [{"url": "http://replica.test/"}],
            "directories": {
                "trust": str(self.folder / "etc"),
                "state": str(self.folder / "state"),
                "cache": str(self.folder / "cache"),
                "lock": str(self.folder / "run" / "packages.lock"),
            },
            "limits": {"hook_seconds": 20},
            **self.changes,
        }

    changes: dict[str, Any] = field(default_factory=dict)
    announced: list[dict[str, Any]] = field(default_factory=list)
    """What reports of rollouts had, each time that the host was to report at once."""

    @property
    def settings(self) -> PackageSettings:
        return from_document(self.document, "the settings")

    def run(self, verb: Callable[[Engine], Any]) -> Any:
        store = Store.open(self.folder / "state")
        try:
            engine = Engine(
                self.settings,
                store,
                self.library,
                Runner(self.supervised),
                log=self.lines.append,
                clock=lambda: self.now,
                after=lambda step: self.after(step),
                announce=lambda: self.announced.append(packages_report.rollouts(store, store.rows())),
            )
            engine.repair()
            return verb(engine)
        finally:
            store.close()

    def install(self, *names: str) -> Any:
        return self.run(lambda engine: engine.install(names, "root"))

    def upgrade(self, **options: Any) -> Any:
        return self.run(lambda engine: engine.upgrade(**options))

    def update(self) -> Any:
        return self.run(lambda engine: engine.update())

    def remove(self, *names: str) -> Any:
        return self.run(lambda engine: engine.remove(names))

    def rows(self) -> dict[str, Row]:
        return self.look(lambda store: store.rows())

    def look(self, at: Callable[[Store], Any]) -> Any:
        store = Store.read(self.folder / "state")
        assert store is not None
        try:
            return at(store)
        finally:
            store.close()

    def states(self) -> dict[str, tuple[str, str | None]]:
        return {name: (row.state, row.version) for name, row in self.rows().items()}

    def cached(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "cache").glob("*"))

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


def touching(path: Path, *, undo: bool = True) -> str:
    """A setup.py that counts how often it was installed, in a file."""
    goes = f"def uninstall():\n    remove({str(path)!r})\n" if undo else ""
    return (
        "def install():\n"
        f"    with open({str(path)!r}, 'a') as stream:\n"
        "        stream.write(control['version'] + ' ')\n" + goes
    )
