# SPDX-License-Identifier: GPL-3.0-or-later
"""A request to be enrolled: one spelling, read strictly, and judged against what was asked and what was read."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, Untrusted
from bocage_core._common.refused import Refused
from bocage_core._state import registration
from bocage_core._state.registration import Expected, Request
from hypothesis import given
from hypothesis import strategies as st

KEYS = {"report_key": base64.b64encode(bytes(32)).decode(), "mesh_key": base64.b64encode(bytes(31) + b"\x01").decode()}
BLOB = base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)).decode()
REQUEST = Request(
    estate="fd7b:4c1e:90a2::/48",
    name="desk1",
    host_id="4be0643f-1d98-473b-97cd-ca98a65347dd",
    nonce="n" * 43,
    host_keys=(f"ssh-ed25519 {BLOB}",),
    **KEYS,
)
EXPECTED = Expected(
    estate=REQUEST.estate, name=REQUEST.name, nonce=REQUEST.nonce, host_id=REQUEST.host_id, **KEYS
)  # fmt: skip


def test_a_request_comes_back_as_it_was() -> None:
    data = REQUEST.to_bytes()
    assert Request.from_bytes(data, "desk1") == REQUEST
    assert Request.from_bytes(data, "desk1").to_bytes() == data
    registration.judge(REQUEST, EXPECTED)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "bocage-enrolment-request/2"}, "proved another document than a request to be enrolled"),
        ({"type": None}, "proved another document"),
        ({"more": 1}, "has unknown fields: more"),
        ({"name": "../desk1"}, "no usable text in name"),
        ({"host_id": "x"}, "no usable text in host_id"),
        ({"report_key": "x"}, "no usable text in report_key"),
        ({"nonce": "short"}, "no usable text in nonce"),
        ({"host_keys": ["ssh-ed25519 x"]}, "unusable text in the list host_keys"),
        ({"host_keys": [f"ssh-ed25519 {BLOB}\ndesk2 ssh-ed25519 {BLOB}"]}, "unusable text in the list host_keys"),
        ({"host_keys": [f"ssh-rsa {BLOB}"]}, "An SSH host key of desk1 is none"),
        ({"host_keys": [f"ssh-ed25519 {BLOB}"] * 9}, "list of at most 8 texts"),
    ],
)
def test_what_is_no_request_is_refused(change: dict[str, Any], words: str) -> None:
    document = {**json.loads(REQUEST.to_bytes()), **change}
    with pytest.raises(Refused, match=words):
        Request.from_bytes(json.dumps(document).encode(), "desk1")


def test_a_name_that_stands_twice_and_a_large_one_are_refused() -> None:
    twice = REQUEST.to_bytes().replace(b'"name":', b'"name":"gw1","name":')
    with pytest.raises(Refused, match="a name occurs twice"):
        Request.from_bytes(twice, "desk1")
    with pytest.raises(Refused, match="larger than 16384 bytes"):
        Request.from_bytes(b"x" * 16385, "desk1")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(Refused):
        Request.from_bytes(data, "desk1")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"nonce": "o" * 43}, "replayed", "The host desk1 answered another question than it was asked"),
        ({"name": "gw1"}, "wrong_host", "asks to be enrolled as gw1 of the estate 'fd7b:4c1e:90a2::/48'"),
        ({"estate": "fd00::/48"}, "wrong_host", "asks to be enrolled as desk1 of the estate 'fd00::/48'"),
        ({"host_id": "0" * 8 + REQUEST.host_id[8:]}, "altered", "The host id that was read from desk1"),
        ({"report_key": KEYS["mesh_key"]}, "altered", "The report key that was read from desk1"),
        ({"mesh_key": KEYS["report_key"]}, "altered", "The mesh key that was read from desk1"),
    ],
)
def test_attack_a_request_that_is_not_the_answer(change: dict[str, str], code: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        registration.judge(replace(REQUEST, **change), EXPECTED)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_host_keys_of_files() -> None:
    assert registration.read_host_key(f"ssh-ed25519 {BLOB} root@desk1\n", "x.pub") == f"ssh-ed25519 {BLOB}"
    with pytest.raises(BadInput, match=r"The file x.pub does not hold a public key of SSH; make the host keys again."):
        registration.read_host_key("\n", "x.pub")
    with pytest.raises(Untrusted, match=r"An SSH host key of this host in x.pub is none"):
        registration.read_host_key(f"ssh-dss {BLOB}", "x.pub")
