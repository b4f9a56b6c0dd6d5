# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common import canonical, dsse
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._state import enrolment as enrolments
from bocage_core._state import floors as floors_file
from bocage_core._state import trust
from bocage_core._state.floors import Floor, Floors
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def folder(tmp_path: Path, signed_estate: Any) -> Path:
    (tmp_path / "enrolments").mkdir()
    (tmp_path / "enrolment.pub").write_bytes(dsse.public_key_to_pem(signed_estate.public))
    return tmp_path


def put(folder: Path, host: Any, name: str | None = None) -> None:
    (folder / "enrolments" / f"{name or host.enrolment.name}.json").write_bytes(host.enrolment_bytes)


def put_floors(folder: Path, estate: Any, floors: Floors) -> None:
    (folder / "floors.json").write_text(json.dumps(floors_file.sign(floors, estate.private)))


def test_reads_what_verifies(folder: Path, signed_estate: Any) -> None:
    gateway, hub = signed_estate.host("gw1"), signed_estate.host("hub1", tenant=None)
    put(folder, gateway)
    put(folder, hub)
    found = trust.read_trust(folder)
    assert found.enrolments == {"gw1": gateway.enrolment, "hub1": hub.enrolment}
    assert found.problems == {}
    assert found.floors is None
    assert found.floor(gateway.enrolment.host_id) is None
    assert not found.is_revoked(gateway.enrolment)


def test_missing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"enrolment\.pub is missing; put the public key there"):
        trust.read_trust(tmp_path)


def test_bad_key_names_the_file(folder: Path) -> None:
    (folder / "enrolment.pub").write_text("nonsense")
    with pytest.raises(BadInput, match=r"enrolment\.pub: The public key cannot be read"):
        trust.read_trust(folder)


def test_one_bad_file_speaks_only_against_its_own_host(folder: Path, signed_estate: Any) -> None:
    good, forged = signed_estate.host("gw1"), signed_estate.host("gw2")
    put(folder, good)
    put(folder, forged)
    envelope = enrolments.sign(forged.enrolment, dsse.generate_private_key())
    (folder / "enrolments" / "gw2.json").write_text(json.dumps(envelope))
    (folder / "enrolments" / "gw3.json").write_text("{")
    (folder / "enrolments" / "gw4.json").write_bytes(b"x" * 9000)
    found = trust.read_trust(folder)
    assert list(found.enrolments) == ["gw1"]
    assert found.problems.keys() == {"gw2", "gw3", "gw4"}
    assert "not signed by the expected key" in found.problems["gw2"]


def test_attack_enrolment_moved_to_another_name(folder: Path, signed_estate: Any) -> None:
    put(folder, signed_estate.host("gw1"), "hub1")
    found = trust.read_trust(folder)
    assert found.enrolments == {}
    assert found.problems == {"hub1": "The file hub1.json holds the enrolment of gw1."}


def test_one_host_id_under_two_names(folder: Path, signed_estate: Any) -> None:
    first = signed_estate.host("gw1")
    put(folder, first)
    put(folder, signed_estate.host("gw2", host_id=first.enrolment.host_id))
    found = trust.read_trust(folder)
    assert list(found.enrolments) == ["gw1"]
    assert "same host id" in found.problems["gw2"]


def test_revoked_by_document_or_by_list(folder: Path, signed_estate: Any) -> None:
    listed, revoked = signed_estate.host("gw1"), signed_estate.host("gw2", kind="revocation")
    put(folder, listed)
    put(folder, revoked)
    put_floors(folder, signed_estate, Floors(signed_estate.now, {}, frozenset({listed.enrolment.host_id})))
    found = trust.read_trust(folder)
    assert found.is_revoked(found.enrolments["gw1"])
    assert found.is_revoked(found.enrolments["gw2"])


def test_attack_enrolment_put_back_to_an_earlier_generation(folder: Path, signed_estate: Any) -> None:
    host = signed_estate.host("gw1")
    put(folder, host)
    put_floors(folder, signed_estate, Floors(signed_estate.now, {host.enrolment.host_id: Floor(2, 7)}))
    found = trust.read_trust(folder)
    assert found.enrolments == {}
    assert "generation 2 was seen before" in found.problems["gw1"]
    put(folder, host.successor())
    found = trust.read_trust(folder)
    assert found.enrolments["gw1"].generation == 2
    assert found.floor(host.enrolment.host_id) == Floor(2, 7)


def test_attack_floors_signed_by_somebody_else_are_a_problem(folder: Path, signed_estate: Any) -> None:
    host = signed_estate.host("gw1")
    put(folder, host)
    forged = floors_file.sign(Floors(signed_estate.now), dsse.generate_private_key())
    (folder / "floors.json").write_text(json.dumps(forged))
    found = trust.read_trust(folder)
    assert list(found.enrolments) == ["gw1"]
    assert "not signed by the expected key" in found.problems["floors.json"]


def test_a_remembering_verifier_can_be_given(folder: Path, signed_estate: Any) -> None:
    host = signed_estate.host("gw1")
    put(folder, host)
    calls: list[str] = []

    def remember(raw: bytes, key: bytes, what: str) -> enrolments.Enrolment:
        calls.append(what)
        return enrolments.verify_bytes(raw, key, what)

    assert trust.read_trust(folder, remember).enrolments == {"gw1": host.enrolment}
    assert len(calls) == 1
    assert "gw1.json" in calls[0]


def test_floors_round_trip_and_only_rise(signed_estate: Any) -> None:
    one, two = signed_estate.host().enrolment.host_id, signed_estate.host().enrolment.host_id
    floors = Floors(signed_estate.now, {one: Floor(2, 5)}, frozenset({two}))
    assert Floors.from_payload(floors.to_payload()) == floors
    raised = floors.raised({one: Floor(1, 99), two: Floor(1, 1)}, frozenset(), signed_estate.now)
    assert raised.floors == {one: Floor(2, 5), two: Floor(1, 1)}
    assert raised.revoked == {two}
    assert raised.raised({one: Floor(2, 6)}, frozenset({one}), signed_estate.now).floors[one] == Floor(2, 6)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"floors": []},
        {"floors": {"gw1": {"generation": 1, "counter": 1}}},
        {"floors": {"6f1e2d3c-0000-4000-8000-000000000000": {"generation": 1}}},
        {"floors": {"6f1e2d3c-0000-4000-8000-000000000000": {"generation": 1, "counter": -1}}},
        {"revoked": ["gw1"]},
        {"more": 1},
    ],
)
def test_wrong_floors_are_refused(signed_estate: Any, change: dict[str, Any]) -> None:
    document = json.loads(replace(Floors(signed_estate.now)).to_payload())
    with pytest.raises(Refused) as refusal:
        Floors.from_payload(canonical.dumps({**document, **change}))
    assert refusal.value.code == "malformed"


@given(
    st.dictionaries(
        st.sampled_from(["schema", "floors", "revoked", "issued_at"]),
        st.none()
        | st.integers()
        | st.lists(st.text(st.characters(exclude_categories=("Cs",))))
        | st.dictionaries(
            st.uuids().map(str), st.none() | st.dictionaries(st.sampled_from(["generation", "counter"]), st.integers())
        ),
    )
)
def test_fuzz_floors_raise_nothing_else(document: dict[str, Any]) -> None:
    payload = canonical.dumps(
        {"schema": 1, "floors": {}, "revoked": [], "issued_at": "2026-01-01T00:00:00Z", **document}
    )
    try:
        Floors.from_payload(payload)
    except Refused as refusal:
        assert refusal.code == "malformed"


def test_floors_follow_what_was_signed(signed_estate: Any) -> None:
    host, other = signed_estate.host("gw1"), signed_estate.host("gw2")
    first, host_id = host.enrolment, host.enrolment.host_id
    revoked = dataclasses.replace(first, kind="revocation")
    second = host.successor().enrolment
    empty = Floors(signed_estate.now)
    assert empty.following(first, signed_estate.now) is empty and empty.permit(first)
    after_revocation = empty.following(revoked, signed_estate.now)
    assert after_revocation.following(revoked, signed_estate.now) is after_revocation
    assert [after_revocation.permit(one) for one in (first, revoked, second)] == [False, True, True]
    # a document of before takes nobody off the list
    assert after_revocation.following(first, signed_estate.now) is after_revocation
    back = after_revocation.following(second, signed_estate.now)
    assert (back.revoked, back.floors) == (frozenset(), {host_id: Floor(2, 0)})
    assert [back.permit(one) for one in (first, revoked, second)] == [False, False, True]
    assert back.issued_at > after_revocation.issued_at > empty.issued_at
    assert back.permit(other.enrolment)
    # a counter that was seen stays
    seen = back.raised({host_id: Floor(2, 7)}, frozenset(), signed_estate.now)
    assert seen.following(second, signed_estate.now) is seen
    assert seen.following(dataclasses.replace(second, kind="revocation"), signed_estate.now).floors[host_id] == Floor(
        2, 7
    )
