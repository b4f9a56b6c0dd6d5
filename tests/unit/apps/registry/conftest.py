# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry over a real SQLite file, asked over ASGI."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from bocage_core._state import poll as polls
from bocage_core._state.poll import Poll
from bocage_registry.app import create_app
from bocage_registry.settings import Reader, Settings
from fastapi import FastAPI

TOKENS = {"estate": None, "acme-reader": "acme", "zenith-reader": "zenith"}


@dataclass
class Registry:
    """The application, its clock and a client."""

    estate: Any
    url: str
    offset: timedelta = field(default_factory=timedelta)
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        readers = tuple(
            Reader(name, hashlib.sha256(name.encode()).hexdigest(), tenant) for name, tenant in TOKENS.items()
        )
        settings = Settings(
            self.url,
            self.estate.public,
            readers,
            history_seconds=3600,
            clock_skew_seconds=300,
            action_keys=self.estate.policy.keys,
            waiting_hosts=2,
        )
        self.app = create_app(settings, self.clock)

    def clock(self) -> datetime:
        moment: datetime = self.estate.now + self.offset
        return moment

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://registry") as client:
                return await client.request(method, path, **options)

        return asyncio.run(answer())

    def enrol(self, host: Any) -> httpx.Response:
        return self.ask("POST", "/v1/enrolments", content=host.enrolment_bytes)

    def report(self, raw: bytes) -> httpx.Response:
        return self.ask("POST", "/v1/reports", content=raw)

    def act(self, raw: bytes) -> httpx.Response:
        return self.ask("POST", "/v1/actions", content=raw)

    def poll(self, host: Any, parameters: str = "", proof: str | None = None) -> httpx.Response:
        header = {"Authorization": self.proof(host) if proof is None else proof}
        return self.ask("GET", f"/v1/hosts/{host.enrolment.host_id}/actions{parameters}", headers=header)

    def proof(self, host: Any, **changes: Any) -> str:
        who = {"host_id": host.enrolment.host_id, "generation": host.enrolment.generation, **changes}
        return polls.header(Poll(**who), host.report_private)

    def read(self, path: str, token: str = "estate", **headers: str) -> httpx.Response:
        return self.ask("GET", path, headers={"Authorization": f"Bearer {token}", **headers})

    def enrolled(self, name: str = "gw1", tenant: str | None = "acme", **changes: Any) -> Any:
        host = self.estate.host(name, tenant, **changes)
        assert self.enrol(host).status_code == 200
        return host

    def stop(self) -> None:
        self.app.state.database.close()


@pytest.fixture
def registry(tmp_path: Path, signed_estate: Any) -> Iterator[Registry]:
    running = Registry(signed_estate, f"sqlite:///{tmp_path}/registry.db")
    yield running
    running.stop()
