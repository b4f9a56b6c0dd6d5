# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory in a folder, with signed documents, loaded in this process as Ansible loads it."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
from bocage_core._common import dsse
from bocage_registry.app import create_app
from bocage_registry.settings import Reader, Settings

ESTATE = {
    "estate_name": "test",
    "estate_domain": "test.internal",
    "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
    "estate_sites": {
        "core": {"index": 0},
        "lyon": {"index": 1, "tenant": "acme", "overlay_ipv4_prefix": "198.19.1.0/24"},
    },
}
HOSTS = {
    "hub1": {"host_site": "core", "host_index": 1},
    "gw1": {"host_site": "lyon", "host_index": 1},
    "gw2": {"host_site": "lyon", "host_index": 2},
}
STATE_GROUPS = ("state_fresh", "state_stale", "state_lost", "state_untrusted", "state_missing")


@dataclass
class Folder:
    """The inventory's folder; `load` reads it as a run would."""

    path: Path
    estate: Any
    said: list[str]
    config: dict[str, Any] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: dict(one) for name, one in HOSTS.items()})

    def pin(self) -> None:
        (self.path / "trust/enrolments").mkdir(parents=True, exist_ok=True)
        (self.path / "trust/enrolment.pub").write_bytes(dsse.public_key_to_pem(self.estate.public))

    def enrol(self, host: Any) -> Any:
        self.pin()
        (self.path / f"trust/enrolments/{host.enrolment.name}.json").write_bytes(host.enrolment_bytes)
        return host

    def enrolled(self, name: str = "gw1", **changes: Any) -> Any:
        return self.enrol(self.estate.host(name, **changes))

    def offer(self, name: str, raw: bytes) -> None:
        """A document in the folder of reports."""
        (self.path / "reports").mkdir(exist_ok=True)
        (self.path / f"reports/{name}.json").write_bytes(raw)

    def offer_rows(self, *rows: dict[str, Any]) -> None:
        self.offer("page", json.dumps({"hosts": rows}).encode())

    def mesh(self, host: Any, *addresses: str, **changes: Any) -> dict[str, Any]:
        section = {
            "interface": "bocage0",
            "backend": "kernel",
            "public_key": host.enrolment.mesh_key,
            "listen_port": 51820,
            "mtu": 1420,
            "addresses": list(addresses),
            "config_digest": "a" * 64,
            "drift": [],
            "peer_count": 0,
            "peers": [],
        }
        return {**section, **changes}

    def write(self) -> None:
        (self.path / "hosts.yml").write_text(yaml.safe_dump({"managed": {"hosts": self.hosts}}))
        config = {"plugin": "bocage.fleet.estate", "cache_directory": "../cache", **self.config}
        (self.path / "reported.estate.yml").write_text(yaml.safe_dump(config))
        (self.path / "group_vars/all").mkdir(parents=True, exist_ok=True)
        (self.path / "group_vars/all/estate.yml").write_text(yaml.safe_dump(ESTATE))

    def load(self, **config: Any) -> Loaded:
        self.config.update(config)
        self.write()
        return self.read()

    def read(self) -> Loaded:
        self.said.clear()
        inventory = InventoryManager(DataLoader(), sources=[str(self.path)])
        return Loaded(inventory, list(self.said))

    def load_strictly(self, **config: Any) -> Loaded:
        """Fail as the project's ansible.cfg has it: a source that cannot be read ends the run, with its reason."""

        def fail(_display: Any, msg: str, exception: BaseException, **_options: Any) -> None:
            if "'auto'" in msg:
                raise exception

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ansible.constants.INVENTORY_ANY_UNPARSED_IS_FAILED", True)
            patch.setattr(Display, "error_as_warning", fail)
            return self.load(**config)


@dataclass
class Loaded:
    inventory: InventoryManager
    warnings: list[str]

    def reported(self, name: str = "gw1") -> dict[str, Any]:
        found: dict[str, Any] = self.inventory.hosts[name].vars["reported"]
        return found

    def state(self, name: str = "gw1") -> str:
        """The host's state, which its group and its variable must agree on."""
        groups = [group for group in STATE_GROUPS if name in self.group(group)]
        assert groups == [f"state_{self.reported(name)['state']}"]
        return groups[0]

    def group(self, name: str) -> list[str]:
        return sorted(host.name for host in self.inventory.groups[name].get_hosts())


@pytest.fixture
def folder(tmp_path: Path, signed_estate: Any, monkeypatch: pytest.MonkeyPatch) -> Folder:
    said: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda self, msg, *_rest, **_more: said.append(str(msg)))
    monkeypatch.delenv("BOCAGE_AS_OF", raising=False)
    # The project's ansible.cfg says so; the tests do not depend on where they are started.
    monkeypatch.setattr(
        "ansible.inventory.manager.IGNORED", re.compile(rb"^\.|^trust$|^reports$|^group_vars$|\.token$")
    )
    path = tmp_path / "inventory"
    path.mkdir()
    return Folder(path, signed_estate, said)


@dataclass
class Registry:
    """The real registry over a real socket, with its database in a file."""

    estate: Any
    database: Path
    port: int = 0
    app: Any = None
    asked: list[str] = field(default_factory=list)
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        reader = Reader("inventory", hashlib.sha256(b"token").hexdigest(), None)
        keys = self.estate.policy.keys
        settings = Settings(f"sqlite:///{self.database}", self.estate.public, (reader,), action_keys=keys)
        self.app = app = create_app(settings)
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                self.asked.append(scope["path"])
            await app(scope, receive, send)

        self._server = uvicorn.Server(uvicorn.Config(counted, log_level="error", lifespan="on"))
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)
            self._server = None

    def post(self, kind: str, raw: bytes) -> None:
        answer = httpx.post(f"{self.url}/v1/{kind}", content=raw, trust_env=False)
        assert answer.status_code == 200, answer.text

    def enrol(self, host: Any) -> None:
        self.post("enrolments", host.enrolment_bytes)

    def report(self, host: Any, **changes: Any) -> None:
        self.post("reports", host.report_bytes(**changes))

    def edit(self, host: Any, **columns: Any) -> None:
        """Somebody at the database, who also makes readers look at the row again."""
        names = "".join(f", {name} = ?" for name in columns)
        connection = sqlite3.connect(self.database)
        with connection:
            connection.execute(
                f"UPDATE hosts SET change = (SELECT MAX(change) FROM hosts) + 1{names} WHERE host_id = ?",
                (*columns.values(), host.enrolment.host_id),
            )
        connection.close()


@pytest.fixture
def registry(folder: Folder, tmp_path: Path) -> Iterator[Registry]:
    running = Registry(folder.estate, tmp_path / "registry.db")
    running.start()
    (folder.path / "reader.token").write_text("token\n")
    folder.pin()
    folder.config |= {"registry_url": running.url, "token_file": "reader.token", "timeout_seconds": 3}
    yield running
    running.stop()
