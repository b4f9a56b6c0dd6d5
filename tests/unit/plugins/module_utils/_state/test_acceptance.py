# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way in which a report can be false, against the one rule that registry and inventory share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bocage_core._common import canonical, dsse
from bocage_core._common.refused import Refused
from bocage_core._state import acceptance, enrolment
from bocage_core._state import report as reports
from bocage_core._state.acceptance import LastSeen
from bocage_core._state.floors import Floor
from bocage_core._state.report import Report


def verify(host: Any, raw: bytes) -> Report:
    return acceptance.verify_report(dsse.load(raw), host.enrolment, now=host.estate.now)


def code_of(host: Any, raw: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        verify(host, raw)
    assert "gw1" in str(refusal.value), "the sentence names the host"
    return refusal.value.code


def order_code(report: Report, last: Report) -> str:
    with pytest.raises(Refused) as refusal:
        acceptance.check_order(report, LastSeen.of(last), "gw1")
    return refusal.value.code


def test_a_chain_of_reports_is_accepted(signed_estate: Any) -> None:
    host = signed_estate.host()
    last = None
    for _ in range(3):
        report = verify(host, host.report_bytes())
        assert acceptance.check_order(report, last, "gw1") == 0
        last = LastSeen.of(report)


def test_attack_bad_signature(signed_estate: Any) -> None:
    host = signed_estate.host()
    envelope = dsse.load(host.report_bytes())
    other = dsse.load(host.report_bytes())
    envelope["payload"] = other["payload"]
    with pytest.raises(Refused) as refusal:
        acceptance.verify_report(envelope, host.enrolment, now=signed_estate.now)
    assert refusal.value.code == "bad_signature"


def test_attack_report_of_an_unknown_host(signed_estate: Any) -> None:
    assert code_of(signed_estate.host(), signed_estate.host("stranger").report_bytes()) == "bad_signature"


def test_attack_somebody_elses_host_id(signed_estate: Any) -> None:
    host, victim = signed_estate.host("gw1"), signed_estate.host("gw2")
    assert code_of(host, host.report_bytes(host_id=victim.enrolment.host_id)) == "wrong_host"


def test_attack_payload_type_confusion(signed_estate: Any) -> None:
    host = signed_estate.host()
    envelope = dsse.sign(host.report().to_payload(), enrolment.PAYLOAD_TYPE, host.report_private)
    with pytest.raises(Refused) as refusal:
        acceptance.verify_report(envelope, host.enrolment, now=signed_estate.now)
    assert refusal.value.code == "wrong_type"


def test_attack_oversized(signed_estate: Any) -> None:
    raw = signed_estate.host().report_bytes(sections={"filler": {"list": ["x" * 30000]}})
    with pytest.raises(Refused) as refusal:
        dsse.load(raw, "the report of gw1", reports.MAX_REPORT_BYTES)
    assert refusal.value.code == "oversized"


def test_generations_must_match(signed_estate: Any) -> None:
    host = signed_estate.host()
    host.enrolment = replace(host.enrolment, generation=2)
    assert code_of(host, host.report_bytes(generation=1)) == "old_generation"
    assert code_of(host, host.report_bytes(generation=3)) == "unknown_generation"


def test_revoked_and_expired_enrolments_vouch_for_nothing(signed_estate: Any) -> None:
    host = signed_estate.host()
    host.enrolment = replace(host.enrolment, kind="revocation")
    assert code_of(host, host.report_bytes()) == "revoked"
    host.enrolment = replace(host.enrolment, kind="enrolment", not_after=signed_estate.now - timedelta(seconds=1))
    assert code_of(host, host.report_bytes()) == "expired"


def test_attack_replayed(signed_estate: Any) -> None:
    host = signed_estate.host()
    first, second = host.report(), host.report()
    assert order_code(second, second) == "replayed"
    assert order_code(first, second) == "replayed"


def test_a_replay_is_no_fork_even_after_the_clock_was_set_back(signed_estate: Any) -> None:
    host = signed_estate.host()
    first = host.report(issued_at=signed_estate.now + timedelta(days=365))
    assert order_code(first, host.report()) == "replayed"


def test_attack_old_counter(signed_estate: Any) -> None:
    host = signed_estate.host()
    first, _, third = host.report(), host.report(), host.report()
    assert order_code(first, third) == "old_counter"


def test_clone_that_continues_the_same_chain_is_a_fork(signed_estate: Any) -> None:
    host = signed_estate.host()
    common = host.report()
    original = host.report()
    host.counter, host.previous = common.counter, common.digest
    clone = host.report(boot_id="2")
    assert order_code(clone, original) == "forked"
    assert acceptance.proof_of_fork(original, clone, "gw1") is not None


def test_restored_snapshot_whose_counter_went_back_is_a_fork(signed_estate: Any) -> None:
    host = signed_estate.host()
    saved = host.report()
    newest = [host.report() for _ in range(5)][-1]
    host.counter, host.previous = saved.counter, saved.digest
    restored = host.report(issued_at=signed_estate.now + timedelta(hours=1))
    assert order_code(restored, newest) == "forked"
    assert "went back from 6 to 2" in str(acceptance.proof_of_fork(newest, restored, "gw1"))


def test_next_counter_on_another_chain_is_a_fork(signed_estate: Any) -> None:
    host = signed_estate.host()
    last = host.report()
    assert order_code(host.report(previous="0" * 64), last) == "forked"


def test_missing_reports_are_counted_not_refused(signed_estate: Any) -> None:
    host = signed_estate.host()
    first = host.report()
    host.report()
    host.report()
    assert acceptance.check_order(host.report(), LastSeen.of(first), "gw1") == 2


def test_a_new_generation_repairs_a_fork(signed_estate: Any) -> None:
    host = signed_estate.host()
    last = [host.report() for _ in range(3)][-1]
    following = host.successor()
    report = verify(following, following.report_bytes())
    assert acceptance.check_order(report, LastSeen.of(last), "gw1") == 0
    assert order_code(last, report) == "old_generation"


def test_no_proof_of_fork_from_an_honest_chain(signed_estate: Any) -> None:
    """A registry that lies cannot put a host in a bad light with the host's own reports."""
    host = signed_estate.host()
    chain = [host.report() for _ in range(4)]
    for one in chain:
        for other in chain:
            assert acceptance.proof_of_fork(one, other, "gw1") is None
    assert acceptance.proof_of_fork(chain[0], replace(chain[1], generation=2), "gw1") is None


def test_a_report_below_its_floor_is_refused(signed_estate: Any) -> None:
    report = signed_estate.host().report()
    acceptance.check_floor(report, None, "gw1")
    acceptance.check_floor(report, Floor(1, 1), "gw1")
    for floor in (Floor(1, 2), Floor(2, 1)):
        with pytest.raises(Refused, match="withholds newer ones") as refusal:
            acceptance.check_floor(report, floor, "gw1")
        assert refusal.value.code == "below_floor"


def test_clock_skew_is_reported_and_not_refused(signed_estate: Any) -> None:
    host = signed_estate.host()
    report = verify(host, host.report_bytes(issued_at=signed_estate.now + timedelta(hours=1)))
    problem = acceptance.clock_problem(report, signed_estate.now, 300, "gw1")
    assert problem == "The clock of gw1 is 3600 seconds ahead; check its time service."
    late = host.report(issued_at=signed_estate.now - timedelta(days=3))
    assert acceptance.clock_problem(late, signed_estate.now, 300, "gw1") is None


def test_digest_is_that_of_the_signed_bytes(signed_estate: Any) -> None:
    host = signed_estate.host()
    report = host.report()
    assert verify(host, host.sign(report)).digest == canonical.digest(report.to_payload())
