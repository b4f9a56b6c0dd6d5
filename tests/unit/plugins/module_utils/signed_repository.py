# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository with all its holders, for the tests of publishers and clients."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bocage_core._packages import repository, repository_keys, repository_publish, repository_root, target_custom
from bocage_core._packages import repository_edit as edit
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.fetcher import Limits
from bocage_core._packages.repository_client import Client
from bocage_core._packages.repository_refresh import OnlineKeys, online_keys
from bocage_core._packages.repository_store import Store
from bocage_core._packages.tuf_library import CryptoSigner, Signer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
# Long enough for a machine that does much else.
QUICK = Limits(connect_seconds=10, idle_seconds=10, grace_seconds=10, update_seconds=60)
HASTY = Limits(
    connect_seconds=0.3, idle_seconds=0.3, grace_seconds=0.3, least_bytes_per_second=100_000, update_seconds=0.6
)


def signers(count: int = 1) -> list[Signer]:
    return [CryptoSigner.generate_ed25519() for _ in range(count)]


@dataclass
class Holders:
    """Who holds which keys."""

    root: list[Signer] = field(default_factory=lambda: signers(3))
    targets: list[Signer] = field(default_factory=lambda: signers(3))
    snapshot: list[Signer] = field(default_factory=signers)
    timestamp: list[Signer] = field(default_factory=signers)
    lists: dict[str, list[Signer]] = field(
        default_factory=lambda: {
            name: signers() for name in ("base", "deployers", "host-paris", "host-lyon", "crl", "masters")
        }
    )

    def plan(self) -> repository_root.RootPlan:
        def keys(given: list[Signer], threshold: int = 1) -> repository_root.Holders:
            return repository_root.holders([one.public_key for one in given], threshold)

        return repository_root.RootPlan(
            keys(self.root, 2), keys(self.targets, 2), keys(self.snapshot), keys(self.timestamp)
        )

    def delegations(self) -> list[roles.Delegation]:
        return roles.delegations_of({name: [one.public_key for one in given] for name, given in self.lists.items()})

    @property
    def signing(self) -> dict[str, list[Signer]]:
        return {**self.lists, "targets": self.targets[:2]}

    @property
    def online(self) -> OnlineKeys:
        return online_keys(self.snapshot, self.timestamp)

    def new_root(self, previous: bytes | None, others: list[Signer] | None = None, now: datetime = NOW) -> bytes:
        draft = repository_root.draft(self.plan(), previous, now)
        return repository_keys.sign(draft, [*self.root[:2], *(others or [])], "root")


class SignedRepository:
    """A repository in a folder, and clients of it."""

    def __init__(self, folder: Path, now: datetime = NOW) -> None:
        self.folder, self.now = folder, now
        self.path = folder / "repository"
        self.holders = Holders()
        self.root = self.holders.new_root(None, now=now)
        change = repository.new_change(self.root, self.holders.delegations(), self.holders.signing, now)
        repository_publish.init(self.path, change, self.holders.online, now)

    @property
    def public(self) -> Path:
        return self.path / "public"

    @property
    def store(self) -> Store:
        return Store(self.path)

    def package(self, path: str, content: bytes = b"content", **words: str) -> edit.Addition:
        """A file for `path` whose description says what its name says."""
        sources = self.folder / "sources"
        sources.mkdir(exist_ok=True)
        source = sources / hashlib.sha256(path.encode() + content).hexdigest()
        source.write_bytes(content)
        name, _, version = path.rpartition("/")[2].removesuffix(".wapt").partition("_")
        control = {"package": name, "version": version or "0", "architecture": "all", **words}
        custom = target_custom.from_control(control, repr(control).encode()).to_dict() if ".wapt" in path else None
        return edit.add_file(path, source, custom)

    def publish(self, *paths: str, now: datetime | None = None, **options: Any) -> edit.Change:
        additions = [self.package(path) for path in paths]
        return repository.publish(
            self.path, additions, self.holders.signing, self.holders.online, now or self.now, **options
        )

    def add(self, *additions: edit.Addition, now: datetime | None = None, **options: Any) -> edit.Change:
        return repository.publish(
            self.path, additions, self.holders.signing, self.holders.online, now or self.now, **options
        )

    def client(self, *replicas: str, name: str = "client", root: bytes | None = None, **options: Any) -> Client:
        return Client(
            self.folder / name,
            root or self.root,
            replicas or [str(self.public)],
            limits=options.pop("limits", QUICK),
            clock=options.pop("clock", lambda: self.now),
            **options,
        )


Answer = Callable[[http.server.BaseHTTPRequestHandler], bool]


@contextmanager
def served(folder: Path, answers: Mapping[str, Answer] | None = None) -> Iterator[str]:
    """The folder on loopback; `answers` take over requests for paths that contain a text, until they say False."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            for text, answer in (answers or {}).items():
                if text in self.path and answer(self):
                    self.close_connection = True
                    return
            super().do_GET()

        def log_message(self, *words: Any) -> None:
            """Nothing on the terminal."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
