# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of other estates: over TLS that this machine believes in, and no more than is due."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread

import pytest
from bocage_core._packages import tuf_library as tuf
from bocage_core._packages.fetcher import Fetcher
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from packager_calls import Call, Developer, Repository, signed_by


def test_replicas_over_https_are_judged_by_what_this_machine_believes(
    https: tuple[str, Callable[[], None]], repository: Repository
) -> None:
    """Beside others over http in one update, as an agent and a copy have them."""
    url, believe = https
    (path, *_more) = sorted(one for one in repository.folder.rglob("*") if one.is_file())
    name = path.relative_to(repository.folder).as_posix()
    with Fetcher() as fetcher, pytest.raises(tuf.exceptions.DownloadError, match="certificate verify failed"):
        fetcher.download_bytes(f"{url}/{name}", 1 << 24)
    believe()
    with Fetcher() as fetcher:
        with pytest.raises(tuf.exceptions.DownloadError):
            fetcher.download_bytes("http://127.0.0.1:9/x", 10)
        assert fetcher.download_bytes(f"{url}/{name}", 1 << 24) == path.read_bytes()


@pytest.fixture
def https(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The repository behind TLS, and what makes this machine believe in its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "theirs")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(tz=UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(tz=UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.PrivateFormat.PKCS8
    (tmp_path / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, serialization.NoEncryption()))
    (tmp_path / "tls.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    handler = partial(Quiet, directory=str(repository.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield (
            f"https://127.0.0.1:{server.server_port}",
            lambda: monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.crt")),
        )
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


def test_over_https(
    https: tuple[str, Callable[[], None]], repository: Repository, call: Call, ours: Path, developer: Developer
) -> None:
    url, believe = https
    options = signed_by(developer, developer.trust, ours)
    status, answer = call("import", f"{url}/thing_1.9-1_PROD.wapt", *options)
    assert (status, list(ours.iterdir())) == (3, []), "nobody vouches for this server"
    assert answer["error"].startswith(f"{url}/thing_1.9-1_PROD.wapt cannot be fetched: ")
    believe()
    status, answer = call("import", f"{url}/thing_1.9-1_PROD.wapt", *options)
    assert (status, [one.name for one in ours.iterdir()]) == (0, ["thing_1.9-1_PROD.wapt"])
    status, answer = call("import", "thing", "--index", f"{url}/Packages", *options)
    assert (status, answer["packages"][0]["source"]) == (0, f"{url}/thing_1.10-1_PROD.wapt")
    status, answer = call("import", f"{url}/none.wapt", *options)
    assert (status, answer["error"]) == (3, f"{url}/none.wapt cannot be fetched: the answer was 404.")


def test_what_is_too_much_is_left_behind(
    repository: Repository, call: Call, ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bocage_packager.fetching.MAX_PACKAGE_BYTES", 100)
    path = repository.folder / "thing_1.9-1_PROD.wapt"
    options = signed_by(repository.developer, repository.developer.trust, ours)
    status, answer = call("import", path, *options)
    assert (status, answer["error"]) == (1, f"{path} has more than the 100 bytes that are due.")
    assert list(ours.iterdir()) == []
