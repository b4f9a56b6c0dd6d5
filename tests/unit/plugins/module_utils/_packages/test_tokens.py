# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys on tokens, with SoftHSM as the token."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._packages import authority_certificates, root_ceremony, signing, tokens
from bocage_core._packages import repository_keys as keys
from bocage_core._packages.acceptance import verify_package
from bocage_core._packages.certificates import Trust
from bocage_core._packages.control import Control
from bocage_core._packages.tokens import KeyPlace, Token
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st
from package_maker import FIELDS, make_folder
from party_maker import AT, rsa_key

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "1234-secret"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def token(softhsm: Token, monkeypatch: pytest.MonkeyPatch) -> Token:
    monkeypatch.setenv("PYKCS11LIB", SOFTHSM)
    return softhsm


def test_a_package_is_signed_on_a_token(token: Token, pin: Path) -> None:
    key = tokens.open_rsa(KeyPlace(token, "developer"), pin)
    assert key.key_size == 3072 and PIN not in repr(key)
    signature = key.sign(b"the bytes of a manifest", padding.PKCS1v15(), hashes.SHA256())
    key.public_key().verify(signature, b"the bytes of a manifest", padding.PKCS1v15(), hashes.SHA256())
    assert tokens.open_rsa(KeyPlace(token, number=b"\x01"), pin).public_key() == key.public_key()
    with pytest.raises(BadInput, match=r"signs with PKCS#1 v1\.5 and SHA-256 only"):
        key.sign(b"", padding.PKCS1v15(), hashes.SHA1())
    for take in (key.private_numbers, lambda: key.private_bytes(None, None, None), lambda: key.decrypt(b"", None)):
        with pytest.raises(BadInput, match="The key developer stays on the token estate; it can only sign"):
            take()


def test_a_certificate_is_signed_on_a_token(token: Token, pin: Path) -> None:
    key = tokens.open_rsa(KeyPlace(token, "developer"), pin)
    subject = authority_certificates.subject_of("estate", "")
    made = authority_certificates.authority_certificate(
        subject, key.public_key(), None, key, 2, NOW, NOW + timedelta(days=1)
    )
    made.verify_directly_issued_by(made)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert authority_certificates.public_key(pem, "it") == key.public_key()


def test_a_whole_package_of_a_signer_whose_key_is_on_a_token(token: Token, pin: Path, tmp_path: Path) -> None:
    uri = f"pkcs11:token=estate;object=developer?module-path={SOFTHSM}"
    key = tokens.open_rsa(KeyPlace(token, "developer"), pin)
    root = rsa_key("root of the token")
    made = authority_certificates
    begins, ends = AT - timedelta(days=1), AT + timedelta(days=1)
    above = made.authority_certificate(made.subject_of("estate", ""), root.public_key(), None, root, 2, begins, ends)
    own = made.signer_certificate(made.subject_of("alice", ""), key.public_key(), above, root, True, begins, ends)
    path = tmp_path / "alice.crt"
    path.write_bytes(made.pem([own]))
    signer = tokens.package_signer(uri, path, pin)
    folder = make_folder(tmp_path / "source")
    built = signing.build_package(folder, Control(dict(FIELDS)), tmp_path / "app.wapt", signer, AT)
    accepted = verify_package(built.path, Trust((above,)), AT)
    assert (accepted.signer, accepted.executables) == ("alice", ("setup.py",))
    path.write_bytes(made.pem([above]))
    with pytest.raises(BadInput, match=r"is not the key of the certificate .*alice\.crt"):
        tokens.package_signer(uri, path, pin)


def test_metadata_is_signed_on_a_token(token: Token, pin: Path, tmp_path: Path) -> None:
    signer = tokens.metadata_signer(token, 2, None, pin)
    public = signer.public_key
    assert public.scheme == "ecdsa-sha2-nistp256"
    signature = signer.sign(b"a root")
    public.verify_signature(signature, b"a root")
    path = tmp_path / "root-1.pub"
    path.write_bytes(keys.write_public_key(public))
    assert root_ceremony.read_public(path).keyid == public.keyid
    assert tokens.metadata_signer(token, 2, public, pin).public_key == public


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"label": "another"}, "The token another of .* cannot be used: no such token"),
        ({"module": "/nowhere.so"}, "The token estate of /nowhere.so cannot be used"),
    ],
)
def test_a_token_that_is_not_there(token: Token, pin: Path, change: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        tokens.open_rsa(KeyPlace(replace(token, **change), "developer"), pin)


def test_a_wrong_pin_or_key_is_told_without_the_pin(token: Token, pin: Path) -> None:
    with pytest.raises(BadInput, match="no such key"):
        tokens.open_rsa(KeyPlace(token, "nobody"), pin)
    with pytest.raises(BadInput, match=r"The token estate of .* cannot be used"):
        tokens.metadata_signer(token, 9, None, pin)
    pin.write_text("wrong-pin\n")
    with pytest.raises(BadInput, match="cannot be used: pin incorrect") as refused:
        tokens.open_rsa(KeyPlace(token, "developer"), pin)
    assert "wrong-pin" not in str(refused.value)


def test_pin_files(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        tokens.read_pin(path)
    path.write_bytes(b"\xff\n")
    path.chmod(0o600)
    with pytest.raises(BadInput, match="is not text in UTF-8"):
        tokens.read_pin(path)
    path.chmod(0o644)
    with pytest.raises(BadInput, match="can be read by others; give it the mode 0600"):
        tokens.read_pin(path)


def test_uris(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYKCS11LIB", raising=False)
    found = tokens.parse_uri("pkcs11:token=our%20estate;object=developer?module-path=/lib/x.so")
    assert found == KeyPlace(Token("/lib/x.so", "our estate"), "developer", b"")
    assert tokens.parse_uri("pkcs11:token=a;id=%01%02?module-path=/lib/x.so").number == b"\x01\x02"
    with pytest.raises(BadInput, match="lacks the token, the object or id, or the library"):
        tokens.parse_uri("pkcs11:token=estate;object=developer")
    monkeypatch.setenv("PYKCS11LIB", "/lib/y.so")
    assert tokens.parse_uri("pkcs11:token=estate;object=developer").token.module == "/lib/y.so"


@pytest.mark.parametrize("uri", ["", "file:x", "pkcs11:", "pkcs11:token=a;token=b;object=c", "pkcs11:token=;object=a"])
def test_uris_that_name_nothing(uri: str) -> None:
    with pytest.raises(BadInput, match="names no key on a token; write pkcs11:token=LABEL"):
        tokens.parse_uri(uri)


@given(st.text(max_size=200))
def test_any_text_is_a_uri_or_refused(text: str) -> None:
    for uri in (text, f"pkcs11:{text}", f"pkcs11:token=a;object={text}?module-path=b"):
        try:
            tokens.parse_uri(uri)
        except BadInput as refused:
            assert "\n" not in str(refused)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, pin: Path) -> None:
    def missing(_name: str) -> Any:
        raise ImportError

    monkeypatch.setattr(tokens.importlib, "import_module", missing)
    with pytest.raises(BadInput, match="The Python library python-pkcs11 is missing on this machine"):
        tokens.open_rsa(KeyPlace(Token("x", "y"), "z"), pin)
