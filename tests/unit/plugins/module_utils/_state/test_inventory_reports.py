# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import timedelta
from typing import Any

from bocage_core._state.acceptance import LastSeen
from bocage_core._state.floors import Floor
from bocage_core._state.inventory_documents import Documents
from bocage_core._state.inventory_enrolments import Identity
from bocage_core._state.inventory_reports import Judgement, judge
from bocage_core._state.inventory_verify import Verifier
from bocage_core._state.report import Report


def judged(
    host: Any, *raws: bytes, fork: tuple[bytes, ...] = (), known: tuple[Any, ...] = (), **more: Any
) -> Judgement:
    current = host.enrolment
    identity = Identity(current, (*(one.enrolment for one in known), current))
    documents = Documents(current.host_id, reports=list(raws), fork=list(fork))
    return judge(identity, documents, Verifier(), **more)


def seen(report: Report) -> LastSeen:
    return LastSeen.of(report)


def test_nothing_offered(signed_estate: Any) -> None:
    host = signed_estate.host()
    assert judged(host) == Judgement()
    assert judge(Identity(host.enrolment, (host.enrolment,)), None, Verifier()) == Judgement()
    assert judge(Identity(distrust="Because."), None, Verifier()) == Judgement(distrust="Because.")


def test_the_newest_of_many(signed_estate: Any) -> None:
    host = signed_estate.host()
    raws = [host.report_bytes() for _number in range(4)]
    found = judged(host, raws[2], raws[0], raws[3], raws[3])
    assert found.report is not None and found.report.counter == 4


def test_until(signed_estate: Any) -> None:
    host = signed_estate.host()
    raws = [host.report_bytes() for _number in range(4)]
    found = judged(host, *raws, until=signed_estate.now + timedelta(seconds=2))
    assert found.report is not None and found.report.counter == 2


def test_another_report_in_the_same_place(signed_estate: Any) -> None:
    host = signed_estate.host()
    first = host.report()
    host.counter, host.previous = 0, None
    second = host.report(boot_id="2")
    assert "two different reports" in str(judged(host, host.sign(first), host.sign(second)).distrust)
    assert "two different reports" in str(judged(host, host.sign(second), last_seen=seen(first)).distrust)
    assert "two different reports" in str(
        judged(host, host.sign(first), fork=(host.sign(first), host.sign(second))).distrust
    )


def test_a_fork_proves_itself_or_nothing(signed_estate: Any) -> None:
    host, other = signed_estate.host(), signed_estate.host("gw2")
    first, second = host.report_bytes(), host.report_bytes()
    assert judged(host, second, fork=(first, second)).distrust is None, "two reports of one chain"
    assert "not signed by the expected key" in str(judged(host, second, fork=(first, other.report_bytes())).distrust)
    assert judged(host, second, fork=(first,)).distrust is None


def test_a_fork_of_an_earlier_generation_is_repaired(signed_estate: Any) -> None:
    host = signed_estate.host()
    first = host.report_bytes()
    host.counter, host.previous = 0, None
    second = host.report_bytes(boot_id="2")
    later = host.successor()
    found = judged(later, later.report_bytes(), fork=(first, second), known=(host,))
    assert found.distrust is None and found.report is not None


def test_last_seen(signed_estate: Any) -> None:
    host = signed_estate.host()
    first, second = host.report(), host.report()
    assert judged(host, host.sign(second), last_seen=seen(second)).report == second
    assert judged(host, host.sign(second), last_seen=seen(first)).report == second
    assert "delivered before" in str(judged(host, host.sign(first), last_seen=seen(second)).distrust)
    assert judged(host, last_seen=seen(second)) == Judgement(last_seen=seen(second))
    later = host.successor()
    assert judged(later, later.sign(later.report()), last_seen=seen(second)).distrust is None


def test_floor(signed_estate: Any) -> None:
    host = signed_estate.host()
    assert judged(host, host.report_bytes(), floor=Floor(1, 1)).distrust is None
    assert "withholds" in str(judged(host, host.report_bytes(), floor=Floor(1, 3)).distrust)


def test_documents_of_another_host(signed_estate: Any) -> None:
    host, other = signed_estate.host(), signed_estate.host("gw2")
    identity = Identity(host.enrolment, (host.enrolment,))
    found = judge(identity, Documents(other.enrolment.host_id, reports=[host.report_bytes()]), Verifier())
    assert found.distrust == "The documents offered for gw1 are of another host."
    problem = Documents(host.enrolment.host_id, reports=[host.report_bytes()], problem="It is damaged.")
    assert judge(identity, problem, Verifier()) == Judgement(distrust="It is damaged.")


def test_a_report_of_a_generation_to_come(signed_estate: Any) -> None:
    host = signed_estate.host()
    assert "newest enrolment known" in str(judged(host, host.report_bytes(generation=2)).distrust)
