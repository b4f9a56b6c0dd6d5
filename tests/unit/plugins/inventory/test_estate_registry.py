# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin over the real registry: what changed, what is cached, what somebody edited, and silence."""

from __future__ import annotations

import json
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from ansible.errors import AnsibleError
from bocage_core._common import dsse


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every signature that is computed, by what was signed."""
    from ansible_collections.bocage.fleet.plugins.module_utils._common import dsse

    found: list[bytes] = []
    verify = dsse.verify_signature

    def count(key: bytes, signature: bytes, message: bytes, what: str = "") -> None:
        found.append(message)
        verify(key, signature, message, what)

    monkeypatch.setattr(dsse, "verify_signature", count)
    return found


def cache_file(folder: Any) -> Path:
    (found,) = (folder.path.parent / "cache").glob("inventory-*.db")
    return found


def reporting(folder: Any, registry: Any, name: str = "gw1", *, here: bool = True) -> Any:
    host = folder.enrolled(name) if here else folder.estate.host(name)
    registry.enrol(host)
    registry.report(host)
    return host


def test_each_byte_string_is_verified_once(folder: Any, registry: Any, checked: list[bytes]) -> None:
    first, second = reporting(folder, registry), reporting(folder, registry, "gw2")
    loaded = folder.load()
    assert loaded.state("gw1") == loaded.state("gw2") == "state_fresh"
    assert len(checked) == 4, "two enrolments, which the folder and the registry both have, and two reports"
    checked.clear()
    assert folder.load().state() == "state_fresh"
    assert checked == []
    registry.report(first)
    loaded = folder.load()
    assert (loaded.reported("gw1")["counter"], loaded.reported("gw2")["counter"]) == (2, 1)
    assert len(checked) == 1
    assert second.counter == 1


def test_only_what_changed_is_asked_for(folder: Any, registry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.bocage.fleet.plugins.plugin_utils import registry_client

    monkeypatch.setattr(registry_client, "PAGE", 1)
    host, _other = reporting(folder, registry), reporting(folder, registry, "gw2")
    registry.asked.clear()
    folder.load()
    assert registry.asked == ["/v1/hosts"] * 2
    registry.report(host)
    registry.asked.clear()
    assert folder.load().reported()["counter"] == 2
    assert registry.asked == ["/v1/hosts"], "one page with one host"


def test_an_enrolment_that_the_checkout_lacks_comes_from_the_registry(folder: Any, registry: Any) -> None:
    reporting(folder, registry, here=False)
    assert folder.load().state() == "state_fresh"


def test_a_later_generation_of_the_registry_counts(folder: Any, registry: Any) -> None:
    host = reporting(folder, registry)
    later = host.successor()
    registry.enrol(later)
    loaded = folder.load()
    assert loaded.state() == "state_missing" and loaded.reported()["enrolment"]["generation"] == 2
    registry.report(later)
    assert folder.load().state() == "state_fresh"


def test_a_checkout_that_is_ahead_of_the_registry(folder: Any, registry: Any) -> None:
    host = reporting(folder, registry)
    folder.enrol(host.successor())
    loaded = folder.load()
    assert loaded.state() == "state_missing" and loaded.reported()["enrolment"]["generation"] == 2


def edited(raw: str) -> bytes:
    """An envelope in which one character of the payload is another."""
    envelope = json.loads(raw)
    payload = envelope["payload"]
    envelope["payload"] = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    return json.dumps(envelope).encode()


@pytest.mark.parametrize("cold", [True, False])
def test_a_database_that_was_edited_by_hand(folder: Any, registry: Any, cold: bool) -> None:
    host, _other = reporting(folder, registry), reporting(folder, registry, "gw2")
    good = host.report_bytes()
    registry.post("reports", good)
    if not cold:
        assert folder.load().state() == "state_fresh"
    registry.edit(host, report=edited(good))
    loaded = folder.load()
    assert loaded.state("gw1") == "state_untrusted" and loaded.state("gw2") == "state_fresh"
    assert "sections" not in loaded.reported("gw1")
    registry.edit(host, report=good)
    assert folder.load().state("gw1") == "state_fresh"


@pytest.mark.parametrize("garbage", [b"{}", b"not json", b'"text"', b"[1]", b'{"unreadable": 5}'])
def test_garbage_in_the_database(folder: Any, registry: Any, garbage: bytes) -> None:
    host = reporting(folder, registry)
    registry.edit(host, report=garbage)
    assert folder.load().state() == "state_untrusted"
    registry.edit(host, enrolment=garbage)
    loaded = folder.load()
    assert loaded.state() == "state_untrusted" and loaded.reported()["enrolment"]["generation"] == 1


def test_an_old_report_put_back_into_the_database(folder: Any, registry: Any) -> None:
    host = folder.enrolled()
    registry.enrol(host)
    old, new = host.report_bytes(), host.report_bytes()
    registry.post("reports", old)
    registry.post("reports", new)
    assert folder.load().reported()["counter"] == 2
    registry.edit(host, report=old)
    loaded = folder.load()
    assert loaded.state() == "state_untrusted" and "counter" not in loaded.reported()


def test_documents_of_another_host_put_in_place(folder: Any, registry: Any) -> None:
    host, other = reporting(folder, registry), reporting(folder, registry, "gw2")
    registry.edit(host, enrolment=other.enrolment_bytes, report=other.report_bytes())
    loaded = folder.load()
    assert loaded.state("gw1") == "state_untrusted" and loaded.state("gw2") == "state_fresh"


def test_a_report_that_was_removed_is_not_missing_but_lost(folder: Any, registry: Any) -> None:
    host = reporting(folder, registry)
    folder.load()
    registry.edit(host, report=None)
    loaded = folder.load()
    assert loaded.state() == "state_lost" and "no longer has the report" in loaded.reported()["reason"]


def test_a_fork_that_the_registry_saw_is_proven(folder: Any, registry: Any) -> None:
    host = folder.enrolled()
    registry.enrol(host)
    registry.report(host)
    previous = host.previous
    registry.report(host)
    host.counter, host.previous = 1, previous
    answer = httpx.post(f"{registry.url}/v1/reports", content=host.report_bytes(boot_id="2"), trust_env=False)
    assert answer.json()["code"] == "forked"
    assert folder.load().state() == "state_untrusted"
    later = folder.enrol(host.successor())
    registry.enrol(later)
    registry.report(later)
    assert folder.load().state() == "state_fresh", "a new generation repairs it"


def test_a_registry_that_is_down_leaves_the_cache_marked_stale(folder: Any, registry: Any) -> None:
    reporting(folder, registry), folder.enrolled("gw2")
    fresh = folder.load()
    registry.stop()
    for _run in range(2):
        loaded = folder.load()
        assert (loaded.state("gw1"), loaded.state("gw2")) == ("state_stale", "state_missing")
        assert loaded.reported()["sections"] == fresh.reported()["sections"]
        assert loaded.reported()["reason"].startswith("The registry did not answer; the report of gw1 is of")
        (warning,) = loaded.warnings
        assert "did not answer" in warning and warning.endswith("The state of hosts is that of the last answer.")
    with pytest.raises(AnsibleError, match="did not answer"):
        folder.load_strictly(strict=True)
    registry.start()
    assert folder.load_strictly(strict=True).state() == "state_fresh"


def test_a_registry_that_is_not_installed_yet_is_no_warning(folder: Any) -> None:
    folder.enrolled()
    config = {"registry_url": "https://registry.test.internal", "token_file": "reader.token"}
    loaded = folder.load(**config)
    assert loaded.state() == "state_missing" and loaded.warnings == []
    with pytest.raises(AnsibleError, match=r"reader\.token is not there yet"):
        folder.load_strictly(**config, strict=True)


def test_a_wrong_token_is_named(folder: Any, registry: Any) -> None:
    folder.enrolled()
    (folder.path / "reader.token").write_text("other")
    assert "does not know the token" in folder.load().warnings[0]


def test_another_reader_sees_everything_anew(folder: Any, registry: Any) -> None:
    reporting(folder, registry)
    folder.load()
    cache = sqlite3.connect(cache_file(folder))
    with cache:
        # As if the first token had been one that does not see this host.
        cache.execute("DELETE FROM hosts")
    cache.close()
    assert folder.load().state() != "state_fresh"
    assert folder.load(registry_url=registry.url.replace("127.0.0.1", "localhost")).state() == "state_fresh"


def test_a_database_that_was_lost(folder: Any, registry: Any) -> None:
    host = reporting(folder, registry)
    folder.load()
    registry.stop()
    registry.database.unlink()
    registry.start()
    assert folder.load().state() == "state_fresh", "what was verified stays known until it is old"
    registry.enrol(host)
    registry.report(host)
    assert folder.load().reported()["counter"] == 2


def test_the_cache_is_private_and_can_be_lost(folder: Any, registry: Any) -> None:
    reporting(folder, registry)
    folder.load()
    path = cache_file(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.write_bytes(b"SQLite format 3\0 no longer")
    assert folder.load().state() == "state_fresh"
    path.chmod(0o644)
    loaded = folder.load()
    assert loaded.state() == "state_fresh" and "open to others" in loaded.warnings[0]


def test_a_cache_of_another_key_is_forgotten(folder: Any, registry: Any, checked: list[bytes]) -> None:
    reporting(folder, registry)
    folder.load()
    other = dsse.public_key_to_pem(dsse.public_key_of(dsse.generate_private_key()))
    (folder.path / "trust/enrolment.pub").write_bytes(other)
    loaded = folder.load()
    assert loaded.state() == "state_untrusted" and "enrolment" not in loaded.reported()


def test_bytes_edited_in_the_cache_are_verified_again(folder: Any, registry: Any) -> None:
    reporting(folder, registry)
    folder.load()
    connection = sqlite3.connect(cache_file(folder))
    with connection:
        (raw,) = connection.execute("SELECT report FROM hosts").fetchone()
        connection.execute("UPDATE hosts SET report = ?", (edited(raw.decode()),))
    connection.close()
    assert folder.load().state() == "state_untrusted"


def test_as_of_from_the_history(folder: Any, registry: Any) -> None:
    start = folder.estate.now - timedelta(hours=4)
    host = folder.enrolled(issued_at=start - timedelta(days=1))
    registry.enrol(host)
    moments = [start + timedelta(minutes=minutes) for minutes in (0, 60, 120)]
    for moment in moments:
        registry.report(host, issued_at=moment)
    for counter, moment in enumerate(moments, start=1):
        loaded = folder.load(as_of=(moment + timedelta(seconds=60)).isoformat())
        assert (loaded.state(), loaded.reported()["counter"]) == ("state_fresh", counter)
    assert folder.load(as_of=(start - timedelta(minutes=1)).isoformat()).state() == "state_missing"
    folder.config["as_of"] = None
    assert folder.load().reported()["counter"] == 3


def test_as_of_without_a_registry_is_an_error(folder: Any, registry: Any) -> None:
    folder.enrolled()
    registry.stop()
    with pytest.raises(AnsibleError, match="did not answer"):
        folder.load_strictly(as_of="2026-01-31T08:30:00Z")
    with pytest.raises(AnsibleError, match="needs a registry or reports"):
        folder.load_strictly(as_of="2026-01-31T08:30:00Z", registry_url=None, token_file=None)


def test_a_clock_that_runs_ahead_is_told(folder: Any, registry: Any) -> None:
    host = folder.enrolled()
    registry.enrol(host)
    registry.report(host, issued_at=folder.estate.now + timedelta(hours=1))
    loaded = folder.load()
    assert loaded.state() == "state_fresh" and "clock of gw1 is ahead" in loaded.reported()["reason"]


def test_many_documents_are_proved_by_several_processes(
    folder: Any, registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.bocage.fleet.plugins.module_utils._state import inventory_verify

    monkeypatch.setattr(inventory_verify, "ENOUGH_FOR_WORKERS", 1)
    monkeypatch.setattr(inventory_verify.os, "cpu_count", lambda: 2)
    host, _other = reporting(folder, registry), reporting(folder, registry, "gw2")
    registry.edit(host, report=edited(host.report_bytes().decode()))
    loaded = folder.load()
    assert loaded.state("gw1") == "state_untrusted" and loaded.state("gw2") == "state_fresh"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"registry_url": "http://registry.test.internal"}, "must begin with https://"),
        ({"registry_url": "https://x", "token_file": None}, "registry_url needs token_file"),
        ({"reports": "reports"}, "either registry_url or reports"),
        ({"ssh_tunnel": {"user": "root"}}, "ssh_tunnel needs a host"),
        ({"ssh_tunnel": {"host": "hub1", "prot": 22}}, "ssh_tunnel does not know prot"),
    ],
)
def test_options_that_cannot_be_used(folder: Any, registry: Any, config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AnsibleError, match=sentence):
        folder.load_strictly(**config)
