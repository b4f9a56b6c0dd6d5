# SPDX-License-Identifier: GPL-3.0-or-later
"""What a package holds, for eyes: from a .wapt file or from a folder that is to become one. Nothing is judged here."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bocage_core._common import atomic
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._packages.control import MAX_BYTES, Control, parse_control

CONTROL = "WAPT/control"
CERTIFICATE = "WAPT/certificate.crt"
SETUP = "setup.py"
# What a signature makes, beside the control's own part of it.
SIGNATURE_FILES = ("WAPT/manifest.sha256", "WAPT/signature.sha256", CERTIFICATE)
_MAX_SETUP = 1024 * 1024


@dataclass(frozen=True)
class Contents:
    path: Path
    control: Control
    files: Mapping[str, str]
    """SHA-256 by path, without what a signature makes."""
    certificates: bytes
    """PEM, the signer's first; empty where it is not signed."""
    setup: str
    """The text of setup.py; empty where there is none."""


def read(path: Path) -> Contents:
    """Raises BadInput for what is no package, Refused for an archive that is not clean, OSError."""
    return _of_folder(path) if path.is_dir() else _of_file(path)


def signer_of(contents: Contents) -> dict[str, Any] | None:
    """What the first certificate says of itself; nobody vouches for it here."""
    if not contents.certificates:
        return None
    from bocage_core._packages import certificates

    what = f"the certificate in {contents.path.name}"
    signer = certificates.load_chain(contents.certificates, what)
    if not signer:
        return None
    return {
        "name": certificates.common_name(signer[0]),
        "fingerprint": certificates.fingerprint_of(signer[0]),
        "not_before": signer[0].not_valid_before_utc.isoformat(),
        "not_after": signer[0].not_valid_after_utc.isoformat(),
        "code_signing": certificates.has_code_signing(signer[0]),
    }


def _of_folder(path: Path) -> Contents:
    try:
        raw = atomic.read_bounded(path / CONTROL, MAX_BYTES)
    except FileNotFoundError as error:
        raise BadInput(f"The folder {path} is no package: it has no WAPT/control; begin one with init.") from error
    files = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and not file.is_symlink() and name not in SIGNATURE_FILES:
            with file.open("rb") as stream:
                files[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    setup = path / SETUP
    text = atomic.read_bounded(setup, _MAX_SETUP).decode("utf-8", "replace") if setup.is_file() else ""
    return Contents(path, parse_control(raw, f"the control file of {path}"), files, b"", text)


def _of_file(path: Path) -> Contents:
    from bocage_core._packages.container import open_container

    with open_container(path) as container:
        control = parse_control(container.control_raw, f"the control file of {path.name}")
        files = {name: container.digest(name) for name in sorted(container.names) if name not in SIGNATURE_FILES}
        certificates = container.certificates_raw if CERTIFICATE in container.names else b""
        setup = _setup(path) if SETUP in container.names else ""
    return Contents(path, control, files, certificates, setup)


def _setup(path: Path) -> str:
    """Of an archive that was found clean before."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(SETUP) as stream:
            raw = stream.read(_MAX_SETUP + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, KeyError) as error:
        raise BocageError(f"setup.py in {path} cannot be read: {error}.") from error
    return raw[:_MAX_SETUP].decode("utf-8", "replace")
