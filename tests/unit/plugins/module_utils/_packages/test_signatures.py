# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from bocage_core._common.refused import Refused
from bocage_core._packages import signatures
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st
from party_maker import VECTORS, elliptic_key, rsa_key

# A signature whose digest lacks the NULL of its algorithm: one signature, one encoding, so it is refused.
ACCEPTABLE_AND_REFUSED = {"MissingNull"}


def wycheproof(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    document = json.loads((VECTORS / "wycheproof" / f"{name}_test.json").read_text())
    cases = [(group, case) for group in document["testGroups"] for case in group["tests"]]
    assert len(cases) == document["numberOfTests"]
    yield from cases


def passes(check: Any, *arguments: object) -> bool:
    try:
        check(*arguments)
    except Refused as error:
        assert error.code == "bad_signature"
        return False
    return True


@pytest.mark.parametrize(
    ("name", "check"),
    [
        *((f"rsa_signature_{bits}_sha256", signatures.verify_rsa) for bits in (2048, 3072, 4096)),
        ("ecdsa_secp256r1_sha256", signatures.verify_ecdsa),
        ("ed25519", signatures.verify_ed25519),
    ],
)
def test_wycheproof(name: str, check: Any) -> None:
    for group, case in wycheproof(name):
        if name == "ed25519":
            key: object = bytes.fromhex(group["publicKey"]["pk"])
        else:
            key = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        found = passes(check, key, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
        if case["result"] == "acceptable":
            assert set(case["flags"]) == ACCEPTABLE_AND_REFUSED
            assert not found, case
        else:
            assert found == (case["result"] == "valid"), case


def test_what_is_signed_verifies() -> None:
    key = rsa_key("signer")
    signature = signatures.sign_rsa(key, b"manifest")
    signatures.verify_rsa(key.public_key(), signature, b"manifest")
    assert signature == signatures.sign_rsa(key, b"manifest")


@pytest.mark.parametrize(
    ("scheme", "digest"),
    [
        (padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
        (padding.PKCS1v15(), hashes.SHA1()),
        (padding.PKCS1v15(), hashes.SHA512()),
    ],
)
def test_another_scheme_is_refused(scheme: Any, digest: Any) -> None:
    key = rsa_key("signer")
    with pytest.raises(Refused, match=r"^The signature of the manifest does not verify with the key of its signer\.$"):
        signatures.verify_rsa(key.public_key(), key.sign(b"x", scheme, digest), b"x", "the manifest")


def test_a_short_key_is_refused_although_its_signature_is_good() -> None:
    key = rsa_key("short", 1024)
    signature = key.sign(b"x", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(Refused, match="has 1024 bits; 2048 to 16384 are accepted, and 3072 are made here") as refusal:
        signatures.verify_rsa(key.public_key(), signature, b"x")
    assert refusal.value.code == "weak"
    with pytest.raises(Refused, match="1024 bits"):
        signatures.sign_rsa(key, b"x")


def test_keys_of_another_kind_are_refused() -> None:
    with pytest.raises(Refused, match="is not an RSA key, which is what signs packages"):
        signatures.verify_rsa(elliptic_key("one").public_key(), b"", b"")
    with pytest.raises(Refused, match="is not an elliptic key on P-256"):
        signatures.verify_ecdsa(rsa_key("signer").public_key(), b"", b"")
    with pytest.raises(Refused, match="is not an elliptic key on P-256"):
        signatures.verify_ecdsa(elliptic_key("narrow", wide=False).public_key(), b"", b"")


@given(st.binary(min_size=1, max_size=600))
@few
def test_text_of_a_signature_goes_and_comes(signature: bytes) -> None:
    lines = signatures.encode_lines(signature)
    assert max(map(len, lines.splitlines())) <= 76
    assert signatures.decode_text(lines, "it") == signature
    assert signatures.decode_text(lines.replace(b"\n", b"\r\n"), "it") == signature
    assert signatures.decode_text(base64.b64encode(signature), "it") == signature


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"AAB=", b"AA A", b"AA\tA", b"AAA", b"A-_A", b"AAAA====", b"\xff\xff\xff\xff"]
)
def test_another_spelling_is_refused(text: bytes) -> None:
    with pytest.raises(Refused, match=r"^The signature is not a signature in base64\.$"):
        signatures.decode_text(text, "the signature")


def test_a_signature_that_is_too_long_is_not_decoded() -> None:
    with pytest.raises(Refused, match="at most 16384 are read") as refusal:
        signatures.decode_text(b"A" * 16388, "the signature")
    assert refusal.value.code == "oversized"
