# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry takes in and answers when all is honest."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def test_the_envelope_is_given_out_as_it_was_received(registry: Any) -> None:
    host = registry.enrolled()
    raw = host.report_bytes()
    answer = registry.report(raw)
    assert answer.json() == {
        "host_id": host.enrolment.host_id,
        "name": "gw1",
        "generation": 1,
        "counter": 1,
        "duplicate": False,
        "warnings": [],
    }
    (entry,) = registry.read("/v1/hosts").json()["hosts"]
    assert entry["report"] == json.loads(raw)
    assert entry["enrolment"] == json.loads(host.enrolment_bytes)
    assert entry["received_at"] == registry.estate.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert raw in registry.read("/v1/hosts").content


def test_the_newest_report_again_is_a_duplicate_and_stored_once(registry: Any) -> None:
    host = registry.enrolled()
    raw = host.report_bytes()
    registry.report(raw)
    cursor = registry.read("/v1/hosts").json()["cursor"]
    again = registry.report(raw)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert registry.read(f"/v1/hosts?since={cursor}").json()["hosts"] == []
    assert len(registry.read(f"/v1/hosts/{host.enrolment.host_id}/history").json()["reports"]) == 1


def test_the_same_enrolment_again_is_a_duplicate(registry: Any) -> None:
    host = registry.enrolled()
    again = registry.enrol(host)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)


def test_a_clock_ahead_is_reported_and_the_report_kept(registry: Any) -> None:
    host = registry.enrolled()
    answer = registry.report(host.report_bytes(issued_at=registry.estate.now + timedelta(hours=1)))
    assert answer.status_code == 200
    assert answer.json()["warnings"] == ["The clock of gw1 is 3600 seconds ahead; check its time service."]


def test_missing_reports_are_told(registry: Any) -> None:
    host = registry.enrolled()
    registry.report(host.report_bytes())
    host.report()
    assert registry.report(host.report_bytes()).json()["warnings"] == [
        "1 reports of gw1 before number 3 never arrived."
    ]


def test_a_lost_database_fills_again_from_what_hosts_send(registry: Any, tmp_path: Path) -> None:
    host = registry.enrolled()
    registry.report(host.report_bytes())
    registry.stop()
    for path in tmp_path.glob("registry.db*"):
        path.unlink()
    registry.start()
    raw = host.report_bytes()
    assert registry.report(raw).json()["code"] == "unknown_host"
    assert registry.enrol(host).status_code == 200
    assert registry.report(raw).status_code == 200
    registry.stop()


def test_what_was_answered_is_there_after_a_restart(registry: Any) -> None:
    host = registry.enrolled()
    registry.report(host.report_bytes())
    cursor = registry.read("/v1/hosts").json()["cursor"]
    registry.stop()
    registry.start()
    assert registry.report(host.report_bytes()).status_code == 200
    page = registry.read(f"/v1/hosts?since={cursor}").json()
    assert (page["reset"], len(page["hosts"])) == (False, 1)


def test_many_senders_at_once_lose_nothing(registry: Any) -> None:
    hosts = [registry.enrolled(f"host{number}") for number in range(4)]
    codes: list[int] = []

    def send(host: Any) -> None:
        codes.extend(registry.report(host.report_bytes()).status_code for _ in range(10))

    threads = [threading.Thread(target=send, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 40
    for host in hosts:
        history = registry.read(f"/v1/hosts/{host.enrolment.host_id}/history").json()["reports"]
        assert len(history) == 10


def test_one_of_two_equal_deliveries_at_once_is_the_duplicate(registry: Any) -> None:
    host = registry.enrolled()
    raw = host.report_bytes()
    answers: list[tuple[int, bool]] = []

    def send() -> None:
        answer = registry.report(raw)
        answers.append((answer.status_code, answer.json()["duplicate"]))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [(200, False)] + [(200, True)] * 5


def test_history_is_kept_then_thinned_to_the_last_of_each_day(registry: Any) -> None:
    host = registry.enrolled()
    for day in range(3):
        for hour in range(3):
            # Noon keeps the three hours on one calendar day whatever the time of the test.
            noon = registry.estate.now.replace(hour=12, minute=0, second=0)
            registry.offset = noon - registry.estate.now + timedelta(days=day, hours=hour)
            assert registry.report(host.report_bytes()).status_code == 200
    # On the last day only the report of noon is older than the declared hour, and the last of its day by that.
    assert registry.app.state.store.thin_history() == 2 + 2
    path = f"/v1/hosts/{host.enrolment.host_id}/history"
    kept = registry.read(path).json()["reports"]
    assert len(kept) == 1 + 1 + 3
    assert registry.app.state.store.thin_history() == 0


def test_metrics_count_outcomes(registry: Any) -> None:
    host = registry.enrolled()
    raw = host.report_bytes()
    registry.report(raw)
    registry.report(raw)
    registry.report(b"{}")
    lines = registry.read("/metrics").text.splitlines()
    for line in (
        'bocage_registry_documents_total{document="report",outcome="accepted"} 1',
        'bocage_registry_documents_total{document="report",outcome="duplicate"} 1',
        'bocage_registry_documents_total{document="report",outcome="malformed"} 1',
        "bocage_registry_hosts_enrolled 1",
        "bocage_registry_hosts_reported 1",
        "bocage_registry_hosts_forked 0",
        "bocage_registry_reports_kept 1",
    ):
        assert line in lines


def test_health_follows_the_database(registry: Any, tmp_path: Path) -> None:
    assert registry.ask("GET", "/healthz").json() == {"status": "ok"}
    registry.stop()
    (tmp_path / "registry.db").write_bytes(b"not a database any more" * 500)
    for path in tmp_path.glob("registry.db-*"):
        path.unlink()
    answer = registry.ask("GET", "/healthz")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path=st.sampled_from(["/v1/reports", "/v1/enrolments"]), body=st.binary(max_size=300))
def test_fuzz_bodies_are_answered_with_a_refusal(registry: Any, path: str, body: bytes) -> None:
    answer = registry.ask("POST", path, content=body)
    assert answer.status_code == 400
    assert answer.json().keys() == {"error", "code"}
