# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host does with actions: judged as if an attacker handed them over, done once, answered."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import action_store, action_verbs, packages_verbs
from bocage_agent import listen as listen_module
from bocage_agent.action_store import ActionStore, read_section
from bocage_agent.action_verbs import Child
from bocage_agent.main import PACKAGE_VERBS
from bocage_core._common import dsse
from bocage_core._common.refused import Refused
from bocage_core._state import action as actions
from listening_host import Ear


def test_an_action_is_done_and_answered(ear: Ear) -> None:
    action = ear.estate.action(ear.host, verb="upgrade")
    assert ear.hear(ear.estate.sign_action(action)) == ["upgrade"]
    answer = ear.answer(action)
    assert (answer["state"], answer["result"], answer["status"]) == ("done", "2 packages were upgraded.", 0)
    assert (answer["verb"], answer["role"], answer["key"]) == ("upgrade", "operator", "anna")
    assert ear.listener.news.is_set(), "a report follows at once"
    assert f"anna as operator asks for upgrade (action {action.nonce})." in ear.said


def test_a_verb_that_fails_says_why(ear: Ear) -> None:
    ear.script = "import sys; print('The package vim is not there.', file=sys.stderr); sys.exit(3)"
    action = ear.estate.action(ear.host, verb="remove", arguments={"packages": ["vim"]})
    ear.hear(ear.estate.sign_action(action))
    answer = ear.answer(action)
    assert (answer["state"], answer["result"], answer["status"]) == ("failed", "The package vim is not there.", 3)
    assert ear.begun[-1] == [action_verbs.PROGRAM, "remove", "--wait", "300", "--", "vim"]


def test_the_agent_has_a_verb_for_each_that_can_be_asked_for(ear: Ear) -> None:
    assert actions.VERBS.keys() - action_verbs.NOTHING_TO_DO <= PACKAGE_VERBS
    for verb, kind in actions.VERBS.items():
        arguments = {} if kind.packages == "none" else {"packages": ["vim"]}
        command = action_verbs.command_of(ear.estate.action(ear.host, verb=verb, arguments=arguments))
        if verb not in action_verbs.NOTHING_TO_DO:
            assert packages_verbs._options(command[1:]).packages == arguments.get("packages", [])


def test_a_report_is_its_own_answer(ear: Ear) -> None:
    action = ear.estate.action(ear.host, verb="report")
    assert ear.hear(ear.estate.sign_action(action)) == []
    assert ear.answer(action)["state"] == "done"


def test_what_takes_long_is_reported_as_begun(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen_module, "SOON_SECONDS", 0.01)
    told: list[str] = []
    action = ear.estate.action(ear.host)

    class News(threading.Event):
        def set(self) -> None:
            told.append(ear.answer(action)["state"])

    ear.listener.news = News()
    ear.script = "import time; time.sleep(0.3)"
    ear.hear(ear.estate.sign_action(action))
    assert told == ["running", "done"]


def test_what_has_no_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_verbs, "GRACE_SECONDS", 0.1)
    ended = Child([sys.executable, "-c", "import time; time.sleep(60)"], 0).wait()
    assert (ended.status, ended.words) == (124, "It did not end within 0 seconds.")


def test_a_program_that_is_not_there(ear: Ear) -> None:
    ear.listener._begin = lambda *_arguments: Child(["/nonexistent/agent"], 1)
    action = ear.estate.action(ear.host)
    ear.hear(ear.estate.sign_action(action))
    assert ear.answer(action)["result"] == "The program did not start: No such file or directory."


# -- attacks


def test_attack_replayed_action(ear: Ear) -> None:
    """Handed over again: at once, after a restart, and after the nonce was forgotten with the clock put back."""
    action = ear.estate.action(ear.host)
    raw = ear.estate.sign_action(action)
    assert ear.hear(raw) == ["update"]
    assert ear.hear(raw) == []
    ear.start()
    assert ear.hear(raw) == []
    assert (ear.section["refused"], ear.answer(action)["state"]) == ({"replayed": 2}, "done")

    ear.offset = timedelta(seconds=200)
    later = ear.estate.action(ear.host, issued_at=ear.clock(), not_after=ear.clock() + timedelta(seconds=60))
    assert ear.hear(ear.estate.sign_action(later)) == ["update"]
    assert action.nonce not in json.loads((ear.settings.state_directory / action_store.FILE).read_text())["nonces"]
    ear.offset = timedelta(seconds=5)
    assert ear.hear(raw) == []
    assert ear.section["refused"] == {"replayed": 3}


def test_attack_replayed_action_after_the_memory_was_lost(ear: Ear) -> None:
    raw = ear.estate.action_bytes(ear.host)
    ear.hear(raw)
    path = ear.settings.state_directory / action_store.FILE
    for damage in (path.unlink, lambda: path.write_text("{")):
        damage()
        ear.offset += timedelta(seconds=5)
        ear.start()
        assert ear.hear(raw) == []
        assert ear.section["refused"] == {"expired": 1}
    assert any("It was begun anew" in line for line in ear.said)


def test_attack_altered_action(ear: Ear) -> None:
    """Another verb, other hosts, a later end: each under the signature of the original."""
    action = ear.estate.action(ear.host)
    envelope = json.loads(ear.estate.sign_action(action))
    payload = json.loads(base64.b64decode(envelope["payload"]))
    for changes in ({"verb": "upgrade"}, {"not_after": "2099-01-01T00:00:00Z"}, {"nonce": "0" * 32}, {"host_ids": []}):
        altered = json.dumps({**payload, **changes}, sort_keys=True, separators=(",", ":")).encode()
        raw = json.dumps({**envelope, "payload": base64.b64encode(altered).decode()}).encode()
        assert ear.hear(raw) == []
    assert ear.section == {"answers": {}, "refused": {"bad_signature": 4}, "problem": None}
    assert not ear.listener.news.is_set(), "whoever keeps the registry cannot make hosts report"


def test_attack_action_for_another_host(ear: Ear) -> None:
    action = ear.estate.action(ear.estate.host("gw2"))
    assert ear.hear(ear.estate.sign_action(action)) == []
    assert ear.section == {"answers": {}, "refused": {"wrong_host": 1}, "problem": None}


def test_attack_action_signed_by_somebody_else(ear: Ear) -> None:
    action = ear.estate.action(ear.host)
    for key in (dsse.generate_private_key(), ear.host.report_private, ear.estate.private):
        assert ear.hear(ear.estate.sign_action(action, key)) == []
    assert ear.section["refused"] == {"bad_signature": 3}


def test_attack_action_in_a_role_that_its_key_has_not(ear: Ear) -> None:
    """Anna is an operator; only deployers install here."""
    told = []
    for role, verb in (("deployer", "install"), ("operator", "install")):
        action = ear.estate.action(ear.host, verb=verb, role=role, arguments={"packages": ["rootkit"]})
        assert ear.hear(ear.estate.sign_action(action)) == []
        answer = ear.answer(action)
        assert (answer["state"], answer["code"]) == ("refused", "not_permitted")
        told.append(answer["result"])
    assert told == [
        "The key anna may not act as deployer on this host.",
        "The role operator may not ask this host for install.",
    ]
    assert ear.listener.news.is_set(), "the operator is told"


def test_attack_action_that_is_handed_over_too_late(ear: Ear) -> None:
    """A registry keeps an action for a worse time."""
    action = ear.estate.action(ear.host)
    ear.offset = timedelta(seconds=61)
    assert ear.hear(ear.estate.sign_action(action)) == []
    answer = ear.answer(action)
    assert (answer["state"], answer["code"]) == ("refused", "expired")
    assert "it came too late, or one of the clocks is wrong" in answer["result"]


@pytest.mark.parametrize(("days", "code"), [(365, "expired"), (-365, "wrong_clock")])
def test_a_clock_that_is_wrong_by_a_year_is_told(ear: Ear, days: int, code: str) -> None:
    action = ear.estate.action(ear.host)
    ear.offset = timedelta(days=days)
    assert ear.hear(ear.estate.sign_action(action)) == []
    assert (ear.answer(action)["state"], ear.answer(action)["code"]) == ("refused", code)


def test_attack_old_actions_push_no_answer_away(ear: Ear) -> None:
    """All that was ever signed, handed over at once: few refusals are kept, and what was done stays."""
    done = ear.estate.action(ear.host)
    ear.hear(ear.estate.sign_action(done))
    for _ in range(30):
        old = ear.estate.now - timedelta(seconds=90)
        ear.hear(ear.estate.action_bytes(ear.host, issued_at=old, not_after=old + timedelta(seconds=60)))
    assert ear.answer(done)["state"] == "done"
    assert len(ear.section["answers"]) == 1 + action_store.MOST_REFUSED
    assert ear.section["refused"] == {"expired": 30}


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"payload": 1}', b"{" * 60_000, b"A" * 60_000])
def test_attack_bytes_that_are_no_action(ear: Ear, raw: bytes) -> None:
    assert ear.hear(raw) == []
    assert ear.section["answers"] == {}


# -- memory


def test_a_nonce_is_on_the_disk_before_anything_is_done(ear: Ear) -> None:
    action = ear.estate.action(ear.host)
    found: list[Any] = []

    def begin(command: Sequence[str], seconds: int, name: str) -> Child:
        found.append(json.loads((ear.settings.state_directory / action_store.FILE).read_text()))
        return Child([sys.executable, "-c", ""], 5)

    ear.listener._begin = begin
    ear.hear(ear.estate.sign_action(action))
    assert action.nonce in found[0]["nonces"]
    assert found[0]["answers"][0]["state"] == "running"


def test_a_disk_that_is_full_does_nothing_and_takes_it_later(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = ear.estate.action_bytes(ear.host)

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(action_store.atomic, "write_file", full)
        with pytest.raises(OSError, match="No space"):
            ear.hear(raw)
    assert ear.begun == []
    assert ear.hear(raw) == ["update"]


def test_what_was_interrupted_is_told_and_not_done_again(ear: Ear) -> None:
    action = ear.estate.action(ear.host)
    ear.listener.judge(ear.estate.sign_action(action))
    ear.start()
    assert ear.listener.accepted.empty()
    assert (ear.answer(action)["state"], ear.answer(action)["result"]) == (
        "failed",
        "The host or its listener was restarted before the end was seen.",
    )


def test_a_memory_that_was_begun_with_a_wrong_clock_does_not_refuse_for_a_year(agent: Any, signed_estate: Any) -> None:
    ear = Ear(agent, signed_estate, timedelta(days=365))
    ear.offset = timedelta()
    ear.start()
    assert ear.hear(ear.estate.action_bytes(ear.host)) == ["update"]


def test_the_memory_is_bounded(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_store, "MAX_NONCES", 17)
    for _ in range(17):
        assert ear.hear(ear.estate.action_bytes(ear.host)) == ["update"]
    assert len(ear.section["answers"]) == action_store.MOST_DONE
    assert ear.hear(ear.estate.action_bytes(ear.host)) == []
    assert ear.section["refused"] == {"too_many": 1}
    ear.offset = timedelta(seconds=100)
    later = ear.estate.action(ear.host, issued_at=ear.clock(), not_after=ear.clock() + timedelta(seconds=9))
    assert ear.hear(ear.estate.sign_action(later)) == ["update"]


def test_one_that_nobody_wrote_has_no_section(tmp_path: Path) -> None:
    assert read_section(tmp_path / "none.json") is None
    (tmp_path / "actions.json").write_text("[]")
    found = read_section(tmp_path / "actions.json")
    assert found is not None and "is not an object" in found["problem"]
    with pytest.raises(Refused):
        ActionStore(tmp_path / "new.json", datetime.fromisoformat("2026-01-01T00:00:00Z")).check(
            actions.Action((), "update", {}, "r", *[datetime.fromisoformat("2025-01-01T00:00:00Z")] * 2, "0" * 32)
        )


def test_the_report_carries_the_answers(ear: Ear) -> None:
    action = ear.estate.action(ear.host)
    ear.hear(ear.estate.sign_action(action))
    _status, output, _errors = ear.agent.call("report", "--print")
    assert json.loads(output)["sections"]["actions"]["answers"][action.nonce]["state"] == "done"
