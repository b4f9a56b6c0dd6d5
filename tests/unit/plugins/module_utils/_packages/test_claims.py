# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import wapt_vectors
from bocage_core._common.refused import Refused
from bocage_core._packages import wapt_json
from bocage_core._packages.certificates import fingerprint_of
from bocage_core._packages.claims import Action, verify_action, verify_inventory
from bocage_core._packages.signatures import sign_rsa
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st
from party_maker import AT, DAY, Party, rsa_key, trust, wapt_certificate, wapt_trust

TABLE = wapt_vectors.table("claims.json")
INVENTORY = wapt_vectors.table("inventory.json")
T0 = datetime.fromisoformat(TABLE["t0"]).replace(tzinfo=UTC)


def judge(claim: dict[str, Any], seconds: int = 0, most: int = 60) -> Action:
    return verify_action(json.dumps(claim).encode(), wapt_trust(["root-ca"]), T0 + timedelta(seconds=seconds), most)


def signed(party: Party, without: str = "", **fields: Any) -> dict[str, Any]:
    claim: dict[str, Any] = {
        "action": "upgrade",
        "uuid": "host-1",
        "signer": fingerprint_of(party.certificate),
        "signer_certificate": party.certificate.public_bytes(Encoding.PEM).decode(),
        "signature_date": "2026-11-21T00:00:00",
        **fields,
    }
    claim["signed_attributes"] = [name for name in (*claim, "signed_attributes") if name != without]
    assert isinstance(party.key, rsa.RSAPrivateKey)
    payload = wapt_json.dumps({name: claim[name] for name in claim["signed_attributes"]})
    return {**claim, "signature": base64.b64encode(sign_rsa(party.key, payload)).decode()}


@pytest.fixture(scope="module")
def signer() -> Party:
    return Party.root().issue("signer")


@pytest.fixture(scope="module")
def root() -> Party:
    return Party.root()


@pytest.mark.parametrize("name", sorted(TABLE["claims"]))
def test_actions_are_judged_as_by_wapt(name: str) -> None:
    rows = [row for row in TABLE["rows"] if row[0] == name]
    assert rows
    for _, seconds, most, verdict in rows:
        if isinstance(verdict, dict):
            with pytest.raises(Refused) as refusal:
                judge(TABLE["claims"][name], seconds, most)
            assert str(refusal.value).endswith(".")
        else:
            found = judge(TABLE["claims"][name], seconds, most)
            assert (found.signer, found.name, found.uuid) == (verdict, "trigger_install_packages", "4C4C4544-0034-4D10")
            assert found.signed_at == T0 and found.fields["packages"] == ["tis-app", "tis-é"]
            assert "signature" not in found.fields


@pytest.mark.parametrize("extra", [{"force2": True}, {"verified_by": "root"}, {"packages2": ["tis-evil"]}])
def test_differs_from_wapt_which_hands_on_keys_that_nobody_signed(extra: dict[str, Any]) -> None:
    """WAPT checks the keys that were signed and then acts on all of them, those that a relay added included."""
    with pytest.raises(Refused, match=f"The action carries what nobody signed: {next(iter(extra))}"):
        judge({**TABLE["claims"]["ok"], **extra})


@pytest.mark.parametrize(
    "key", ["uuid", "action", "signature_date", "signer", "signer_certificate", "signed_attributes"]
)
def test_what_must_be_signed(key: str, signer: Party) -> None:
    with pytest.raises(Refused, match=f"The action is signed without {key}"):
        verify_action(json.dumps(signed(signer, without=key)).encode(), trust(signer), AT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signed_attributes": "action"}, "does not say which of its keys are signed"),
        ({"signed_attributes": [1]}, "does not say which of its keys are signed"),
        ({"signature": ""}, "has no text in signature"),
        ({"signature": None}, "has no text in signature"),
        ({"signature": "é"}, "is not a signature in base64"),
        ({"uuid": 7}, "has no text in uuid"),
        ({"signer": "0" * 64}, "is not the one that it names as its signer"),
        ({"signer_certificate": "x"}, "The certificate of the action"),
        ({"action": "forget"}, "The signature of the action does not verify"),
    ],
)
def test_what_was_changed_is_told_in_a_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        judge({**TABLE["claims"]["ok"], **changes})


def test_a_key_that_was_signed_is_there() -> None:
    claim = copy.deepcopy(TABLE["claims"]["ok"])
    del claim["force"]
    with pytest.raises(Refused, match="lacks what its signature covers: force"):
        judge(claim)
    claim["signed_attributes"].append("signature")
    with pytest.raises(Refused, match="lacks what its signature covers: force, signature"):
        judge(claim)


def test_when_it_is_too_late_and_too_early() -> None:
    with pytest.raises(Refused, match="was signed 61 seconds ago and is good for 60; send it again") as refusal:
        judge(TABLE["claims"]["ok"], 61)
    assert refusal.value.code == "expired"
    with pytest.raises(Refused, match="was dated 61 seconds ahead and is good for 60") as refusal:
        judge(TABLE["claims"]["ok"], -61)
    assert refusal.value.code == "not_yet_valid"


def test_the_same_action_has_one_digest_however_it_is_spelt(signer: Party, root: Party) -> None:
    claim = signed(signer, packages=["é"], limit=1.5)
    spelt = [
        json.dumps(claim).encode(),
        json.dumps(claim, ensure_ascii=False, indent=2, sort_keys=True).encode(),
        json.dumps({**claim, "signature": claim["signature"]}, separators=(",", ":")).encode(),
    ]
    assert len({verify_action(raw, trust(root), AT).digest for raw in spelt}) == 1
    other = json.dumps(signed(signer, packages=["e"], limit=1.5)).encode()
    assert verify_action(other, trust(root), AT).digest != verify_action(spelt[0], trust(root), AT).digest


@pytest.mark.parametrize("written", ["2026-11-21T00:00:00.123456", "2026-11-21T00:00:00Z", "2026-11-21 00:00:00+00:00"])
def test_moments_are_in_utc(written: str, signer: Party, root: Party) -> None:
    raw = json.dumps(signed(signer, signature_date=written)).encode()
    assert verify_action(raw, trust(root), AT).signed_at.replace(microsecond=0) == AT


@pytest.mark.parametrize("written", ["20261121-000000", "2026-13-21T00:00:00", "now", "2026-11-21T00:00:00+05:00"])
def test_other_moments_are_refused(written: str, signer: Party, root: Party) -> None:
    with pytest.raises(Refused, match="The action has no moment in signature_date"):
        verify_action(json.dumps(signed(signer, signature_date=written)).encode(), trust(root), AT)


def test_a_signer_whose_time_is_over(root: Party) -> None:
    late = root.issue("late", rsa_key("late"), end=AT - DAY)
    with pytest.raises(Refused, match="late, which signed the action of pc1, ended on"):
        verify_action(json.dumps(signed(late)).encode(), trust(root), AT, what="the action of pc1")


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a":1,"a":2}', b"\xff", b"null", b"{}", b" " * 2000000])
def test_what_is_no_action_is_told_in_a_sentence(raw: bytes) -> None:
    with pytest.raises(Refused, match=r"^The action "):
        verify_action(raw, wapt_trust(["root-ca"]), T0)


def test_an_inventory_is_signed_by_its_host() -> None:
    body, signature, host = INVENTORY["body"].encode(), INVENTORY["x_signature"], wapt_certificate(INVENTORY["cert"])
    verify_inventory(body, signature, host)
    for changed in (body + b" ", body.replace(b"pc1", b"pc2"), b""):
        with pytest.raises(Refused, match="The signature of the inventory of pc1 does not verify"):
            verify_inventory(changed, signature, host, "the inventory of pc1")
    with pytest.raises(Refused, match="does not verify"):
        verify_inventory(body, signature, wapt_certificate("dep"))
    for text in ("", "é", "x", signature + "\n=", "A" * 20000):
        with pytest.raises(Refused, match="signature"):
            verify_inventory(body, text, host)


@few
@given(
    st.sampled_from(sorted(TABLE["claims"]["ok"])),
    st.recursive(st.none() | st.text(max_size=5) | st.integers(), st.lists),
)
def test_fuzz_one_changed_value_is_refused(key: str, value: object) -> None:
    with pytest.raises(Refused):
        judge({**TABLE["claims"]["ok"], key: value})


@few
@given(st.binary(max_size=200), st.text(max_size=30))
def test_fuzz_bytes_raise_nothing_else(data: bytes, text: str) -> None:
    with pytest.raises(Refused):
        verify_action(data, wapt_trust(["root-ca"]), T0)
    with pytest.raises(Refused):
        verify_inventory(data, text, wapt_certificate("dev"))
