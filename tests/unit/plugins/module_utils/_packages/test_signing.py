# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._packages import control as controls
from bocage_core._packages import signing
from bocage_core._packages.acceptance import verify_package
from bocage_core._packages.control import Control
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from package_maker import DEPLOYER, DEVELOPER, FIELDS, FILES, ROOT, contents, make_folder
from party_maker import AT, CODE, DAY, Party, elliptic_key, rsa_key, trust

CONTROL = Control(dict(FIELDS))


def build(folder: Path, output: Path, control: Control = CONTROL, party: Party = DEVELOPER) -> signing.Built:
    return signing.build_package(folder, control, output, party.signer(), AT)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = make_folder(tmp_path / "a"), make_folder(tmp_path / "b", dict(reversed(FILES.items())))
    os.utime(second / "setup.py", (1, 1))
    (second / ".git").mkdir()
    (second / ".git" / "config").write_text("not packed")
    (second / "__pycache__").mkdir()
    (second / "__pycache__" / "setup.cpython-311.pyc").write_text("not packed")
    one, two = build(first, tmp_path / "one.wapt"), build(second, tmp_path / "two.wapt")
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.digests == two.digests == verify_package(one.path, trust(ROOT), AT).digests


def test_what_a_package_holds(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a", {**FILES, "bin/tool": b"#!", "WAPT/icon.png": b"icon"})
    (folder / "bin" / "tool").chmod(0o755)
    # what makes a package is made anew
    for name in ("control", "certificate.crt", "manifest.sha256", "signature.sha256"):
        (folder / "WAPT" / name).write_text("of before")
    built = build(folder, tmp_path / "x.wapt")
    made = {"WAPT/control", "WAPT/certificate.crt", "WAPT/manifest.sha256", "WAPT/signature.sha256"}
    assert set(contents(built.path)) == {*FILES, "bin/tool", "WAPT/icon.png", *made}
    with zipfile.ZipFile(built.path) as archive:
        assert {info.filename for info in archive.infolist() if info.external_attr >> 16 & 0o111} == {"bin/tool"}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    assert all(len(line) <= 76 for line in contents(built.path)["WAPT/signature.sha256"].splitlines())
    read = controls.parse_control(contents(built.path)["WAPT/control"])
    assert read == built.control
    assert read.signed_attributes == tuple(key for key in read.fields if key != "signature")
    assert set(read.signed_attributes) >= controls.MUST_BE_SIGNED
    assert (read.get("signer"), read.get("signature_date")) == ("developer", "2026-11-21T00:00:00.000000")


def test_what_signed_before_and_what_an_index_adds_is_not_kept() -> None:
    old = Control({**FIELDS, "signer": "x", "signed_attributes": "package", "signature": "x", "size": 7, "md5sum": "y"})
    assert signing.sign_control(old, DEVELOPER.signer(), AT) == signing.sign_control(CONTROL, DEVELOPER.signer(), AT)


def test_a_chain_travels_with_the_package(tmp_path: Path) -> None:
    middle = ROOT.issue("middle", rsa_key("middle"), authority=True)
    signer = middle.issue("below", extended=CODE)
    folder = make_folder(tmp_path / "a")
    built = signing.build_package(folder, CONTROL, tmp_path / "x.wapt", signer.signer(middle), AT)
    assert verify_package(built.path, trust(ROOT), AT).signer == "below"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"version": ""}, "version"),
        ({"version": "1.a"}, "version"),
        ({"description": "a\n\nb"}, "would not be read back as it is"),
        ({"description": " a"}, "would not be read back as it is"),
    ],
)
def test_control_files_that_no_host_would_take(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    output = tmp_path / "x.wapt"
    with pytest.raises(BocageError, match=message):
        build(make_folder(tmp_path / "a"), output, Control({**FIELDS, **fields}))
    assert not output.exists()


def test_a_control_file_that_lacks_a_key(tmp_path: Path) -> None:
    lacking = Control({key: value for key, value in FIELDS.items() if key != "section"})
    with pytest.raises(BadInput, match="lacks section"):
        build(make_folder(tmp_path / "a"), tmp_path / "x.wapt", lacking)


def test_code_needs_a_developer(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a")
    with pytest.raises(BadInput) as caught:
        build(folder, tmp_path / "x.wapt", party=DEPLOYER)
    assert str(caught.value) == (
        f"The folder {folder} holds setup.py, which hosts execute, and the certificate deployer lacks codeSigning; let a"
        " developer sign it."
    )
    assert not (tmp_path / "x.wapt").exists()


def test_folders_that_cannot_be_packed(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^The folder .*/gone to make a package of is not there\.$"):
        build(tmp_path / "gone", tmp_path / "x.wapt")
    linked = make_folder(tmp_path / "linked")
    (linked / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(BadInput, match=r"The file .*/passwd is a link or a device, which no package may hold"):
        build(linked, tmp_path / "x.wapt")
    (linked / "passwd").unlink()
    (linked / "folder").symlink_to("/etc")
    with pytest.raises(BadInput, match="is a link or a device"):
        build(linked, tmp_path / "x.wapt")
    with pytest.raises(BadInput, match="cannot be packed: its name holds a colon"):
        build(make_folder(tmp_path / "colon", {"a:b": b""}), tmp_path / "x.wapt")
    with pytest.raises(BadInput, match="in two spellings that some systems take for one; rename one"):
        build(make_folder(tmp_path / "twins", {"a": b"", "A": b""}), tmp_path / "x.wapt")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.parametrize(
    ("party", "message"),
    [
        (ROOT.issue("old", end=AT - DAY), "The certificate old is valid from .* signs nothing at 2026-11-21"),
        (ROOT.issue("young", start=AT + DAY), "signs nothing at 2026-11-21; issue a new one"),
        (ROOT.issue("short", rsa_key("short", 1024)), "has 1024 bits"),
    ],
)
def test_signers_that_no_host_would_take(tmp_path: Path, party: Party, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        build(make_folder(tmp_path / "a", {}), tmp_path / "x.wapt", party=party)


class OddToken:
    """A token that signs with another key than its certificate says."""

    certificates = DEVELOPER.signer().certificates

    def sign(self, message: bytes) -> bytes:
        return signing.signatures.sign_rsa(rsa_key("other"), message)


class DeadToken(OddToken):
    def sign(self, message: bytes) -> bytes:
        raise OSError(5, "Input/output error")


def test_the_old_package_stays_where_a_new_one_cannot_be_made(tmp_path: Path) -> None:
    folder, output = make_folder(tmp_path / "a"), tmp_path / "x.wapt"
    output.write_bytes(b"of before")
    with pytest.raises(BadInput, match=r"No package was made, since hosts would refuse it: .* does not verify"):
        signing.build_package(folder, CONTROL, output, OddToken(), AT)
    with pytest.raises((BocageError, OSError)):
        signing.build_package(folder, CONTROL, output, DeadToken(), AT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "x.wapt"]
    assert output.read_bytes() == b"of before"
    with pytest.raises(BocageError, match=r"cannot be written from .*: No such file or directory\."):
        build(folder, tmp_path / "gone" / "x.wapt")
    with pytest.raises(BadInput, match="without a zone"):
        signing.sign_control(CONTROL, DEVELOPER.signer(), datetime(2026, 11, 21))


def key_files(folder: Path, key: Any, party: Party, passphrase: bytes | None = None) -> tuple[Path, Path]:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    (folder / "x.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    (folder / "x.crt").write_bytes(party.certificate.public_bytes(Encoding.PEM))
    return folder / "x.key", folder / "x.crt"


def test_key_files(tmp_path: Path) -> None:
    key = DEVELOPER.key
    assert isinstance(key, rsa.RSAPrivateKey)
    signer = signing.load_signer(*key_files(tmp_path, key, DEVELOPER))
    assert signer.sign(b"x") == DEVELOPER.signer().sign(b"x")
    assert repr(signer) == "KeyFileSigner('developer')"
    with pytest.raises(BadInput, match=r"^The signing key .*/x\.key is not encrypted, so it takes no passphrase\.$"):
        signing.load_signer(tmp_path / "x.key", tmp_path / "x.crt", b"word")
    files = key_files(tmp_path, key, DEVELOPER, b"word")
    assert signing.load_signer(*files, b"word").certificates == (DEVELOPER.certificate,)
    with pytest.raises(BadInput, match="needs a passphrase"):
        signing.load_signer(*files)
    with pytest.raises(BadInput, match="cannot be read: the passphrase is wrong or it is no PEM"):
        signing.load_signer(*files, b"another")


def test_key_files_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not the key of the certificate"):
        signing.load_signer(*key_files(tmp_path, rsa_key("other"), DEVELOPER))
    with pytest.raises(BadInput, match="is not an RSA key, which is what signs packages"):
        signing.load_signer(*key_files(tmp_path, elliptic_key("one"), DEVELOPER))
    files = key_files(tmp_path, rsa_key("signer"), DEVELOPER)
    files[0].write_bytes(b"SECRET")
    with pytest.raises(BadInput) as caught:
        signing.load_signer(*files)
    assert "SECRET" not in str(caught.value)
    files[1].write_bytes(b"x")
    with pytest.raises(BadInput, match="does not hold certificates in PEM"):
        signing.load_signer(*files)
    with pytest.raises(BadInput, match=r"The file .*/gone cannot be read: No such file or directory\."):
        signing.load_signer(tmp_path / "gone", files[1])
