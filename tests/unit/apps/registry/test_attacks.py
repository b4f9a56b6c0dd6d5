# SPDX-License-Identifier: GPL-3.0-or-later
"""Each attack on the registry: refused with its own code, and nothing of it stored."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from bocage_core._common import dsse
from bocage_core._common.refused import Refused
from bocage_core._state import acceptance
from bocage_core._state import enrolment as enrolments
from bocage_core._state import report as reports


def assert_refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    sentence: str = answer.json()["error"]
    assert sentence.endswith(".")
    return sentence


def newest(registry: Any) -> list[Any]:
    return [one["report"] for one in registry.read("/v1/hosts").json()["hosts"]]


def test_attack_bad_signature(registry: Any) -> None:
    host = registry.enrolled()
    envelope = json.loads(host.report_bytes())
    envelope["payload"] = json.loads(host.report_bytes())["payload"]
    assert_refused(registry.report(json.dumps(envelope).encode()), 403, "bad_signature")
    assert newest(registry) == [None]


def test_attack_unknown_host(registry: Any, signed_estate: Any) -> None:
    sentence = assert_refused(registry.report(signed_estate.host().report_bytes()), 404, "unknown_host")
    assert "send the enrolment first" in sentence


def test_attack_replayed(registry: Any) -> None:
    host = registry.enrolled()
    first, second = host.report_bytes(), host.report_bytes()
    assert registry.report(first).status_code == 200
    assert registry.report(second).status_code == 200
    assert_refused(registry.report(first), 409, "replayed")
    assert newest(registry) == [json.loads(second)]


def test_attack_replayed_in_other_bytes(registry: Any) -> None:
    """The newest report with other spaces around the same signed payload is not the same delivery."""
    host = registry.enrolled()
    raw = host.report_bytes()
    registry.report(raw)
    assert_refused(registry.report(raw + b"\n"), 409, "replayed")


def test_attack_old_counter(registry: Any) -> None:
    host = registry.enrolled()
    never_sent = host.report_bytes()
    host.report()
    assert registry.report(host.report_bytes()).status_code == 200
    assert_refused(registry.report(never_sent), 409, "old_counter")


def test_attack_oversized(registry: Any) -> None:
    host = registry.enrolled()
    large = host.report_bytes(sections={"filler": {"list": ["x" * 25000]}})
    assert len(large) > reports.MAX_REPORT_BYTES
    assert_refused(registry.report(large), 413, "oversized")
    assert_refused(registry.ask("POST", "/v1/enrolments", content=b" " * 9000), 413, "oversized")


def test_attack_oversized_with_a_false_length(registry: Any) -> None:
    """The body is counted as it comes; a small declared length does not open the door, and reading stops early."""
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 4096

    answer = registry.ask("POST", "/v1/reports", content=endless(), headers={"Content-Length": "10"})
    assert_refused(answer, 413, "oversized")
    assert sent < 20


def test_attack_somebody_elses_host_id(registry: Any) -> None:
    host, victim = registry.enrolled("gw1"), registry.enrolled("gw2")
    raw = host.report_bytes(host_id=victim.enrolment.host_id)
    assert_refused(registry.report(raw), 403, "wrong_host")
    assert newest(registry) == [None, None]


def test_attack_enrolment_of_a_known_name_with_a_new_key(registry: Any, signed_estate: Any) -> None:
    host = registry.enrolled("gw1")
    same_id = signed_estate.host("gw1", host_id=host.enrolment.host_id)
    assert_refused(registry.enrol(same_id), 409, "enrolment_conflict")
    assert_refused(registry.enrol(signed_estate.host("gw1")), 409, "enrolment_conflict")
    assert registry.report(host.report_bytes()).status_code == 200
    assert_refused(registry.report(same_id.report_bytes()), 404, "unknown_host")


def test_attack_enrolment_signed_by_nobody_we_know(registry: Any, signed_estate: Any) -> None:
    forged = enrolments.sign(signed_estate.host().enrolment, dsse.generate_private_key())
    answer = registry.ask("POST", "/v1/enrolments", content=json.dumps(forged).encode())
    assert_refused(answer, 403, "bad_signature")


def test_attack_one_report_key_for_two_hosts(registry: Any, signed_estate: Any) -> None:
    host = registry.enrolled("gw1")
    clone = signed_estate.host("gw2", report_key=host.enrolment.report_key)
    sentence = assert_refused(registry.enrol(clone), 409, "enrolment_conflict")
    assert "already enrolled for gw1" in sentence


def test_attack_payload_type_confusion(registry: Any, signed_estate: Any) -> None:
    host = registry.enrolled()
    as_report = dsse.sign(host.enrolment.to_payload(), enrolments.PAYLOAD_TYPE, host.report_private)
    assert_refused(registry.report(json.dumps(as_report).encode()), 400, "wrong_type")
    as_enrolment = dsse.sign(host.report().to_payload(), reports.PAYLOAD_TYPE, signed_estate.private)
    answer = registry.ask("POST", "/v1/enrolments", content=json.dumps(as_enrolment).encode())
    assert_refused(answer, 400, "wrong_type")


def test_attack_revoked_host(registry: Any) -> None:
    host = registry.enrolled()
    good = host.enrolment
    host.enrolment = replace(good, kind="revocation")
    assert registry.enrol(host).status_code == 200
    assert_refused(registry.report(host.report_bytes()), 403, "revoked")
    host.enrolment = replace(good, issued_at=good.issued_at + timedelta(days=1))
    assert_refused(registry.enrol(host), 403, "revoked")


def test_attack_clone_with_the_same_key(registry: Any) -> None:
    host = registry.enrolled()
    common = host.report()
    registry.report(host.sign(common))
    original = host.report_bytes()
    host.counter, host.previous = common.counter, common.digest
    clone = host.report_bytes(boot_id="2")
    assert registry.report(original).status_code == 200
    assert_refused(registry.report(clone), 409, "forked")
    (entry,) = registry.read("/v1/hosts").json()["hosts"]
    assert entry["report"] == json.loads(original)
    pair = [reports.verify(one, host.enrolment.report_key) for one in entry["fork"]]
    assert "two different reports with the counter 2" in str(acceptance.proof_of_fork(*pair, "gw1"))


def test_attack_restored_snapshot(registry: Any) -> None:
    host = registry.enrolled()
    chain = [host.report() for _ in range(4)]
    for report in chain:
        assert registry.report(host.sign(report)).status_code == 200
    registry.offset = timedelta(hours=3)
    registry.app.state.store.thin_history()
    host.counter, host.previous = 1, chain[0].digest
    restored = host.report_bytes(issued_at=registry.estate.now + timedelta(hours=2))
    sentence = assert_refused(registry.report(restored), 409, "forked")
    assert "went back from 4 to 2" in sentence
    (entry,) = registry.read("/v1/hosts").json()["hosts"]
    pair = [reports.verify(one, host.enrolment.report_key) for one in entry["fork"]]
    assert acceptance.proof_of_fork(*pair, "gw1") is not None


def test_a_new_generation_ends_the_fork(registry: Any) -> None:
    host = registry.enrolled()
    registry.report(host.report_bytes())
    host.counter = 0
    assert_refused(registry.report(host.report_bytes(boot_id="2")), 409, "forked")
    following = host.successor()
    assert registry.enrol(following).status_code == 200
    (entry,) = registry.read("/v1/hosts").json()["hosts"]
    assert (entry["fork"], entry["report"], entry["received_at"]) == (None, None, None)
    assert registry.report(following.report_bytes()).status_code == 200
    assert_refused(registry.report(host.report_bytes()), 404, "unknown_host")


def test_reports_of_another_generation(registry: Any) -> None:
    host = registry.enrolled(generation=2)
    assert_refused(registry.report(host.report_bytes(generation=1)), 409, "old_generation")
    assert_refused(registry.report(host.report_bytes(generation=3)), 409, "unknown_generation")


@pytest.mark.parametrize("column", ["report", "enrolment"])
def test_attack_database_edited_by_hand_is_seen_by_whoever_verifies(registry: Any, tmp_path: Path, column: str) -> None:
    host, honest = registry.enrolled("gw1"), registry.enrolled("gw2")
    for one in (host, honest):
        registry.report(one.report_bytes())
    stored = json.loads(host.enrolment_bytes if column == "enrolment" else host.report_bytes(counter=1, previous=None))
    payload = stored["payload"]
    stored["payload"] = ("A" if payload[0] != "A" else "B") + payload[1:]
    with sqlite3.connect(tmp_path / "registry.db") as database:
        edit = f"UPDATE hosts SET {column} = ? WHERE host_id = ?"
        database.execute(edit, (json.dumps(stored).encode(), host.enrolment.host_id))
    entries = {one["host_id"]: one for one in registry.read("/v1/hosts").json()["hosts"]}
    verify_entry(entries[honest.enrolment.host_id], registry.estate)
    with pytest.raises(Refused) as refusal:
        verify_entry(entries[host.enrolment.host_id], registry.estate)
    assert refusal.value.code == "bad_signature"


def test_attack_garbage_in_the_database_spoils_no_other_host(registry: Any, tmp_path: Path) -> None:
    host, honest = registry.enrolled("gw1"), registry.enrolled("gw2")
    registry.report(honest.report_bytes())
    with sqlite3.connect(tmp_path / "registry.db") as database:
        database.execute("UPDATE hosts SET report = ? WHERE name = 'gw1'", (b'"}], [\xff',))
    entries = {one["host_id"]: one for one in registry.read("/v1/hosts").json()["hosts"]}
    verify_entry(entries[honest.enrolment.host_id], registry.estate)
    with pytest.raises(Refused) as refusal:
        verify_entry(entries[host.enrolment.host_id], registry.estate)
    assert refusal.value.code == "malformed"


def test_a_damaged_enrolment_is_replaced_by_the_hosts_own_copy(registry: Any, tmp_path: Path) -> None:
    host = registry.enrolled("gw1")
    registry.report(host.report_bytes())
    with sqlite3.connect(tmp_path / "registry.db") as database:
        database.execute("UPDATE hosts SET enrolment = ?", (b"{}",))
    assert_refused(registry.report(host.report_bytes()), 404, "unknown_host")
    assert registry.enrol(host).status_code == 200
    assert registry.report(host.report_bytes()).status_code == 200


def verify_entry(entry: dict[str, Any], estate: Any) -> None:
    """What the inventory does with an entry."""
    enrolment = enrolments.verify(entry["enrolment"], estate.public)
    acceptance.verify_report(entry["report"], enrolment, now=estate.now)
