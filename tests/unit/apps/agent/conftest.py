# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with its files, and a real registry behind TLS on the loopback."""

from __future__ import annotations

import datetime
import hashlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from bocage_agent.main import main
from bocage_registry.app import create_app
from bocage_registry.settings import Reader, Settings
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).parent))

from listening_host import Ear
from sealed_host import SealedHost

NAME = "registry.demo.internal"


@dataclass
class Authority:
    """A certificate authority made for the test."""

    folder: Path
    title: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.title)])
        certificate = (
            self._builder(self.name, self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.file = self.folder / f"{self.title}.pem"
        self.file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        chain, private = self.folder / f"{self.title}-{name}.crt", self.folder / f"{self.title}-{name}.key"
        chain.write_bytes(certificate.public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return chain, private

    def _builder(self, subject: x509.Name, public_key: Any) -> x509.CertificateBuilder:
        now = datetime.datetime.now(tz=datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )


@dataclass
class LiveRegistry:
    """The registry as it runs on a hub: uvicorn and TLS. It can be stopped, and can lose answers."""

    folder: Path
    estate: Any
    authority: Authority
    certificate_name: str = NAME
    lose_answers: int = 0
    answered: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        chain, private = self.authority.issue(self.certificate_name)
        readers = (Reader("test", hashlib.sha256(b"t").hexdigest(), None),)
        self.app = create_app(
            Settings(
                f"sqlite:///{self.folder}/registry.db",
                self.estate.public,
                readers,
                history_seconds=86400,
                action_keys=self.estate.policy.keys,
            )
        )
        config = uvicorn.Config(
            self._losing,
            interface="asgi3",
            host="127.0.0.1",
            port=self.port,
            ssl_certfile=chain,
            ssl_keyfile=private,
            log_level="critical",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        for _ in range(200):
            if self._server.started:
                return
            time.sleep(0.02)
        raise AssertionError("the registry did not start in 4 seconds")

    def stop(self) -> None:
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=10)
            self._thread = None

    def lose_database(self) -> None:
        self.stop()
        for path in self.folder.glob("registry.db*"):
            path.unlink()
        self.start()

    async def _losing(self, scope: Any, receive: Any, send: Any) -> None:
        """The registry does its work, but the network may lose what it answers."""

        async def maybe_send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.answered.append((scope["path"], message["status"]))
            elif self.lose_answers and scope["path"] == "/v1/reports":
                self.lose_answers -= 1
                raise ConnectionResetError("lost on purpose, after the registry has stored the report")
            await send(message)

        await self.app(scope, receive, maybe_send)

    def counters(self, host_id: str) -> list[int]:
        """The numbers of all reports kept of a host, in the order in which they came."""
        body = self.app.state.listing.history(host_id, None, None, 5000)
        if body is None:
            return []
        from bocage_core._common import dsse
        from bocage_core._state.report import Report

        envelopes = [one["report"] for one in json.loads(body)["reports"]]
        return [Report.from_payload(dsse.unverified_payload(one)).counter for one in reversed(envelopes)]


@dataclass
class Agent:
    """A host's files and its agent, called as its timer calls it."""

    folder: Path
    host: Any
    registry: LiveRegistry
    capture: Any

    def __post_init__(self) -> None:
        (self.folder / "report.key").write_bytes(self.host.report_private)
        self.write_enrolment()
        self.configure()

    def write_enrolment(self) -> None:
        (self.folder / "enrolment.json").write_bytes(self.host.enrolment_bytes)

    def configure(self, **changes: Any) -> None:
        settings = {
            "registry_url": f"https://{NAME}:{self.registry.port}/",
            "registry_address": "127.0.0.1",
            "ca_file": str(self.registry.authority.file),
            "key_file": str(self.folder / "report.key"),
            "enrolment_file": str(self.folder / "enrolment.json"),
            "state_directory": str(self.folder / "state"),
            "mesh_interface": None,
            "gateway": None,
            "request_timeout_seconds": 5,
            **changes,
        }
        self.config.write_text(json.dumps(settings))

    @property
    def config(self) -> Path:
        return self.folder / "agent.json"

    def call(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output and journal lines."""
        self.capture.readouterr()
        status = main([*arguments, "--config", str(self.config)])
        captured = self.capture.readouterr()
        return status, captured.out, captured.err

    def spooled(self) -> list[int]:
        return sorted(int(path.stem) for path in (self.folder / "state" / "spool").glob("*.json"))

    def counters(self) -> list[int]:
        return self.registry.counters(self.host.enrolment.host_id)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "estate")


@pytest.fixture
def live_registry(tmp_path: Path, signed_estate: Any, authority: Authority) -> Iterator[LiveRegistry]:
    folder = tmp_path / "registry"
    folder.mkdir()
    registry = LiveRegistry(folder, signed_estate, authority)
    yield registry
    registry.stop()


@pytest.fixture
def agent(tmp_path: Path, signed_estate: Any, live_registry: LiveRegistry, capfd: Any) -> Agent:
    folder = tmp_path / "host"
    folder.mkdir()
    return Agent(folder, signed_estate.host("gw1"), live_registry, capfd)


@pytest.fixture
def sealed(tmp_path: Path, signed_estate: Any) -> SealedHost:
    return SealedHost(tmp_path / "sealed", signed_estate.host("gw1"))


@pytest.fixture
def ear(agent: Any, signed_estate: Any) -> Ear:
    return Ear(agent, signed_estate)
