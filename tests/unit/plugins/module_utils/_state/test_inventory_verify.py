# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from bocage_core._common.errors import Untrusted
from bocage_core._state import inventory_verify
from bocage_core._state.inventory_verify import Claim, Verifier, spelling


def test_the_same_bytes_are_verified_once_and_read_the_same(signed_estate: Any) -> None:
    host = signed_estate.host()
    enrolment, report = host.enrolment_bytes, host.report_bytes()
    verifier = Verifier()
    first = (
        verifier.enrolment(enrolment, signed_estate.public, "it"),
        verifier.report(report, host.enrolment.report_key, "it"),
    )
    assert verifier.checked == 2
    again = Verifier(known=set(verifier.used))
    assert first == (
        again.enrolment(enrolment, signed_estate.public, "it"),
        again.report(report, host.enrolment.report_key, "it"),
    )
    assert again.checked == 0 and again.used == verifier.used - {
        inventory_verify.proof_of("enrolment", spelling(json.loads(enrolment)), signed_estate.public)
    }


def test_white_space_does_not_make_another_document(signed_estate: Any) -> None:
    host = signed_estate.host()
    verifier = Verifier()
    verifier.enrolment(json.dumps(host.enrolment_envelope, indent=2).encode(), signed_estate.public, "it")
    verifier.enrolment(spelling(host.enrolment_envelope), signed_estate.public, "it")
    assert verifier.checked == 1


def test_a_proof_is_of_one_key_kind_and_bytes(signed_estate: Any) -> None:
    host, other = signed_estate.host(), signed_estate.host("gw2")
    report = host.report_bytes()
    verifier = Verifier()
    verifier.report(report, host.enrolment.report_key, "it")
    for raw, key in ((report + b" ", host.enrolment.report_key), (report, other.enrolment.report_key)):
        checked = verifier.checked
        if raw == report:
            with pytest.raises(Untrusted):
                verifier.report(raw, key, "it")
        else:
            verifier.report(raw, key, "it")
        assert verifier.checked == checked + 1
    with pytest.raises(Untrusted):
        verifier.enrolment(report, host.enrolment.report_key, "it")


def test_what_fails_leaves_no_proof(signed_estate: Any) -> None:
    host = signed_estate.host()
    verifier = Verifier()
    for _time in range(2):
        with pytest.raises(Untrusted):
            verifier.report(host.report_bytes(), signed_estate.public, "it")
    assert verifier.checked == 2 and not verifier.known and not verifier.used


def test_stricter_rules_forget_what_older_ones_let_pass(signed_estate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host = signed_estate.host()
    verifier = Verifier()
    raw = host.report_bytes()
    verifier.report(raw, host.enrolment.report_key, "it")
    monkeypatch.setattr(inventory_verify, "RULES", b"next rules\n")
    verifier.report(raw, host.enrolment.report_key, "it")
    assert verifier.checked == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_proving_many(signed_estate: Any, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(inventory_verify, "ENOUGH_FOR_WORKERS", 4)
    hosts = [signed_estate.host(f"h{number}") for number in range(6)]
    raws = [host.report_bytes() for host in hosts]
    keys = [host.enrolment.report_key for host in hosts]
    keys[2] = keys[3]
    claims = [Claim("report", raw, key) for raw, key in zip(raws, keys, strict=True)]
    claims += [Claim("enrolment", host.enrolment_bytes, signed_estate.public) for host in hosts]
    claims.append(Claim("report", b"{", keys[0]))
    verifier = Verifier(workers=workers)
    verifier.prove(claims)
    assert len(verifier.known) == (11 if workers == 2 else 0)
    assert not verifier.used, "only what is read is kept"
    for number, (raw, key) in enumerate(zip(raws, keys, strict=True)):
        if number == 2:
            with pytest.raises(Untrusted):
                verifier.report(raw, key, "it")
        else:
            assert verifier.report(raw, key, "it").counter == 1


def test_an_oversized_document_is_refused_before_it_is_parsed(signed_estate: Any) -> None:
    with pytest.raises(Untrusted, match="at most 32768"):
        Verifier().report(b"[" * 40000, signed_estate.public, "it")
