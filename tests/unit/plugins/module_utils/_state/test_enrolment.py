# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bocage_core._common import canonical, dsse
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._state import enrolment as enrolments
from bocage_core._state.enrolment import Enrolment
from hypothesis import given
from hypothesis import strategies as st


def refused(current: Enrolment | None, new: Enrolment) -> Refused:
    with pytest.raises(Refused) as refusal:
        enrolments.accept(current, new)
    return refusal.value


def test_payload_round_trip(signed_estate: Any) -> None:
    for tenant in ("acme", None):
        enrolment = signed_estate.host(tenant=tenant).enrolment
        assert Enrolment.from_payload(enrolment.to_payload()) == enrolment


def test_signed_and_verified(signed_estate: Any) -> None:
    host = signed_estate.host()
    assert enrolments.verify_bytes(host.enrolment_bytes, signed_estate.public) == host.enrolment
    assert not host.enrolment.revoked


def test_attack_enrolment_signed_by_somebody_else(signed_estate: Any) -> None:
    host = signed_estate.host()
    forged = enrolments.sign(host.enrolment, dsse.generate_private_key())
    with pytest.raises(Refused) as refusal:
        enrolments.verify(forged, signed_estate.public)
    assert refusal.value.code == "bad_signature"


def test_attack_report_offered_as_enrolment(signed_estate: Any) -> None:
    """Payload-type confusion: bytes signed for one purpose do not serve another."""
    payload = signed_estate.host().enrolment.to_payload()
    confused = dsse.sign(payload, "application/vnd.bocage.report+json", signed_estate.private)
    with pytest.raises(Refused) as refusal:
        enrolments.verify(confused, signed_estate.public)
    assert refusal.value.code == "wrong_type"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema"),
        ({"kind": "promotion"}, "neither an enrolment nor a revocation"),
        ({"kind": ["revocation"]}, "neither an enrolment nor a revocation"),
        ({"host_id": "not-a-uuid"}, "host_id"),
        ({"host_id": "6F1E2D3C-0000-4000-8000-000000000000"}, "host_id"),
        ({"name": "../gw1"}, "name"),
        ({"name": "gw1\n"}, "name"),
        ({"tenant": ""}, "tenant"),
        ({"site": None}, "site"),
        ({"generation": 0}, "generation"),
        ({"generation": True}, "generation"),
        ({"report_key": "AAAA"}, "report_key"),
        ({"mesh_key": "A" * 43 + "B"}, "mesh_key"),
        ({"issued_at": "2026-13-01T00:00:00Z"}, "issued_at"),
        ({"not_after": "2026-01-01 00:00:00Z"}, "not_after"),
        ({"replaces": None}, "replaces"),
        ({"colour": "green"}, "unknown fields: colour"),
    ],
)
def test_wrong_fields_are_named(signed_estate: Any, change: dict[str, Any], message: str) -> None:
    document = json.loads(signed_estate.host().enrolment.to_payload())
    with pytest.raises(Refused, match=message) as refusal:
        Enrolment.from_payload(canonical.dumps({**document, **change}), "the enrolment of gw1")
    assert refusal.value.code == "malformed"


def test_missing_field_is_named(signed_estate: Any) -> None:
    document = json.loads(signed_estate.host().enrolment.to_payload())
    del document["site"]
    with pytest.raises(Refused, match="lacks site"):
        Enrolment.from_payload(canonical.dumps(document))


def test_a_second_spelling_of_the_same_document_is_refused(signed_estate: Any) -> None:
    payload = signed_estate.host().enrolment.to_payload()
    with pytest.raises(Refused, match="canonical form"):
        Enrolment.from_payload(payload.replace(b":", b": ", 1))


def test_what_could_not_be_read_back_is_not_signed(signed_estate: Any) -> None:
    with pytest.raises(BadInput, match="cannot be signed"):
        enrolments.sign(signed_estate.host("bad name").enrolment, signed_estate.private)


def test_first_and_same_enrolments_are_accepted(signed_estate: Any) -> None:
    enrolment = signed_estate.host().enrolment
    enrolments.accept(None, enrolment)
    enrolments.accept(enrolment, Enrolment.from_payload(enrolment.to_payload()))


def test_attack_enrolment_of_a_known_name_with_a_new_key(signed_estate: Any) -> None:
    host = signed_estate.host()
    other = replace(signed_estate.host().enrolment, host_id=host.enrolment.host_id)
    refusal = refused(host.enrolment, replace(other, issued_at=signed_estate.now + timedelta(days=1)))
    assert refusal.code == "enrolment_conflict"
    assert f"needs generation 2 and replaces {host.enrolment.digest}" in str(refusal)


def test_attack_enrolment_of_a_known_name_for_another_host(signed_estate: Any) -> None:
    refusal = refused(signed_estate.host("gw1").enrolment, signed_estate.host("gw1").enrolment)
    assert refusal.code == "enrolment_conflict"
    assert "The name gw1 belongs to the host" in str(refusal)


def test_explicit_replacement_is_accepted_and_needs_the_digest(signed_estate: Any) -> None:
    host = signed_estate.host()
    following = host.successor()
    enrolments.accept(host.enrolment, following.enrolment)
    for replaces in (None, "0" * 64):
        refusal = refused(host.enrolment, replace(following.enrolment, replaces=replaces))
        assert refusal.code == "enrolment_conflict"
        assert host.enrolment.digest in str(refusal)


def test_a_generation_that_was_never_seen_here_does_not_block_the_next_but_one(signed_estate: Any) -> None:
    host = signed_estate.host()
    enrolments.accept(host.enrolment, host.successor().successor().enrolment)
    assert refused(host.enrolment, host.successor().successor(replaces=None).enrolment).code == "enrolment_conflict"


def test_attack_replayed_older_enrolment(signed_estate: Any) -> None:
    host = signed_estate.host()
    assert refused(host.successor().enrolment, host.enrolment).code == "replayed"
    later = replace(host.enrolment, issued_at=signed_estate.now + timedelta(days=1))
    enrolments.accept(host.enrolment, later)
    assert refused(later, host.enrolment).code == "replayed"


def test_renewal_may_change_site_and_mesh_key_but_not_the_name(signed_estate: Any) -> None:
    host = signed_estate.host()
    tomorrow = signed_estate.now + timedelta(days=1)
    later = replace(host.enrolment, issued_at=tomorrow, site="paris", mesh_key="A" * 43 + "=")
    enrolments.accept(host.enrolment, later)
    assert refused(host.enrolment, replace(later, name="gw2")).code == "enrolment_conflict"
    assert refused(host.enrolment, replace(host.enrolment, site="paris")).code == "enrolment_conflict"


def test_revocation_is_accepted_at_any_time_and_ended_only_by_a_generation(signed_estate: Any) -> None:
    host = signed_estate.host()
    revocation = replace(host.enrolment, kind="revocation")
    enrolments.accept(host.enrolment, revocation)
    assert revocation.revoked
    renewed = replace(host.enrolment, issued_at=signed_estate.now + timedelta(days=1))
    assert refused(revocation, renewed).code == "revoked"
    enrolments.accept(revocation, host.successor(replaces=revocation.digest).enrolment)


fields_of_payload = st.dictionaries(
    st.sampled_from(
        [
            "schema",
            "kind",
            "host_id",
            "name",
            "tenant",
            "site",
            "generation",
            "report_key",
            "mesh_key",
            "issued_at",
            "not_after",
            "replaces",
        ]
    ),
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=("Cs",)))
    | st.lists(st.integers()),
)


@given(st.binary(max_size=100) | fields_of_payload.map(canonical.dumps))
def test_fuzz_payloads_raise_nothing_else(payload: bytes) -> None:
    with pytest.raises(Refused):
        Enrolment.from_payload(payload)


@given(fields_of_payload)
def test_fuzz_changed_fields_raise_nothing_else(changes: dict[str, Any]) -> None:
    good = {
        "schema": 1,
        "kind": "enrolment",
        "host_id": "6f1e2d3c-0000-4000-8000-000000000000",
        "name": "gw1",
        "tenant": None,
        "site": "lyon",
        "generation": 1,
        "report_key": "A" * 43 + "=",
        "mesh_key": "A" * 43 + "=",
        "issued_at": "2026-01-01T00:00:00Z",
        "not_after": "2027-01-01T00:00:00Z",
    }
    payload = canonical.dumps({**good, **changes})
    try:
        assert Enrolment.from_payload(payload).to_payload() == payload
    except Refused as refusal:
        assert refusal.code == "malformed"
