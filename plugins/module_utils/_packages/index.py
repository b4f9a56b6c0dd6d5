# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index `Packages` of a repository: a ZIP with the control files of all packages and their signers' certificates.

Format of WAPT, kept for its agents. Each entry stands for itself: it is accepted where a trusted signer signed it.
What an index adds to the control files (`filename`, `size`, `md5sum`) nobody signed, and nobody can see from an index
what it leaves out or whether it is an old one; so our own agent asks the repository's TUF metadata instead.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .._common.errors import BadInput, opening
from .._common.refused import Refused
from . import acceptance, certificates, control, entry_names
from .container import open_container
from .control import Control

if TYPE_CHECKING:
    from cryptography import x509

    from .certificates import Trust

NAME = "Packages"
UNSIGNED = ("filename", "size", "md5sum")
MAX_BYTES = 64 << 20
MAX_CONTROLS_BYTES = 512 << 20
MAX_CERTIFICATES = 256
MAX_ENTRIES = 200_000
_CERTIFICATE_NAME = re.compile(r"ssl/[0-9a-f]{64}\.crt")
_FILE_NAME = re.compile(r"[^/\\\x00-\x20\x7f]+\.wapt")
_MD5 = re.compile(r"[0-9a-f]{32}")
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_READING = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Entry:
    """A package of an index whose control file a trusted signer signed."""

    control: Control
    """Only what was signed, and the signature."""
    signer: str
    signer_fingerprint: str
    unsigned: Mapping[str, str] = field(default_factory=dict)
    """`filename`, `size` and `md5sum` as the index gives them: no more than where one might look for the package."""

    def __str__(self) -> str:
        return str(self.control)


@dataclass(frozen=True, slots=True)
class Discarded:
    """An entry of an index that is not believed, by the name that it gives itself."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Index:
    """What remains of an index once each entry was judged, in its order."""

    accepted: tuple[Entry, ...]
    discarded: tuple[Discarded, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A package to be written into an index, and its file."""

    control: Control
    filename: str
    size: int
    md5sum: str


@dataclass(frozen=True, slots=True)
class Package:
    """What a package says of itself, without a look at its signatures."""

    listed: Listed
    control_raw: bytes
    chain: tuple[x509.Certificate, ...]


def read_package(name: str, path: Path) -> Package:
    """A package by the name that it is served under. Raises Refused or BadInput where it cannot be read."""
    with open_container(path) as container:
        raw = container.control_raw
        found = control.parse_control(raw, f"the control file of {path.name}")
        chain = certificates.load_chain(container.certificates_raw, f"{entry_names.CERTIFICATE} in {path.name}")
    with path.open("rb") as stream:
        # agents of WAPT know files by it; it proves nothing, and nothing here relies on it
        md5 = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        size = stream.tell()
    return Package(Listed(found, name, size, md5), raw, chain)


def read_index(raw: bytes, trust: Trust, at: datetime, what: str = "the index") -> Index:
    """The entries of an index that a signer trusted at the time `at` signed, and the others.

    Raises Refused where it is no index at all.
    """
    controls, carried = _unpack(raw, what)
    signers = _Signers(carried, trust, at, what)
    entries, discarded = parse_entries(controls, f"the list of packages in {what}")
    accepted: list[Entry] = []
    for one in entries:
        try:
            accepted.append(_judged(one, signers))
        except Refused as refusal:
            discarded.append(Discarded(str(one), str(refusal)))
    return Index(tuple(accepted), tuple(discarded))


def parse_entries(raw: bytes, what: str = "the list of packages") -> tuple[list[Control], list[Discarded]]:
    """All stanzas of an index without any look at signatures, and those that cannot be read. Raises Refused."""
    entries: list[Control] = []
    discarded: list[Discarded] = []
    for number, (lines, plain) in enumerate(control.stanzas(raw, what, MAX_CONTROLS_BYTES), start=1):
        if number > MAX_ENTRIES:
            raise Refused("oversized", f"{opening(what)} has over {MAX_ENTRIES} entries.")
        try:
            entries.append(Control(control.parse_stanza(lines, f"entry {number} of {what}", plain)))
        except Refused as refusal:
            discarded.append(Discarded(f"entry {number}", str(refusal)))
    return entries, discarded


def write_index(packages: Iterable[Listed], chains: Iterable[x509.Certificate]) -> bytes:
    """The index of these packages with these certificates of their signers: the same bytes for the same content.

    Raises BadInput.
    """
    stanzas = sorted(stanza_of(package) for package in packages)
    by_name = {f"ssl/{certificates.fingerprint_of(one)}.crt": pem_of(one) for one in chains}
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for name, content in ((NAME, b"\n".join(stanzas)), *sorted(by_name.items())):
            member = zipfile.ZipInfo(name, _EARLIEST)
            member.compress_type, member.create_system, member.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
            archive.writestr(member, content, compresslevel=6)
    return output.getvalue()


def pem_of(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def members_of(raw: bytes) -> tuple[int, dict[str, bytes]]:
    """The checksum of the list of packages, and all other members, of an index that we made. Raises ValueError."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            crc = archive.getinfo(NAME).CRC
            return crc, {name: archive.read(name) for name in archive.namelist() if name != NAME}
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise ValueError("no index") from error


def certificates_in(path: Path) -> list[x509.Certificate]:
    """The certificates of an index alone, not judged. Raises Refused where it is no index, and OSError."""
    start = opening(f"the index {path}")
    found: list[x509.Certificate] = []
    try:
        with zipfile.ZipFile(path) as archive:
            carried = [one for one in archive.infolist() if _CERTIFICATE_NAME.fullmatch(one.filename)]
            for one in carried[:MAX_CERTIFICATES]:
                pem = _content(archive, one, certificates.MAX_CHAIN_BYTES, start)
                found += _certificates(pem, f"the certificate {one.filename[4:20]} of the index {path}")
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, ArithmeticError, EOFError) as error:
        raise Refused("malformed", f"{start} is not a ZIP that can be read: {str(error).rstrip('.')}.") from error
    return found


def stanza_of(package: Listed) -> bytes:
    """The package as an index has it. Raises BadInput."""
    name = str(package.control)
    if package.size < 0 or not _MD5.fullmatch(package.md5sum) or not _FILE_NAME.fullmatch(package.filename):
        raise BadInput(
            f"The package {name} cannot be listed: give the name, the size in bytes and the MD5 of its file."
        )
    own = {key: value for key, value in package.control.fields.items() if key not in UNSIGNED}
    added: dict[str, str | int] = {"filename": package.filename, "size": package.size, "md5sum": package.md5sum}
    return control.render_control(Control({**own, **added}))


def _judged(one: Control, signers: _Signers) -> Entry:
    what = f"the entry {ascii(str(one))[1:-1][:80]}"
    control.require(one, what)
    fingerprint = one.get("signer_fingerprint")
    certificate = signers.trusted(fingerprint, what)
    acceptance.check_control_signature(one, certificate, what, UNSIGNED)
    listed = frozenset(one.signed_attributes)
    signed = {key: value for key, value in one.fields.items() if key in listed or key == "signature"}
    unsigned = {key: one.get(key) for key in UNSIGNED if key in one.fields and key not in listed}
    return Entry(Control(signed), certificates.common_name(certificate), fingerprint, unsigned)


class _Signers:
    """Certificates by their fingerprints, which are computed and not read; each signer is judged once."""

    def __init__(self, carried: Iterable[x509.Certificate], trust: Trust, at: datetime, what: str) -> None:
        self._known = {certificates.fingerprint_of(one): one for one in (*trust.certificates, *carried)}
        self._steps = [one for one in self._known.values() if certificates.is_authority(one)]
        self._trust, self._at, self._what = trust, at, what
        self._verdicts: dict[str, x509.Certificate | Refused] = {}

    def trusted(self, fingerprint: str, what: str) -> x509.Certificate:
        verdict = self._verdicts.get(fingerprint)
        if verdict is None:
            if fingerprint not in self._known:
                shown = ascii(fingerprint)[1:-1][:64] or "without a fingerprint"
                raise Refused("untrusted_signer", f"The certificate {shown} of {what} is not in {self._what}.")
            verdict = self._verdicts[fingerprint] = self._judge(self._known[fingerprint])
        if isinstance(verdict, Refused):
            raise verdict
        return verdict

    def _judge(self, signer: x509.Certificate) -> x509.Certificate | Refused:
        try:
            certificates.verify_chain([signer, *self._steps], self._trust, self._at, f"entries of {self._what}")
        except Refused as refusal:
            return refusal
        return signer


def _unpack(raw: bytes, what: str) -> tuple[bytes, list[x509.Certificate]]:
    """The stanzas and the certificates of an index; other members, which newer producers may add, are not read."""
    start = opening(what)
    if len(raw) > MAX_BYTES:
        raise Refused("oversized", f"{start} has {len(raw)} bytes and at most {MAX_BYTES} are accepted.")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
            lists = [one for one in members if one.filename == NAME]
            carried = [one for one in members if _CERTIFICATE_NAME.fullmatch(one.filename)]
            if len(lists) != 1:
                raise Refused("malformed", f"{start} has {len(lists)} members named {NAME}; it must have one.")
            if any(one.compress_type not in _METHODS for one in (*lists, *carried)):
                raise Refused("malformed", f"{start} is packed in a way that is not read; use deflate.")
            if len(carried) > MAX_CERTIFICATES:
                raise Refused("oversized", f"{start} has over {MAX_CERTIFICATES} certificates.")
            controls = _content(archive, lists[0], MAX_CONTROLS_BYTES, start)
            found: list[x509.Certificate] = []
            for one in carried:
                pem = _content(archive, one, certificates.MAX_CHAIN_BYTES, start)
                found += _certificates(pem, f"the certificate {one.filename[4:20]} of {what}")
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, ArithmeticError, EOFError, OSError) as error:
        raise Refused("malformed", f"{start} is not a ZIP that can be read: {str(error).rstrip('.')}.") from error
    return controls, found


def _certificates(pem: bytes, what: str) -> tuple[x509.Certificate, ...]:
    """What cannot be read is left out: only the entries that need it are lost."""
    try:
        return certificates.load_chain(pem, what)
    except Refused:
        return ()


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, maximum: int, start: str) -> bytes:
    """One member, read by pieces, as what its header says of its size may be a lie."""
    pieces: list[bytes] = []
    total = 0
    with archive.open(member) as stream:
        while piece := stream.read(_READING):
            total += len(piece)
            if total > maximum:
                raise Refused("oversized", f"{start} has a member of over {maximum} bytes.")
            pieces.append(piece)
    return b"".join(pieces)
