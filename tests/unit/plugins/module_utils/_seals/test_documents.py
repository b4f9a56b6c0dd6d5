# SPDX-License-Identifier: GPL-3.0-or-later
"""What is believed of a seal, and everything that is not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bocage_core._common import canonical, dsse
from bocage_core._common.refused import Refused
from bocage_core._seals import documents
from bocage_core._seals.documents import Desired, Observed
from hypothesis import given
from hypothesis import strategies as st
from seal_maker import ITEMS, Maker

MAKER = Maker()
OTHER = Maker("gw2", "11111111-2222-3333-4444-555555555555", MAKER.controller)


def refused(raw: bytes, **arguments: Any) -> str:
    with pytest.raises(Refused, match=r"\.$") as refusal:
        MAKER.verify(raw, **arguments)
    return refusal.value.code


def edited(
    envelope: dict[str, Any], change: Callable[[dict[str, Any]], Any], key: bytes | None = None
) -> dict[str, Any]:
    """The envelope with another payload; its signature is the old one, or one of `key`."""
    document = json.loads(dsse.unverified_payload(envelope))
    change(document)
    payload = canonical.dumps(document)
    if key is not None:
        return dsse.sign(payload, envelope["payloadType"], key)
    return {**envelope, "payload": base64.b64encode(payload).decode()}


def halves(raw: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    document = json.loads(raw)
    return document["desired"], document["observed"]


def test_a_seal_is_read_as_it_was_signed() -> None:
    seal = MAKER.verify(MAKER.seal(counter=7), floor=7)
    assert seal.desired == MAKER.desired()
    assert (seal.observed.counter, [one["item"] for one in seal.observed.observations]) == (7, ITEMS)
    assert Desired.from_payload(seal.desired.to_payload()) == seal.desired
    assert Observed.from_payload(seal.observed.to_payload()) == seal.observed


def test_the_controllers_half_alone_can_be_verified() -> None:
    public = dsse.public_key_of(MAKER.controller)
    desired = documents.verify_desired(MAKER.signed(), MAKER.host, MAKER.host_id, "mesh", public)
    assert desired == MAKER.desired()
    with pytest.raises(Refused, match="made for the host gw1"):
        documents.verify_desired(MAKER.signed(), OTHER.host, OTHER.host_id, "mesh", public)


def test_a_seal_of_another_host_is_refused() -> None:
    assert refused(OTHER.seal()) == "other_host"
    # the controller's half is ours, the observation is not
    ours = MAKER.signed()
    assert refused(OTHER.seal(envelope=ours)) == "bad_signature"
    observed = documents.sign_observed(OTHER.observed(ours), MAKER.private)
    assert refused(documents.write_seal(ours, observed)) == "other_host"
    renamed = replace(OTHER, host=MAKER.host, private=MAKER.private)
    assert refused(renamed.seal()) == "other_host"


def test_a_seal_of_another_role_is_refused() -> None:
    assert refused(MAKER.seal("names")) == "other_role"
    ours = MAKER.signed()
    observed = documents.sign_observed(MAKER.observed(ours, "names"), MAKER.private)
    assert refused(documents.write_seal(ours, observed)) == "other_role"


def test_an_edited_half_is_refused() -> None:
    desired, observed = halves(MAKER.seal())
    fewer = edited(desired, lambda one: one["items"].pop())
    assert refused(documents.write_seal(fewer, observed)) == "bad_signature"
    other = edited(observed, lambda one: one["observations"][0].update(observed={"state": "absent"}))
    assert refused(documents.write_seal(desired, other)) == "bad_signature"
    counted = edited(observed, lambda one: one.update(counter=99))
    assert refused(documents.write_seal(desired, counted)) == "bad_signature"


def test_halves_that_do_not_belong_together_are_refused() -> None:
    desired, observed = halves(MAKER.seal())
    assert refused(documents.write_seal(MAKER.signed(base="1" * 64), observed)) == "wrong_desired"
    # a host that signs fewer observations than there are items
    fewer = edited(observed, lambda one: one["observations"].pop(), MAKER.private)
    assert refused(documents.write_seal(desired, fewer)) == "wrong_desired"


def test_a_seal_signed_by_others_is_refused() -> None:
    desired, observed = halves(MAKER.seal())
    stranger = Maker()
    assert refused(replace(MAKER, controller=stranger.controller).seal()) == "bad_signature"
    assert refused(replace(MAKER, private=stranger.private).seal()) == "bad_signature"
    # the host signs for the controller, and the controller for the host
    assert refused(replace(MAKER, controller=MAKER.private).seal()) == "bad_signature"
    assert refused(documents.write_seal(desired, {**observed, "signatures": []})) == "malformed"
    assert refused(documents.write_seal({**desired, "signatures": []}, observed)) == "malformed"
    named = [{**observed["signatures"][0], "keyid": "0" * 64}]
    assert refused(documents.write_seal(desired, {**observed, "signatures": named})) == "bad_signature"


def test_halves_in_each_others_place_are_refused() -> None:
    desired, observed = halves(MAKER.seal())
    assert refused(documents.write_seal(observed, desired)) == "wrong_type"
    assert refused(documents.write_seal(desired, desired)) == "wrong_type"


def test_an_old_seal_is_refused() -> None:
    assert refused(MAKER.seal(counter=3), floor=4) == "old_counter"
    assert MAKER.verify(MAKER.seal(counter=4), floor=4).observed.counter == 4


def test_a_damaged_file_is_refused() -> None:
    raw = MAKER.seal()
    for length in range(0, len(raw) - 1, 97):
        assert refused(raw[:length]) == "malformed"
    assert refused(b"[]") == "malformed"
    assert refused(b'{"desired":{},"observed":{}}') == "malformed"
    assert refused(b'{"desired":{},"observed":{},"more":{}}') == "malformed"
    assert refused(raw + b" " * documents.MAX_SEAL_BYTES) == "oversized"


@given(st.binary(max_size=300))
def test_fuzz_bytes_raise_nothing_else(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"host": "../gw1"},
        {"host_id": "gw1"},
        {"role": "Mesh"},
        {"base": "0" * 63},
        {"digest": "0" * 64},
        {"parts": {"variable mesh_mtu": "0" * 64}},
        {"parts": {"colour red": "0" * 16}},
        {"facts": {"kernel": 6}},
        {"facts": {"../x": "y"}},
        {"items": [{"kind": "command", "name": "reboot"}]},
        {"issued_at": "yesterday"},
        {"more": 1},
    ],
)
def test_a_statement_of_another_form_is_refused_though_it_is_signed(change: dict[str, Any]) -> None:
    """Also where a fact changed and the digest is that of before."""
    desired, observed = halves(MAKER.seal())
    wrong = edited(desired, lambda one: one.update(change), MAKER.controller)
    assert refused(documents.write_seal(wrong, observed)) == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"counter": 0},
        {"counter": True},
        {"desired": "x"},
        {"observations": {}},
        {"observations": [{"item": {}}]},
        {"observations": [{"item": {}, "observed": None, "hint": None}]},
        {"observations": [{"item": {}, "observed": {}, "hint": 1}]},
        {"depends": []},
        {"sealed_at": None},
    ],
)
def test_an_observation_of_another_form_is_refused_though_it_is_signed(change: dict[str, Any]) -> None:
    desired, observed = halves(MAKER.seal())
    wrong = edited(observed, lambda one: one.update(change), MAKER.private)
    assert refused(documents.write_seal(desired, wrong)) == "malformed"


def test_nothing_is_signed_that_no_host_would_read() -> None:
    with pytest.raises(Refused, match="the seal of mesh for gw1"):
        MAKER.signed(items=[{"kind": "command", "name": "reboot"}])
