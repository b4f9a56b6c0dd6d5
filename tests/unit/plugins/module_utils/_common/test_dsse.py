# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bocage_core._common import dsse
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

TYPE = "application/vnd.bocage.test+json"
PRIVATE = dsse.generate_private_key()
PUBLIC = dsse.public_key_of(PRIVATE)
VECTORS = Path(__file__).parents[4] / "vectors" / "wycheproof" / "ed25519_test.json"


def wycheproof_cases() -> list[tuple[str, bytes, bytes, bytes, bool]]:
    document = json.loads(VECTORS.read_text())
    cases = [
        (
            f"{test['tcId']}-{test['comment'] or 'plain'}",
            bytes.fromhex(group["publicKey"]["pk"]),
            bytes.fromhex(test["sig"]),
            bytes.fromhex(test["msg"]),
            test["result"] == "valid",
        )
        for group in document["testGroups"]
        for test in group["tests"]
    ]
    assert len(cases) == document["numberOfTests"] == 151
    return cases


@pytest.mark.parametrize(
    ("public", "signature", "message", "valid"), [pytest.param(*c[1:], id=c[0]) for c in wycheproof_cases()]
)
def test_wycheproof_ed25519(public: bytes, signature: bytes, message: bytes, valid: bool) -> None:
    if valid:
        dsse.verify_signature(public, signature, message)
        return
    with pytest.raises(Refused) as refusal:
        dsse.verify_signature(public, signature, message)
    assert refusal.value.code == "bad_signature"


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dsse, "MISSING_LIBRARY", "cryptography")
    for call in (dsse.generate_private_key, lambda: dsse.public_key_from_pem(b""), lambda: dsse.verify({}, "", b"")):
        with pytest.raises(BadInput, match="The Python library cryptography is missing on this machine; install"):
            call()


def test_round_trip_gives_the_signed_bytes() -> None:
    assert dsse.verify(dsse.sign(b"\x00payload", TYPE, PRIVATE), TYPE, PUBLIC) == b"\x00payload"


def test_the_library_whose_format_it_is_agrees() -> None:
    envelope = Envelope.from_dict(dsse.sign(b"payload", TYPE, PRIVATE))
    key = SSlibKey("", "ed25519", "ed25519", {"public": PUBLIC.hex()})
    key.keyid = dsse.key_id(PUBLIC)
    assert list(envelope.verify([key], 1)) == [dsse.key_id(PUBLIC)]


@given(st.binary(max_size=100), st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_what_the_library_writes_is_read_as_it_reads_it(payload: bytes, kind: str) -> None:
    envelope = dsse.sign(payload, kind, PRIVATE)
    theirs = Envelope.from_dict(copy.deepcopy(envelope))
    ours = dsse._parse(envelope, "it")
    assert (ours.payload, ours.payload_type, ours.pae()) == (theirs.payload, theirs.payload_type, theirs.pae())
    assert {name: one.hex() for name, one in ours.signatures.items()} == {
        name: one.signature for name, one in theirs.signatures.items()
    }


def test_base64_for_urls_is_read_too() -> None:
    envelope = dsse.sign(b"\xfb\xef\xff" * 5, TYPE, PRIVATE)
    for one in (envelope, envelope["signatures"][0]):
        name = "payload" if one is envelope else "sig"
        one[name] = one[name].replace("+", "-").replace("/", "_")
    assert dsse.verify(envelope, TYPE, PUBLIC) == b"\xfb\xef\xff" * 5


def test_keys_in_other_spellings_are_the_same_keys() -> None:
    public = dsse.public_key_to_pem(PUBLIC)
    head, body, foot = public.splitlines()
    for pem in (public, public.rstrip(), b"\r\n".join([head, body[:20], body[20:], foot])):
        assert dsse.public_key_from_pem(pem) == PUBLIC
    assert dsse.public_key_of(PRIVATE.replace(b"\n", b"\r\n")) == PUBLIC
    assert dsse.public_key_of(b"a comment\n" + PRIVATE) == PUBLIC
    with pytest.raises(BadInput):
        dsse.public_key_from_pem(PRIVATE)
    with pytest.raises(BadInput):
        dsse.public_key_of(public)
    with pytest.raises(BadInput):
        dsse.public_key_from_pem(b"\n".join([head, body[:-4], foot]))


def test_the_secret_half_is_given_where_it_is_asked_for() -> None:
    key = Ed25519PrivateKey.from_private_bytes(dsse.private_key_bytes(PRIVATE))
    assert key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) == PUBLIC


def test_reading_loads_no_more_than_it_needs() -> None:
    program = (
        "import sys; from bocage_core._common import dsse;"
        f" key = dsse.public_key_from_pem({dsse.public_key_to_pem(PUBLIC)!r});"
        f" dsse.verify({dsse.sign(b'x', TYPE, PRIVATE)!r}, {TYPE!r}, key); dsse.public_key_of({PRIVATE!r});"
        " print({'securesystemslib', 'cryptography.hazmat.primitives.serialization'} & sys.modules.keys())"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[5] / "build" / "src")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_verification_leaves_the_envelope_as_it_was() -> None:
    envelope = dsse.sign(b"payload", TYPE, PRIVATE)
    before = copy.deepcopy(envelope)
    dsse.verify(envelope, TYPE, PUBLIC)
    assert envelope == before


def test_attack_changed_payload_is_a_bad_signature() -> None:
    envelope = dsse.sign(b"payload", TYPE, PRIVATE)
    envelope["payload"] = base64.b64encode(b"Payload").decode()
    with pytest.raises(Refused, match="does not verify with the key") as refusal:
        dsse.verify(envelope, TYPE, PUBLIC, "the report of gw1")
    assert refusal.value.code == "bad_signature"
    assert "the report of gw1" in str(refusal.value)


def test_attack_payload_type_confusion_is_refused_both_ways() -> None:
    envelope = dsse.sign(b"payload", TYPE, PRIVATE)
    with pytest.raises(Refused) as refusal:
        dsse.verify(envelope, "application/vnd.bocage.other+json", PUBLIC)
    assert refusal.value.code == "wrong_type"
    # Relabelled to the wanted type, the signature no longer covers it.
    envelope["payloadType"] = "application/vnd.bocage.other+json"
    with pytest.raises(Refused) as refusal:
        dsse.verify(envelope, "application/vnd.bocage.other+json", PUBLIC)
    assert refusal.value.code == "bad_signature"


def test_attack_claimed_key_name_without_the_key() -> None:
    """The key id in an envelope is a hint; naming another's key gives nothing."""
    envelope = dsse.sign(b"payload", TYPE, dsse.generate_private_key())
    envelope["signatures"][0]["keyid"] = dsse.key_id(PUBLIC)
    with pytest.raises(Refused) as refusal:
        dsse.verify(envelope, TYPE, PUBLIC)
    assert refusal.value.code == "bad_signature"


def test_another_key_is_not_expected() -> None:
    with pytest.raises(Refused, match="not signed by the expected key"):
        dsse.verify(dsse.sign(b"payload", TYPE, dsse.generate_private_key()), TYPE, PUBLIC)


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"payload": 1},
        {"payload": "*"},
        {"payload": "\ud800"},
        {"payloadType": None},
        {"signatures": []},
        {"signatures": {}},
        {"signatures": [1]},
        {"signatures": [{"keyid": "a", "sig": 1}]},
        {"signatures": [{"keyid": [], "sig": ""}]},
        {"signatures": [{"keyid": "a", "sig": "", "extra": 1}]},
        {"signatures": [{"keyid": "a", "sig": ""}, {"keyid": "a", "sig": ""}]},
        {"signatures": [{"keyid": str(n), "sig": ""} for n in range(5)]},
    ],
)
def test_shapes_that_are_not_an_envelope(change: dict[str, object]) -> None:
    with pytest.raises(Refused) as refusal:
        dsse.verify({**dsse.sign(b"payload", TYPE, PRIVATE), **change}, TYPE, PUBLIC)
    assert refusal.value.code == "malformed"


def test_oversized_bytes_are_refused_before_they_are_parsed() -> None:
    with pytest.raises(Refused, match="has 101 bytes; at most 100") as refusal:
        dsse.load(b"\xff" * 101, "the report", 100)
    assert refusal.value.code == "oversized"


def test_keys_that_are_not_ours_are_named_without_quoting_them() -> None:
    rsa = generate_rsa(65537, 2048)
    with pytest.raises(BadInput, match="not an Ed25519 key"):
        dsse.sign(b"", TYPE, rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(BadInput, match="openssl genpkey -algorithm ed25519"):
        dsse.public_key_from_pem(rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(BadInput) as error:
        dsse.sign(b"", TYPE, b"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n")
    assert "secret" not in str(error.value)


def test_public_key_pem_round_trip() -> None:
    assert dsse.public_key_from_pem(dsse.public_key_to_pem(PUBLIC)) == PUBLIC


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_fuzz_bytes_are_refused_or_an_object(raw: bytes) -> None:
    try:
        dsse.verify(dsse.load(raw), TYPE, PUBLIC)
    except Refused as refusal:
        assert str(refusal).endswith(".")
    else:
        raise AssertionError("unsigned bytes were believed")


@given(st.dictionaries(st.sampled_from(["payload", "payloadType", "signatures", "x"]), json_values))
def test_fuzz_envelopes_of_any_shape(envelope: dict[str, object]) -> None:
    with pytest.raises(Refused):
        dsse.verify(envelope, TYPE, PUBLIC)


@settings(max_examples=200)
@given(st.data())
def test_fuzz_no_single_changed_byte_is_believed_as_something_else(data: st.DataObject) -> None:
    raw = bytearray(json.dumps(dsse.sign(b'{"a":1}', TYPE, PRIVATE)).encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        payload = dsse.verify(dsse.load(bytes(raw)), TYPE, PUBLIC)
    except Refused:
        return
    assert payload == b'{"a":1}'


def test_verification_costs_little_more_than_the_signature_itself() -> None:
    """50,000 verifications have to fit in about 8 seconds, so the wrapper may not cost as much as the mathematics."""
    envelopes = [dsse.sign(b"x" * 1500, TYPE, PRIVATE) for _ in range(300)]
    parsed = [(dsse._parse(envelope, "it"), envelope) for envelope in envelopes]
    checked = [(one.signatures[dsse.key_id(PUBLIC)], one.pae()) for one, _ in parsed]

    def cost(work: object) -> float:
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            work()  # type: ignore[operator]
            best = min(best, time.process_time() - begin)
        return best

    bare = cost(lambda: [dsse.verify_signature(PUBLIC, signature, message) for signature, message in checked])
    whole = cost(lambda: [dsse.verify(envelope, TYPE, PUBLIC) for _, envelope in parsed])
    assert whole < 2 * bare
