# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories for tests: entries that the library's own imitation serves, and sockets that answer badly."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ldap3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# An ExtendedResponse with the result protocolError, to the message 1.
NO_TLS = bytes.fromhex("300c02010178070a010204000400")


class Directory:
    """Entries that a reader with the right name and password sees; what it was asked is noted."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, where: Any) -> None:
        self.entries: dict[str, Mapping[str, Any]] = {}
        self.searches = 0
        self.options: dict[str, Any] = {}
        self.ca_file = folder / "directory-ca.pem"
        certificate(folder, "directory-ca", "127.0.0.1")
        self.password_file = folder / "password"
        self.password_file.write_text("secret\n")
        self.password_file.chmod(0o600)
        patch.setattr(where, "Connection", self._connection)

    def add(self, dn: str, **attributes: Any) -> None:
        self.entries[dn] = attributes

    def _connection(self, server: Any, **options: Any) -> Any:
        self.options = {"server": server, **options}
        made = ldap3.Connection(server, client_strategy=ldap3.MOCK_SYNC, **options)
        made.strategy.add_entry("cn=reader,dc=x", {"userPassword": "secret", "cn": "reader"})
        for dn, attributes in self.entries.items():
            made.strategy.add_entry(dn, dict(attributes))
        search = made.search

        def counted(*arguments: Any, **given: Any) -> Any:
            self.searches += 1
            return search(*arguments, **given)

        made.search = counted
        return made


def certificate(folder: Path, name: str, address: str) -> None:
    """A certificate that is its own authority, and its key, in `NAME.pem` and `NAME.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket, list[bytes]], None]) -> Iterator[tuple[int, list[bytes]]]:
    """A port of this machine, and what was said to it; each caller is answered by the function."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    caller, _address = server.accept()
                except OSError:
                    return
                with caller, contextlib.suppress(OSError):
                    caller.settimeout(5)
                    answer(caller, heard)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], heard
        # a closed socket alone does not wake whoever waits in accept
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def refusing_tls(caller: socket.socket, heard: list[bytes]) -> None:
    heard.append(caller.recv(4096))
    caller.sendall(NO_TLS)
    while said := caller.recv(4096):
        heard.append(said)


def silent(caller: socket.socket, heard: list[bytes]) -> None:
    while said := caller.recv(4096):
        heard.append(said)


def speaking_tls(folder: Path, name: str) -> Callable[[socket.socket, list[bytes]], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")

    def answer(caller: socket.socket, heard: list[bytes]) -> None:
        with context.wrap_socket(caller, server_side=True) as secret:
            while said := secret.recv(4096):
                heard.append(said)

    return answer
