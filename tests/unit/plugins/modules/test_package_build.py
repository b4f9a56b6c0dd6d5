# SPDX-License-Identifier: GPL-3.0-or-later
"""The module package_build as Ansible calls it: made once, made again for a reason, never for the clock."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._packages import tokens
from ansible_collections.bocage.fleet.plugins.modules import package_build
from bocage_core._packages.acceptance import verify_package
from bocage_core._packages.certificates import Trust
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from party_maker import AT, CODE, Party

AT_TEXT = "2026-11-21T00:00:00Z"
LATER = "2026-11-22T00:00:00Z"
PASSPHRASE = "three words of bread"
CONTROL = """package           : editor
version           : 2.0-1
architecture      : all
section           : base
priority          : optional
maturity          : PROD
description       : Writes
depends           : fonts
"""


class Workshop:
    """A folder of sources, and two who may sign it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.source, self.output = folder, folder / "editor", folder / "out"
        self.authority = Party.root("estate")
        self.trust = Trust((self.authority.certificate,))
        (self.source / "WAPT").mkdir(parents=True)
        self.output.mkdir()
        (self.source / "WAPT" / "control").write_text(CONTROL)
        (self.source / "setup.py").write_text("def install():\n    pass\n")
        (self.source / "run.sh").write_text("#!/bin/sh\n")
        (folder / "passphrase").write_text(f"{PASSPHRASE}\n")
        self.signer("ann", CODE)
        self.signer("bob", CODE)
        self.signer("clerk", ())

    def signer(self, name: str, extended: Any) -> Party:
        party = self.authority.issue(name, extended=extended)
        encryption = BestAvailableEncryption(PASSPHRASE.encode())
        key = party.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        (self.path / f"{name}.key").write_bytes(key)
        (self.path / f"{name}.crt").write_bytes(party.certificate.public_bytes(Encoding.PEM))
        return party

    def options(self, who: str = "ann", **more: Any) -> dict[str, Any]:
        return {
            "folder": str(self.source),
            "output_directory": str(self.output),
            "key": str(self.path / f"{who}.key"),
            "certificate": str(self.path / f"{who}.crt"),
            "passphrase_file": str(self.path / "passphrase"),
            "at": AT_TEXT,
            **more,
        }


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return Workshop(tmp_path)


def test_four_calls(workshop: Workshop, call_module: Any) -> None:
    predicted = call_module(package_build, check=True, diff=True, **workshop.options())
    assert predicted["changed"] and predicted["reasons"] == ["there is none yet"]
    assert list(workshop.output.iterdir()) == []
    done = call_module(package_build, **workshop.options())
    path = Path(done["file"])
    assert path == workshop.output / "editor_2.0-1_PROD.wapt" and done["diff"] == predicted["diff"]
    assert (done["package"], done["version"], done["section"]) == ("editor", "2.0-1", "base")
    assert (done["files"], done["executables"]) == (["run.sh", "setup.py"], ["setup.py"])
    assert verify_package(path, workshop.trust, AT).signer == "ann"
    raw = path.read_bytes()
    for check in (True, False):
        again = call_module(package_build, check=check, diff=True, **workshop.options(at=LATER))
        assert (again["changed"], again["reasons"]) == (False, []) and again["diff"]["before"] == again["diff"]["after"]
    assert path.read_bytes() == raw
    assert PASSPHRASE not in str([predicted, done, again])


def test_the_same_content_signer_and_time_are_the_same_bytes(workshop: Workshop, call_module: Any) -> None:
    path = Path(call_module(package_build, **workshop.options())["file"])
    raw = path.read_bytes()
    path.unlink()
    for one in workshop.source.rglob("*"):
        os.utime(one, (1, 1))
    call_module(package_build, **workshop.options())
    assert path.read_bytes() == raw


def changed_file(workshop: Workshop) -> None:
    (workshop.source / "setup.py").write_text("def install():\n    print('more')\n")


def added_file(workshop: Workshop) -> None:
    (workshop.source / "data").mkdir()
    (workshop.source / "data" / "a").write_text("a")


def gone_file(workshop: Workshop) -> None:
    (workshop.source / "run.sh").unlink()


def executable(workshop: Workshop) -> None:
    (workshop.source / "run.sh").chmod(0o755)


def described(workshop: Workshop) -> None:
    (workshop.source / "WAPT" / "control").write_text(CONTROL.replace("Writes", "Writes well").replace("fonts", ""))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed_file, "files differ: setup.py"),
        (added_file, "files differ: data/a"),
        (gone_file, "files differ: run.sh"),
        (executable, "files differ: run.sh"),
        (described, "the control file differs in depends, description"),
    ],
)
def test_each_change_is_seen(workshop: Workshop, call_module: Any, change: Any, reason: str) -> None:
    call_module(package_build, **workshop.options())
    change(workshop)
    predicted = call_module(package_build, check=True, diff=True, **workshop.options(at=LATER))
    assert predicted["reasons"] == [reason]
    assert predicted["diff"]["before"] != predicted["diff"]["after"]
    assert call_module(package_build, **workshop.options(at=LATER))["reasons"] == [reason]
    assert not call_module(package_build, **workshop.options(at=LATER))["changed"]


def test_another_signer_signs_anew(workshop: Workshop, call_module: Any) -> None:
    path = Path(call_module(package_build, **workshop.options())["file"])
    done = call_module(package_build, diff=True, **workshop.options("bob"))
    assert done["reasons"] == ["it was signed by others, or is not as it was signed"]
    assert "signer            : ann " in done["diff"]["before"] and "signer            : bob " in done["diff"]["after"]
    assert verify_package(path, workshop.trust, AT).signer == "bob"
    assert not call_module(package_build, **workshop.options("bob"))["changed"]


def rewritten(path: Path, name: str, change: Any) -> None:
    """The same archive with one member altered."""
    with zipfile.ZipFile(path) as archive:
        members = [(one, archive.read(one)) for one in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, data in members:
            archive.writestr(one, change(data) if one.filename == name else data)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("WAPT/signature.sha256", lambda data: (b"B" if data[:1] == b"A" else b"A") + data[1:]),
        ("WAPT/manifest.sha256", lambda data: data.replace(b"run.sh", b"ran.sh")),
        ("WAPT/control", lambda data: re.sub(rb"(signature_date    : )2", rb"\g<1>1", data)),
        ("WAPT/control", lambda data: re.sub(rb"(signature_date    : )....", rb"\g<1>then", data)),
        ("WAPT/certificate.crt", lambda data: data + b"\n"),
        ("setup.py", lambda data: data + b"#"),
    ],
)
def test_what_is_not_as_it_was_signed_is_made_again(
    workshop: Workshop, call_module: Any, name: str, change: Any
) -> None:
    path = Path(call_module(package_build, **workshop.options())["file"])
    rewritten(path, name, change)
    done = call_module(package_build, **workshop.options())
    assert done["changed"] and done["reasons"]
    verify_package(path, workshop.trust, AT)


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"no archive at all"])
def test_what_is_no_package_is_replaced(workshop: Workshop, call_module: Any, raw: bytes) -> None:
    path = workshop.output / "editor_2.0-1_PROD.wapt"
    path.write_bytes(raw)
    done = call_module(package_build, **workshop.options())
    assert done["reasons"][0].startswith("what is there is no good package: ") and done["diff"]["before"] == ""
    verify_package(path, workshop.trust, AT)


def test_other_compression_is_no_change(workshop: Workshop, call_module: Any) -> None:
    """As where another machine's zlib packed it."""
    path = Path(call_module(package_build, **workshop.options())["file"])
    with zipfile.ZipFile(path) as archive:
        members = [(one, archive.read(one)) for one in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in members:
            one.compress_type = zipfile.ZIP_STORED
            archive.writestr(one, data)
    assert not call_module(package_build, **workshop.options())["changed"]


def test_a_key_on_a_token(workshop: Workshop, call_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token itself is tested with SoftHSM where its library is; here a key answers for it."""
    party, asked = workshop.signer("ann", CODE), []

    def open_rsa(place: Any, pin_file: Path) -> object:
        asked.append((place.token.label, place.label, pin_file.name))
        return party.key

    monkeypatch.setattr(tokens, "open_rsa", open_rsa)
    uri = "pkcs11:token=estate;object=developer?module-path=/usr/lib/softhsm/libsofthsm2.so"
    options = workshop.options(pkcs11=uri)
    del options["key"]
    assert call_module(package_build, **options)["changed"]
    assert asked == [("estate", "developer", "passphrase")]
    del options["passphrase_file"]
    assert call_module(package_build, **options)["msg"].startswith("A key on a token needs its PIN; ")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"folder": "/nonexistent"}, "The folder /nonexistent is no package: it has no WAPT/control"),
        ({"output_directory": "/nonexistent"}, "The folder /nonexistent for the package is not there."),
        ({"key": "/nonexistent"}, "The file /nonexistent cannot be read: No such file or directory."),
        ({"passphrase_file": "/nonexistent"}, "/nonexistent cannot be read: No such file or directory."),
        ({"at": "yesterday"}, "The time of the signature"),
        ({"at": "2099-01-01T00:00:00Z"}, "and signs nothing at 2099-01-01; issue a new one."),
        ({"pkcs11": "pkcs11:token=x"}, "parameters are mutually exclusive"),
        ({"key": None}, "one of the following is required: key, pkcs11"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_what_cannot_be(
    workshop: Workshop, call_module: Any, options: dict[str, Any], sentence: str, check: bool
) -> None:
    given = {name: value for name, value in workshop.options(**options).items() if value is not None}
    assert sentence in call_module(package_build, check=check, **given)["msg"]
    assert list(workshop.output.iterdir()) == []


@pytest.mark.parametrize("check", [False, True])
def test_who_may_not_have_programs_executed(workshop: Workshop, call_module: Any, check: bool) -> None:
    failed = call_module(package_build, check=check, **workshop.options("clerk"))
    assert failed["msg"].endswith("the certificate clerk lacks codeSigning; let a developer sign it.")
    (workshop.path / "passphrase").write_text("wrong\n")
    failed = call_module(package_build, check=check, **workshop.options())
    assert failed["msg"].endswith("cannot be read: the passphrase is wrong or it is no PEM.")
    assert list(workshop.output.iterdir()) == []


def test_a_link_is_refused_before_anything_is_written(workshop: Workshop, call_module: Any) -> None:
    (workshop.source / "link").symlink_to("/etc/passwd")
    for check in (True, False):
        assert "is a link or a device" in call_module(package_build, check=check, **workshop.options())["msg"]
