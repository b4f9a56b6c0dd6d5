# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package build` and `bocage-package sign`: from a folder to a file, unsigned or signed."""

from __future__ import annotations

import getpass
import sys
import tempfile
from argparse import Namespace
from datetime import datetime
from pathlib import Path

from bocage_core._common import atomic
from bocage_core._common.errors import BadInput
from bocage_core._packages import certificates, entry_names, signing
from bocage_core._packages.acceptance import verify_package
from bocage_core._packages.building import output_of, read_control, read_passphrase, token_signer
from bocage_core._packages.container import open_container
from bocage_core._packages.control import Control
from bocage_core._packages.trust_store import read_trust

from .answers import Answer, moment
from .contents import SIGNATURE_FILES
from .pack import pack


def build(options: Namespace) -> Answer:
    folder: Path = options.folder
    control = read_control(folder)
    output = output_of(options.output, folder, control)
    names = pack(folder, control, output)
    executables = list(entry_names.executables(names))
    document = {**_document(output, control), "files": names, "executables": executables, "signed": False}
    return Answer(document, [f"{output}: {control}, {len(names)} files, not signed: no host accepts it yet."])


def sign(options: Namespace) -> Answer:
    source: Path = options.source
    at = moment(options.at)
    signer = signer_of(options)
    if source.is_dir():
        return _signed(source, source, options, signer, at)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "package"
        with open_container(source) as container:
            if any(name in container.names for name in SIGNATURE_FILES):
                _check_former_signer(source, options.trust, at)
            container.extract(folder, {name: container.digest(name) for name in container.names})
        return _signed(folder, source, options, signer, at)


def _signed(folder: Path, source: Path, options: Namespace, signer: signing.Signer, at: datetime) -> Answer:
    control = read_control(folder)
    output = output_of(options.output, source, control)
    # of a file that somebody made nothing is left out, as it may be of a folder of sources
    built = signing.build_package(folder, control, output, signer, at, whole=folder != source)
    name = certificates.common_name(signer.certificates[0])
    document = {
        **_document(output, built.control),
        "files": sorted(built.digests),
        "executables": list(entry_names.executables(built.digests)),
        "signed": True,
        "signer": name,
        "signer_fingerprint": certificates.fingerprint_of(signer.certificates[0]),
    }
    return Answer(document, [f"{output}: {built.control}, {len(built.digests)} files, signed by {name}."])


def _check_former_signer(source: Path, trust: Path | None, at: datetime) -> None:
    """What somebody else signed is put under our name only after it was found to be theirs."""
    if trust is None:
        raise BadInput(
            f"{source} is signed already; give --trust with the certificates that it must be good under, or sign the"
            " folder that it was made of."
        )
    verify_package(source, read_trust(trust), at)


def _document(output: Path, control: Control) -> dict[str, object]:
    return {"file": str(output), "package": control.package, "version": control.version, "section": control.section}


def signer_of(options: Namespace) -> signing.KeyFileSigner:
    """Whom --certificate with --key or --pkcs11 names."""
    if options.pkcs11 is None:
        return signing.load_signer(options.key, options.certificate, _passphrase(options))
    return token_signer(options.pkcs11, options.certificate, options.passphrase_file)


def _passphrase(options: Namespace) -> bytes | None:
    if options.passphrase_file is not None:
        return read_passphrase(options.passphrase_file)
    if sys.stdin.isatty() and b"ENCRYPTED" in atomic.read_bounded(options.key, signing.MAX_KEY_BYTES):
        return getpass.getpass(f"Passphrase of {options.key}: ").encode()
    return None
