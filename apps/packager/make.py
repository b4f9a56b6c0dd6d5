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
from bocage_core._common.refused import Refused
from bocage_core._packages import certificates, entry_names, signing
from bocage_core._packages.acceptance import verify_package
from bocage_core._packages.container import open_container
from bocage_core._packages.control import MAX_BYTES, Control, parse_control, require
from bocage_core._packages.names import file_name
from bocage_core._packages.trust_store import read_trust
from bocage_core._packages.versions import Version

from .answers import Answer, moment
from .contents import CONTROL, SIGNATURE_FILES
from .pack import pack

_MAX_PASSPHRASE = 4096


def build(options: Namespace) -> Answer:
    folder: Path = options.folder
    control = read_control(folder)
    output = _output(options.output, folder, control)
    names = pack(folder, control, output)
    executables = list(entry_names.executables(names))
    document = {**_document(output, control), "files": names, "executables": executables, "signed": False}
    return Answer(document, [f"{output}: {control}, {len(names)} files, not signed: no host accepts it yet."])


def sign(options: Namespace) -> Answer:
    source: Path = options.source
    at = moment(options.at)
    signer = _signer(options)
    if source.is_dir():
        return _signed(source, source, options, signer, at)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "package"
        with open_container(source) as container:
            if any(name in container.names for name in SIGNATURE_FILES):
                _check_former_signer(source, options.trust, at)
            container.extract(folder, {name: container.digest(name) for name in container.names})
        return _signed(folder, source, options, signer, at)


def read_control(folder: Path) -> Control:
    """The control file of a folder of sources, complete enough for a package. Raises BadInput."""
    what = f"the control file of {folder}"
    try:
        control = parse_control(atomic.read_bounded(folder / CONTROL, MAX_BYTES), what)
        require(control, what)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(f"The folder {folder} is no package: it has no WAPT/control; begin one with init.") from error
    except Refused as refused:
        # nobody's word is judged here: its author has to mend it
        raise BadInput(str(refused)) from refused
    Version.parse(control.version)
    return control


def _signed(folder: Path, source: Path, options: Namespace, signer: signing.Signer, at: datetime) -> Answer:
    control = read_control(folder)
    output = _output(options.output, source, control)
    built = signing.build_package(folder, control, output, signer, at)
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


def _output(folder: Path | None, source: Path, control: Control) -> Path:
    place = source.resolve().parent if folder is None else folder
    if not place.is_dir():
        raise BadInput(f"The folder {place} for the package is not there.")
    return place / file_name(control.fields)


def _document(output: Path, control: Control) -> dict[str, object]:
    return {"file": str(output), "package": control.package, "version": control.version, "section": control.section}


def _signer(options: Namespace) -> signing.KeyFileSigner:
    if options.pkcs11 is None:
        return signing.load_signer(options.key, options.certificate, _passphrase(options))
    from bocage_core._packages import tokens

    if options.passphrase_file is None:
        raise BadInput("A key on a token needs its PIN; give --passphrase-file with a file that holds it.")
    return tokens.package_signer(options.pkcs11, options.certificate, options.passphrase_file)


def _passphrase(options: Namespace) -> bytes | None:
    if options.passphrase_file is not None:
        first, _newline, _rest = atomic.read_bounded(options.passphrase_file, _MAX_PASSPHRASE).partition(b"\n")
        return first.removesuffix(b"\r")
    if sys.stdin.isatty() and b"ENCRYPTED" in atomic.read_bounded(options.key, signing.MAX_KEY_BYTES):
        return getpass.getpass(f"Passphrase of {options.key}: ").encode()
    return None
