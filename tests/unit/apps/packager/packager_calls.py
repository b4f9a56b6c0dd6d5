# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the packager share: the shape of its calls, and where the vectors lie."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT = Path(__file__).parents[4]
VECTORS = ROOT / "tests" / "vectors" / "wapt"
Call = Callable[..., tuple[int, dict[str, Any]]]
Say = Callable[..., tuple[int, str, str]]
PASSPHRASE = b"a passphrase"
# When WAPT's own code judged the vectors.
JUDGED = datetime(2026, 11, 21, 12, tzinfo=UTC)
AT = JUDGED.isoformat()


@dataclass(frozen=True)
class Developer:
    """A signer whom a folder of trust pins; `clerk` has the same key without the right to execute."""

    key: Path
    passphrase: Path
    certificate: Path
    clerk: Path
    trust: Path

    def sign(self, call: Call, source: Path, *more: object) -> Path:
        status, answer = call("sign", source, "--key", self.key, "--certificate", self.certificate, *more)
        assert status == 0, answer
        return Path(answer["file"])


def developer(folder: Path) -> Developer:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "trust").mkdir()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
    for name, usage in (("ann", [ExtendedKeyUsageOID.CODE_SIGNING]), ("clerk", [])):
        (folder / f"{name}.crt").write_bytes(_certificate(key, name, usage).public_bytes(serialization.Encoding.PEM))
        (folder / "trust" / f"{name}.crt").write_bytes((folder / f"{name}.crt").read_bytes())
    files = (folder / "key.pem", folder / "passphrase", folder / "ann.crt", folder / "clerk.crt")
    return Developer(*files, folder / "trust")


def _certificate(key: rsa.RSAPrivateKey, name: str, usages: list[x509.ObjectIdentifier]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(tz=UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, JUDGED) - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, encipher_only=False, decipher_only=False, **usage), critical=True
        )
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=True)
    return builder.sign(key, hashes.SHA256())


def store_of(folder: Path, *names: str) -> Path:
    """A folder that trusts these certificates of the vectors."""
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(VECTORS / "certs" / f"{name}.crt", folder)
    return folder


def signed_by(developer: Developer, trust: Path, output: Path) -> tuple[object, ...]:
    signer = ("--key", developer.key, "--certificate", developer.certificate)
    return ("--trust", trust, *signer, "--output", output)


def files_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {one.filename: archive.read(one) for one in archive.infolist() if not one.is_dir()}


class Repository:
    """A folder of theirs with the index that WAPT's agents read, in versions of one package."""

    def __init__(self, folder: Path, call: Call, developer: Developer) -> None:
        self.folder, self.call, self.developer = folder, call, developer
        folder.mkdir()

    def add(self, version: str, **more: str) -> Path:
        source = self.folder.with_name(f"sources-{version}-{'-'.join(more.values())}") / "thing"
        assert self.call("init", source, "--version", version)[0] == 0
        control = source / "WAPT" / "control"
        lines = [line for line in control.read_text().splitlines() if line.split(":")[0].strip() not in more]
        control.write_text("\n".join([*lines, *(f"{key} : {value}" for key, value in more.items())]) + "\n")
        return self.developer.sign(self.call, source, "--output", self.folder)

    def index(self) -> Path:
        assert self.call("index", self.folder)[0] == 0
        return self.folder / "Packages"

    def alter(self, old: bytes, new: bytes) -> None:
        """Of the index what nobody signed, or what somebody did."""
        path = self.folder / "Packages"
        parts = files_of(path)
        assert old in parts["Packages"]
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in parts.items():
                archive.writestr(name, data.replace(old, new) if name == "Packages" else data)


def by_index(repository: Repository, ours: Path, *more: object) -> tuple[object, ...]:
    chosen = ("--index", repository.folder / "Packages", *more)
    return ("import", "thing", *chosen, *signed_by(repository.developer, repository.developer.trust, ours))
