# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a server that speaks TLS and answers what a test puts into its mouth."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput
from ansible_collections.bocage.fleet.plugins.plugin_utils import registry_client
from ansible_collections.bocage.fleet.plugins.plugin_utils.registry_client import RegistryClient, RegistryFailed
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "registry.test.internal"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(tz=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@dataclass
class Server:
    ca_file: Path
    port: int
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def client(self, **changes: Any) -> RegistryClient:
        options = {"ca_file": self.ca_file, "address": "127.0.0.1", "timeout_seconds": 5} | changes
        return RegistryClient(f"https://{NAME}:{self.port}", "secret", **options)

    def page(self, cursor: str, *hosts: Any, more: bool = False) -> None:
        body = {"cursor": cursor, "more": more, "reset": False, "hosts": list(hosts)}
        self.answers.append((200, json.dumps(body).encode()))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    certificate_file, key_file = certificate(tmp_path, NAME)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.asked.append((self.path, dict(self.headers)))
            status, body = running.answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Nothing on the terminal of the tests."""

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    running = Server(certificate_file, listening.server_port)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield running
    listening.shutdown()
    listening.server_close()
    thread.join(5)


def test_pages_by_an_address_with_the_name_verified(server: Server) -> None:
    server.page("e.1", {"host_id": "1"}, more=True)
    server.page("e.2", {"host_id": "2"})
    with server.client() as client:
        pages = list(client.changes(None))
        assert client.requests == 2
    assert [(page.cursor, page.hosts) for page in pages] == [("e.1", [{"host_id": "1"}]), ("e.2", [{"host_id": "2"}])]
    (first, headers), (second, _headers) = server.asked
    assert first == "/v1/hosts?limit=2000" and second == "/v1/hosts?limit=2000&since=e.1"
    assert headers["Authorization"] == "Bearer secret" and headers["Host"] == f"{NAME}:{server.port}"


def test_a_certificate_of_another_name_is_refused(server: Server) -> None:
    client = RegistryClient(
        f"https://other.test.internal:{server.port}", "secret", ca_file=server.ca_file, address="127.0.0.1"
    )
    with client, pytest.raises(RegistryFailed, match="did not answer"):
        list(client.changes(None))
    assert server.asked == [], "the token was not sent"


def test_an_unknown_authority_is_refused(server: Server, tmp_path: Path) -> None:
    other, _key = certificate(tmp_path, "other.test.internal")
    with server.client(ca_file=other) as client, pytest.raises(RegistryFailed, match="certificate"):
        list(client.changes(None))
    with server.client(ca_file=None) as client, pytest.raises(RegistryFailed, match="certificate"):
        list(client.changes(None))
    assert server.asked == []


def test_through_a_socket(server: Server, tmp_path: Path) -> None:
    """The end of an SSH forward is a socket file; the name of the certificate is verified all the same."""
    path = tmp_path / "socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def pump(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def carry() -> None:
        near, _address = listener.accept()
        with near, socket.create_connection(("127.0.0.1", server.port)) as far:
            back = threading.Thread(target=pump, args=(far, near))
            back.start()
            pump(near, far)
            back.join()

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    server.page("e.1")
    with server.client(socket=path, address="fd00::1") as client:
        assert [page.cursor for page in client.changes("e.0")] == ["e.1"]
    thread.join(5)
    listener.close()


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, b"{}", "does not know the token in token_file"),
        (503, b"{}", "with status 503"),
        (302, b"{}", "with status 302"),
        (200, b"<html>", "is not JSON"),
        (200, b"[" * 100000, "is not JSON"),
        (200, b"[]", "is not an object"),
        (200, b'{"hosts": 1, "cursor": "e.1", "more": false}', "is not a page of hosts"),
        (200, b'{"hosts": [], "cursor": 1, "more": false}', "is not a page of hosts"),
    ],
)
def test_answers_that_are_none(server: Server, status: int, body: bytes, sentence: str) -> None:
    server.answers.append((status, body))
    with server.client() as client, pytest.raises(RegistryFailed, match=sentence):
        list(client.changes(None))


def test_a_list_without_an_end(server: Server) -> None:
    server.page("e.1", more=True)
    with server.client() as client, pytest.raises(RegistryFailed, match="never came to the end"):
        list(client.changes("e.1"))


def test_an_answer_without_an_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_client, "MAX_ANSWER_BYTES", 100)
    server.page("e.1", "x" * 1000)
    with server.client() as client, pytest.raises(RegistryFailed, match="has no end"):
        list(client.changes(None))


def test_a_host_without_history(server: Server) -> None:
    server.answers.append((404, b"{}"))
    with server.client() as client:
        assert client.history("x", None) is None


def test_proxies_of_the_environment_are_not_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    server.page("e.1")
    with server.client() as client:
        assert len(list(client.changes(None))) == 1


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_client, "httpx", None)
    with pytest.raises(BadInput, match=r"The Python library httpx is missing on the controller; install what"):
        RegistryClient("https://registry.test.internal", "token")
