# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent against a real registry over TLS: what arrives, what waits, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import make_report
from bocage_agent import spool as spool_module

AUTHORITY_TITLE = "stranger"


def test_a_report_is_delivered_and_the_host_enrols_itself(agent: Any) -> None:
    agent.registry.start()
    status, _, journal = agent.call("report")
    assert status == 0
    assert "was sent its enrolment" in journal
    assert "Report 1 was made, 1 were delivered, 0 are spooled." in journal
    assert (agent.counters(), agent.spooled()) == ([1], [])
    assert agent.registry.answered == [("/v1/reports", 404), ("/v1/enrolments", 200), ("/v1/reports", 200)]


def test_registry_stopped_for_a_while_loses_and_doubles_nothing(agent: Any) -> None:
    agent.registry.start()
    agent.call("report")
    agent.registry.stop()
    for waiting in (1, 2, 3):
        status, _, journal = agent.call("report")
        assert status == 0, "a network that is down is no fault of the host"
        assert "the reports stay in the spool" in journal
        assert len(agent.spooled()) == waiting
    agent.registry.start()
    status, _, journal = agent.call("report")
    assert (status, agent.spooled()) == (0, [])
    assert "4 were delivered" in journal
    assert agent.counters() == [1, 2, 3, 4, 5]
    assert "never arrived" not in journal


def test_a_lost_answer_is_repeated_and_stored_once(agent: Any) -> None:
    agent.registry.start()
    agent.call("report")
    agent.registry.lose_answers = 1
    status, _, journal = agent.call("report")
    assert (status, agent.spooled()) == (0, [2])
    assert "cannot be reached" in journal
    assert agent.call("report")[0] == 0
    assert (agent.counters(), agent.spooled()) == ([1, 2, 3], [])
    assert agent.registry.answered[-3:] == [("/v1/reports", 200)] * 3


def test_a_registry_that_lost_its_database_recovers_from_the_next_report(agent: Any) -> None:
    agent.registry.start()
    agent.call("report")
    agent.registry.lose_database()
    assert agent.call("report")[0] == 0
    assert (agent.counters(), agent.spooled()) == ([2], [])


def test_attack_registry_with_a_certificate_of_another_authority(agent: Any, tmp_path: Path) -> None:
    agent.registry.authority = type(agent.registry.authority)(tmp_path, AUTHORITY_TITLE)
    agent.registry.start()
    status, _, journal = agent.call("report")
    assert (status, agent.spooled()) == (0, [1])
    assert "CERTIFICATE_VERIFY_FAILED" in journal
    assert agent.registry.answered == []


def test_attack_registry_with_a_certificate_for_another_name(agent: Any) -> None:
    agent.registry.certificate_name = "elsewhere.demo.internal"
    agent.registry.start()
    status, _, journal = agent.call("report")
    assert (status, agent.spooled()) == (0, [1])
    assert "CERTIFICATE_VERIFY_FAILED" in journal
    assert agent.registry.answered == []


def test_proxies_of_the_environment_are_not_asked(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    agent.registry.start()
    assert agent.call("report")[0] == 0
    assert agent.spooled() == []


def test_reports_known_to_the_registry_are_dropped_with_a_line(agent: Any) -> None:
    agent.registry.start()
    agent.registry.stop()
    agent.call("report")
    first = next((agent.folder / "state" / "spool").glob("*.json"))
    kept = first.read_bytes()
    agent.registry.start()
    agent.call("report")
    first.write_bytes(kept)
    status, _, journal = agent.call("report")
    assert status == 0
    assert "Report 1 is dropped, the registry is past it: Report 1 of gw1 was delivered before." in journal
    assert (agent.counters(), agent.spooled()) == ([1, 2, 3], [])


def test_a_revoked_host_keeps_its_reports_and_says_why(agent: Any) -> None:
    agent.registry.start()
    agent.call("report")
    envelope = replace(agent.host, enrolment=replace(agent.host.enrolment, kind="revocation")).enrolment_bytes
    agent.registry.app.state.store.add_enrolment(envelope)
    status, _, journal = agent.call("report")
    assert (status, agent.spooled()) == (0, [2])
    assert "The enrolment of gw1 was revoked." in journal


def test_a_restored_copy_is_told_that_it_is_a_fork(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.registry.start()
    agent.call("report")
    counter_file = agent.folder / "state" / "counter.json"
    saved = counter_file.read_bytes()
    agent.call("report")
    counter_file.write_bytes(saved)
    # In the same second and the same boot it would say the very same, which is a duplicate and no harm.
    monkeypatch.setattr(make_report, "boot_id", lambda: "2")
    status, _, journal = agent.call("report")
    assert (status, agent.spooled()) == (0, [])
    assert "the registry will never take it" in journal
    assert "two different reports with the counter 2" in journal
    assert "two different reports" in json.loads(agent.call("status")[1])["last_problem"]


def test_a_new_generation_repairs_the_fork_and_counts_on(agent: Any) -> None:
    agent.registry.start()
    agent.call("report")
    agent.registry.stop()
    agent.call("report")
    agent.host = agent.host.successor()
    agent.__post_init__()
    agent.registry.start()
    status, _, journal = agent.call("report")
    assert status == 0
    assert "enrolled anew: 1 spooled reports of the last generation were dropped" in journal
    assert (agent.counters(), agent.spooled()) == ([1, 3], [])


def test_a_key_that_is_not_the_enrolled_one_signs_no_report(agent: Any) -> None:
    """Whoever put another key there, for a moment or for good: such a report would hold up all that follow it."""
    agent.registry.start()
    agent.call("report")
    key = agent.folder / "report.key"
    enrolled = key.read_bytes()
    key.write_bytes(agent.host.successor().report_private)
    status, _, journal = agent.call("report")
    assert status != 0
    assert "is not the one that this host is enrolled with, so that nobody would believe its reports" in journal
    assert agent.spooled() == []
    key.write_bytes(enrolled)
    assert agent.call("report")[0] == 0
    assert (agent.counters(), agent.spooled()) == ([1, 2], [])


def test_a_full_spool_keeps_the_newest_and_says_what_went(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert spool_module.MAX_FILES == 1000
    monkeypatch.setattr(spool_module, "MAX_FILES", 3)
    for _ in range(4):
        _, _, journal = agent.call("report")
    assert "The spool is full: the undelivered reports 1 to 1 were dropped." in journal
    assert agent.spooled() == [2, 3, 4]
    agent.registry.start()
    agent.call("report")
    # Report 2 went when report 5 was made; what is left arrives in order.
    assert agent.counters() == [3, 4, 5]


@pytest.mark.parametrize("body", [b"<html>bad gateway</html>", b"[]", b"x" * 100_000])
def test_something_that_is_no_registry_leaves_the_spool(agent: Any, body: bytes) -> None:
    async def imposter(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": body})

    agent.registry.start()
    agent.registry.app = imposter
    status, _, journal = agent.call("report")
    assert (status, agent.spooled()) == (0, [1])
    assert "it answered with status 502" in journal


def test_warnings_of_the_registry_reach_the_journal_once(agent: Any) -> None:
    agent.registry.start()
    agent.call("report")
    spool = spool_module.Spool(agent.folder / "state" / "spool")
    agent.registry.stop()
    agent.call("report")
    agent.call("report")
    spool.remove(spool.files()[0])
    agent.registry.start()
    _, _, journal = agent.call("report")
    assert journal.count("The registry says: 1 reports of gw1 before number 3 never arrived.") == 1
