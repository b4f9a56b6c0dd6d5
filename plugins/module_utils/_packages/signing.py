# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder becomes a signed package: the same bytes from the same content, signer and time, whole or not at all.

Files keep whether they may be executed and nothing else: neither dates nor owners nor the order of a folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from .._common import atomic
from .._common.errors import BadInput, BocageError
from .._common.refused import Refused
from . import certificates, container, entry_names, manifest, signatures
from . import control as controls
from .control import Control
from .versions import Version

with suppress(ImportError):  # said by certificates.require_libraries, before anything here is used
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

MAX_KEY_BYTES = 64 * 1024
# What tools leave in a folder of sources and no host needs.
LEFT_OUT = frozenset({".git", ".hg", ".svn", ".gitignore", "__pycache__", ".DS_Store", "Thumbs.db"})
_MADE_HERE = frozenset({entry_names.CONTROL, entry_names.CERTIFICATE, *entry_names.UNLISTED})
OF_INDEXES = ("filename", "size", "md5sum")
# The first moment that a ZIP can say, in the place of one that would differ with each build.
_NO_DATE = (1980, 1, 1, 0, 0, 0)
_LARGE_BYTES = 1024**3


class Signer(Protocol):
    """Who signs packages: a key file, or a token that never gives its key away."""

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The signer's own, then the authorities on its way, without the root."""

    def sign(self, message: bytes) -> bytes:
        """RSA PKCS#1 v1.5 with SHA-256 over `message`, with the key of the first certificate."""


@dataclass(frozen=True)
class KeyFileSigner:
    """A signer whose RSA key lies in a file; made by `load_signer`."""

    certificates: tuple[x509.Certificate, ...]
    private_key: rsa.RSAPrivateKey

    def sign(self, message: bytes) -> bytes:
        return signatures.sign_rsa(self.private_key, message)

    def __repr__(self) -> str:
        return f"KeyFileSigner({certificates.common_name(self.certificates[0])!r})"


@dataclass(frozen=True)
class Built:
    path: Path
    control: Control
    """As it was signed."""
    digests: Mapping[str, str]
    """Hexadecimal SHA-256 by name, of every file that the manifest lists."""


def load_signer(key_path: Path, certificate_path: Path, passphrase: bytes | None = None) -> KeyFileSigner:
    """The key (PEM, PKCS#8 or older) with its chain (PEM, signer first). Raises BadInput; never quotes the key."""
    certificates.require_libraries()
    key_text = _read(key_path, MAX_KEY_BYTES)
    try:
        chain = certificates.load_chain(_read(certificate_path, certificates.MAX_CHAIN_BYTES), f"{certificate_path}")
    except Refused as error:
        raise BadInput(str(error)) from error
    try:
        key = load_pem_private_key(key_text, passphrase)
    except TypeError:
        needs = "needs a passphrase" if passphrase is None else "is not encrypted, so it takes no passphrase"
        raise BadInput(f"The signing key {key_path} {needs}.") from None
    except (ValueError, UnsupportedAlgorithm):
        # The text of the error could quote the key's bytes, so it is not repeated.
        raise BadInput(f"The signing key {key_path} cannot be read: the passphrase is wrong or it is no PEM.") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadInput(f"The signing key {key_path} is not an RSA key, which is what signs packages.")
    if key.public_key() != chain[0].public_key():
        raise BadInput(f"The signing key {key_path} is not the key of the certificate {certificate_path}.")
    return KeyFileSigner(chain, key)


def build_package(
    folder: Path, control: Control, output: Path, signer: Signer, at: datetime, whole: bool = False
) -> Built:
    """Pack `folder` with `control` into `output` and sign it at the time `at`.

    `whole` packs what tools leave in a folder of sources, too. What signs (`signer` to `signed_attributes`) is set here,
    whatever `control` says; so are the four files that make a package. Raises BadInput for what no host would accept,
    before `output` is touched.
    """
    certificates.require_libraries()
    certificate = check_signer(signer, at)
    signed = sign_control(control, signer, at)
    files = sources_of(folder, certificate, whole)
    digests: dict[str, str] = {}
    temporary = output.with_name(f".{output.name}.{os.urandom(8).hex()}")
    try:
        try:
            with temporary.open("xb") as stream:
                _write(stream, files, signed, signer, digests)
                stream.flush()
                os.fsync(stream.fileno())
            _check_written(temporary, certificate)
            temporary.replace(output)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        atomic.sync_directory(output.parent)
    except OSError as error:
        raise BocageError(f"The package {output} cannot be written from {folder}: {error.strerror}.") from error
    return Built(output, signed, digests)


def sign_control(control: Control, signer: Signer, at: datetime) -> Control:
    """A control file with all its keys signed. Raises BadInput where it says too little or a version of no use."""
    if at.tzinfo is None:
        raise BadInput("A time without a zone cannot be signed; give an aware datetime.")
    what = "the control file"
    certificate = signer.certificates[0]
    values: dict[str, str | int] = {
        key: value for key, value in control.fields.items() if key not in (*controls.SIGNING, *OF_INDEXES)
    }
    for key in sorted(controls.MUST_BE_SIGNED - {*controls.SIGNING, *controls.REQUIRED}):
        values.setdefault(key, "")
    values["signer"] = certificates.common_name(certificate)
    values["signer_fingerprint"] = certificates.fingerprint_of(certificate)
    values["signature_date"] = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    values["signed_attributes"] = ""
    values["signature"] = ""
    values = controls.arranged(values)
    values["signed_attributes"] = ",".join(key for key in values if key != "signature")
    try:
        controls.require(Control(values), what)
        Version.parse(str(values["version"]))
        payload = controls.signed_payload(Control(values), what)
    except Refused as error:
        raise BadInput(str(error)) from error
    values["signature"] = _one_line(signer.sign(payload))
    result = Control(values)
    # What would be read back differently would not verify; this says so in a sentence.
    controls.render_control(result)
    return result


def check_signer(signer: Signer, at: datetime) -> x509.Certificate:
    """The certificate of a signer who may sign at that time. Raises BadInput."""
    certificate = signer.certificates[0]
    name = certificates.common_name(certificate)
    try:
        signatures.check_rsa_key(certificate.public_key(), f"the certificate {name}")
    except Refused as error:
        raise BadInput(str(error)) from error
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise BadInput(
            f"The certificate {name} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} to"
            f" {certificate.not_valid_after_utc:%Y-%m-%d} and signs nothing at {at:%Y-%m-%d}; issue a new one."
        )
    return certificate


def sources_of(folder: Path, certificate: x509.Certificate, whole: bool = False) -> dict[str, Path]:
    """The files of a folder by their names in its package. Raises BadInput for what no host would take from the signer."""
    try:
        files = dict(files_of(folder, whole))
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be read: {error.filename}: {error.strerror}.") from error
    if twice := entry_names.collision(files):
        raise BadInput(
            f"The folder {folder} holds {twice!r} in two spellings that some systems take for one; rename one."
        )
    if (found := entry_names.executables(files)) and not certificates.has_code_signing(certificate):
        raise BadInput(
            f"The folder {folder} holds {found[0]}, which hosts execute, and the certificate"
            f" {certificates.common_name(certificate)} lacks codeSigning; let a developer sign it."
        )
    return files


def files_of(folder: Path, whole: bool = False) -> Iterator[tuple[str, Path]]:
    """Name in the package and path of each file, in the order of the names; `whole` leaves none out."""
    if not folder.is_dir():
        raise BadInput(f"The folder {folder} to make a package of is not there.")
    found: dict[str, Path] = {}
    for place, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if whole or name not in LEFT_OUT]
        for name in (*folders, *files):
            path = Path(place, name)
            relative = path.relative_to(folder).as_posix()
            kind = path.lstat().st_mode
            if relative in _MADE_HERE or (not whole and (name in LEFT_OUT or name.endswith(".pyc"))):
                continue
            if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                raise BadInput(
                    f"The file {path} is a link or a device, which no package may hold; put its contents there."
                )
            if reason := entry_names.problem(relative):
                raise BadInput(f"The file {str(path)!a} cannot be packed: its name {reason}; rename it.")
            if stat.S_ISREG(kind):
                found[relative] = path
    yield from sorted(found.items())


def _raise(error: OSError) -> None:
    raise error


def _write(
    stream: BinaryIO, files: Mapping[str, Path], control: Control, signer: Signer, digests: dict[str, str]
) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            with path.open("rb") as source:
                digests[name] = pack_file(archive, name, source)
        chain = b"".join(one.public_bytes(Encoding.PEM) for one in signer.certificates)
        for name, data in ((entry_names.CERTIFICATE, chain), (entry_names.CONTROL, controls.render_control(control))):
            digests[name] = hashlib.sha256(data).hexdigest()
            archive.writestr(entry(name, 0o644), data)
        listed = manifest.render_manifest(digests)
        archive.writestr(entry(entry_names.MANIFEST, 0o644), listed)
        signature = signatures.encode_lines(signer.sign(listed))
        archive.writestr(entry(entry_names.SIGNATURE, 0o644), signature)


def pack_file(archive: zipfile.ZipFile, name: str, source: BinaryIO) -> str:
    """Pack one file, read once; its digest."""
    status = os.fstat(source.fileno())
    total = hashlib.sha256()
    large = status.st_size >= _LARGE_BYTES
    with archive.open(entry(name, 0o755 if status.st_mode & 0o100 else 0o644), "w", force_zip64=large) as packed:
        while chunk := source.read(container.CHUNK_BYTES):
            total.update(chunk)
            packed.write(chunk)
    return total.hexdigest()


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    """The head of a member that is the same whenever and by whomever it is packed."""
    made = zipfile.ZipInfo(name, _NO_DATE)
    made.compress_type = zipfile.ZIP_DEFLATED
    made.create_system = 3
    made.external_attr = (stat.S_IFREG | mode) << 16
    return made


def _check_written(path: Path, certificate: x509.Certificate) -> None:
    """A package that our own rule refuses, or a token that signed something else, is found before anybody gets it."""
    try:
        with container.open_container(path) as written:
            signature = signatures.decode_text(written.signature_raw, "the new signature")
            signatures.verify_rsa(certificate.public_key(), signature, written.manifest_raw, "the new package")
            control = controls.parse_control(written.control_raw)
            payload = controls.signed_payload(control)
            signature = signatures.decode_text(control.get("signature").encode("ascii"), "the new signature")
            signatures.verify_rsa(certificate.public_key(), signature, payload, "the new control file")
    except Refused as error:
        raise BadInput(f"No package was made, since hosts would refuse it: {error}") from error


def _one_line(signature: bytes) -> str:
    return signatures.encode_lines(signature).replace(b"\n", b"").decode("ascii")


def _read(path: Path, maximum: int) -> bytes:
    try:
        return atomic.read_bounded(path, maximum)
    except OSError as error:
        raise BadInput(f"The file {path} cannot be read: {error.strerror}.") from error
