# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of sources and the signed package that it becomes; and whether the file that is there is that already.

It is when nothing but the time of its signature could differ: the control file signed anew at that time is the same to
the byte, and so are certificates and manifest, its signature is good, and the same files may be executed. The bytes of
the archive are not compared: they depend on the machine's zlib, and a package that is listed must keep its bytes.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .._common import atomic
from .._common.errors import BadInput
from .._common.refused import Refused
from . import certificates, container, entry_names, manifest, signatures, signing
from . import control as controls
from .control import Control
from .names import file_name
from .versions import Version

with suppress(ImportError):  # said by certificates.require_libraries, before anything here is used
    from cryptography.hazmat.primitives.serialization import Encoding

_MAX_PASSPHRASE = 4096
_OF_SIGNING = frozenset({"signature", "signature_date", "signed_attributes", "signer", "signer_fingerprint"})


@dataclass(frozen=True)
class Content:
    """What a package is, beside the moment of its signature."""

    fields: Mapping[str, str | int]
    files: Mapping[str, str]
    """SHA-256 by name, of all but what a signature makes."""
    executable: frozenset[str]
    """Files that keep the permission to be executed."""
    signer: str

    def lines(self) -> list[str]:
        marks = {name: " (may be executed)" if name in self.executable else "" for name in self.files}
        return [
            *(f"{key:<18}: {value}" for key, value in self.fields.items()),
            f"{'signer':<18}: {self.signer}",
            *(f"{digest}  {name}{marks[name]}" for name, digest in sorted(self.files.items())),
        ]


@dataclass(frozen=True)
class Planned:
    """A package that is to be made, or is there already."""

    folder: Path
    output: Path
    control: Control
    after: Content
    before: Content | None
    reasons: tuple[str, ...]
    """Why it has to be made; none where it is there."""
    whole: bool = False

    @property
    def same_content(self) -> bool:
        """Whether the file that is there differs by its signature at most."""
        before, after = self.before, self.after
        return before is not None and (before.fields, before.files, before.executable) == (
            after.fields,
            after.files,
            after.executable,
        )


def read_control(folder: Path) -> Control:
    """The control file of a folder of sources, complete enough for a package. Raises BadInput."""
    what = f"the control file of {folder}"
    try:
        control = controls.parse_control(atomic.read_bounded(folder / entry_names.CONTROL, controls.MAX_BYTES), what)
        controls.require(control, what)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(
            f"The folder {folder} is no package: it has no {entry_names.CONTROL}; begin one with init."
        ) from error
    except Refused as refused:
        # nobody's word is judged here: its author has to mend it
        raise BadInput(str(refused)) from refused
    Version.parse(control.version)
    return control


def output_of(place: Path | None, source: Path, control: Control) -> Path:
    """The file of a package, in a folder or beside its source. Raises BadInput."""
    folder = source.resolve().parent if place is None else place
    if not folder.is_dir():
        raise BadInput(f"The folder {folder} for the package is not there.")
    return folder / file_name(control.fields)


def read_passphrase(path: Path) -> bytes:
    """The first line of a file, without what ends it. Raises OSError."""
    first, _newline, _rest = atomic.read_bounded(path, _MAX_PASSPHRASE).partition(b"\n")
    return first.removesuffix(b"\r")


def token_signer(uri: str, certificate: Path, pin_file: Path | None) -> signing.KeyFileSigner:
    """Who signs with a key on a token. Raises BadInput."""
    from . import tokens

    return tokens.package_signer(uri, certificate, tokens.needed_pin_file(pin_file))


def plan(folder: Path, place: Path | None, signer: signing.Signer, at: datetime, whole: bool = False) -> Planned:
    """What `build` would make, and why; reads alone. Raises BadInput for what no host would accept.

    `whole` is for a folder that a package was unpacked into: nothing of it is left out.
    """
    certificates.require_libraries()
    control = read_control(folder)
    output = output_of(place, folder, control)
    paths = signing.sources_of(folder, signer.certificates[0], whole)
    files, executable = _of_sources(paths)
    after = Content(_own(control), files, executable, _signer_of(signer))
    if not output.exists():
        _check(signer, control, at)
        return Planned(folder, output, control, after, None, ("there is none yet",), whole)
    try:
        before, reasons = _compare(output, control, signer, after)
    except (Refused, zipfile.BadZipFile) as error:
        before, reasons = None, (f"what is there is no good package: {error}",)
    if reasons:
        _check(signer, control, at)
    return Planned(folder, output, control, after, before, reasons, whole)


def build(planned: Planned, signer: signing.Signer, at: datetime) -> signing.Built:
    return signing.build_package(planned.folder, planned.control, planned.output, signer, at, planned.whole)


def _check(signer: signing.Signer, control: Control, at: datetime) -> None:
    signing.check_signer(signer, at)
    signing.sign_control(control, signer, at)


def _of_sources(paths: Mapping[str, Path]) -> tuple[dict[str, str], frozenset[str]]:
    files, executable = {}, set()
    for name, path in paths.items():
        try:
            with path.open("rb") as stream:
                files[name] = hashlib.file_digest(stream, "sha256").hexdigest()
            if path.stat().st_mode & 0o100:
                executable.add(name)
        except OSError as error:
            raise BadInput(f"The file {path} cannot be read: {error.strerror}.") from error
    return files, frozenset(executable)


def _compare(output: Path, control: Control, signer: signing.Signer, after: Content) -> tuple[Content, tuple[str, ...]]:
    """What is there, and how it differs from what would be made. Raises Refused for what is no package."""
    made = {entry_names.CONTROL, entry_names.CERTIFICATE, *entry_names.UNLISTED}
    with container.open_container(output) as there:
        old = controls.parse_control(there.control_raw, f"the control file of {output}")
        files = {name: there.digest(name) for name in there.names if name not in made}
        chain = b"".join(one.public_bytes(Encoding.PEM) for one in signer.certificates)
        whole = {
            **files,
            entry_names.CERTIFICATE: hashlib.sha256(chain).hexdigest(),
            entry_names.CONTROL: hashlib.sha256(there.control_raw).hexdigest(),
        }
        same_signer = there.certificates_raw == chain and _signed_alike(there, old, control, signer)
        listed = there.manifest_raw == manifest.render_manifest(whole)
    with zipfile.ZipFile(output) as archive:
        executable = frozenset(
            one.filename for one in archive.infolist() if one.filename in files and one.external_attr >> 16 & 0o100
        )
    before = Content(_own(old), files, executable, f"{old.get('signer')} {old.get('signer_fingerprint')}")
    reasons = []
    if fields := sorted(key for key in before.fields.keys() | after.fields.keys() if _differs(before, after, key)):
        reasons.append(f"the control file differs in {', '.join(fields)}")
    if names := _names(before, after):
        reasons.append(f"files differ: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}")
    if not reasons and not (same_signer and listed):
        reasons.append("it was signed by others, or is not as it was signed")
    return before, tuple(reasons)


def _signed_alike(there: container.Container, old: Control, control: Control, signer: signing.Signer) -> bool:
    """Whether this signer, at the same moment, would have made the same control file, and signed the manifest."""
    try:
        moment = datetime.strptime(str(old.get("signature_date")), "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return False
    if controls.render_control(signing.sign_control(control, signer, moment)) != there.control_raw:
        return False
    key, what = signer.certificates[0].public_key(), "the signature of the package"
    signatures.verify_rsa(key, signatures.decode_text(there.signature_raw, what), there.manifest_raw, what)
    return True


def _own(control: Control) -> dict[str, str | int]:
    """What its author wrote; signing adds keys without a value, and takes out those of indexes."""
    left_out = {*_OF_SIGNING, *signing.OF_INDEXES}
    own = {key: value for key, value in control.fields.items() if key not in left_out and value != ""}
    return controls.arranged(own)


def _differs(before: Content, after: Content, key: str) -> bool:
    return before.fields.get(key) != after.fields.get(key)


def _names(before: Content, after: Content) -> list[str]:
    return sorted(
        name
        for name in before.files.keys() | after.files.keys()
        if before.files.get(name) != after.files.get(name) or (name in before.executable) != (name in after.executable)
    )


def _signer_of(signer: signing.Signer) -> str:
    certificate = signer.certificates[0]
    return f"{certificates.common_name(certificate)} {certificates.fingerprint_of(certificate)}"
