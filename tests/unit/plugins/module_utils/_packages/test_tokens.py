# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys on tokens, with SoftHSM as the token."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
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
needs_softhsm = pytest.mark.skipif(
    not (shutil.which("softhsm2-util") and Path(SOFTHSM).exists() and importlib.util.find_spec("pkcs11")),
    reason="softhsm2 and python-pkcs11 are not both installed",
)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    """A token with an RSA-3072 key and a P-256 key. The library reads its configuration once for a process."""
    import pkcs11
    import pkcs11.util.ec

    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        patch.setenv("PYKCS11LIB", SOFTHSM)
        command = ["softhsm2-util", "--init-token", "--free", "--label", "estate", "--so-pin", PIN, "--pin", PIN]
        subprocess.run(command, check=True, capture_output=True)
        with pkcs11.lib(SOFTHSM).get_token(token_label="estate").open(rw=True, user_pin=PIN) as session:
            session.generate_keypair(pkcs11.KeyType.RSA, 3072, store=True, label="developer", id=b"\x01")
            curve = pkcs11.util.ec.encode_named_curve_parameters("secp256r1")
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True
            )
            parameters.generate_keypair(store=True, label="root", id=b"\x02")
        yield Token(SOFTHSM, "estate")


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    path = tmp_path / "pin"
    path.write_text(f"{PIN}\n")
    path.chmod(0o600)
    return path


@needs_softhsm
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


@needs_softhsm
def test_a_certificate_is_signed_on_a_token(token: Token, pin: Path) -> None:
    key = tokens.open_rsa(KeyPlace(token, "developer"), pin)
    subject = authority_certificates.subject_of("estate", "")
    made = authority_certificates.authority_certificate(
        subject, key.public_key(), None, key, 2, NOW, NOW + timedelta(days=1)
    )
    made.verify_directly_issued_by(made)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert authority_certificates.public_key(pem, "it") == key.public_key()


@needs_softhsm
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


@needs_softhsm
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


@needs_softhsm
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


@needs_softhsm
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
