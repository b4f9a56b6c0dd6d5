# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host does with actions: judged as if an attacker handed them over, done once, answered."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import action_store, action_verbs
from bocage_agent import listen as listen_module
from bocage_agent.action_store import ActionStore, read_section
from bocage_agent.action_verbs import Child
from bocage_agent.deliver import Answer, Client, Unreachable
from bocage_agent.listen import Listener
from bocage_agent.settings import read_settings
from bocage_core._common import dsse
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._state import action as actions
from bocage_core._state.sections import check_sections


@dataclass
class Ear:
    """A host with its policy, whose children only say what they would have done."""

    agent: Any
    estate: Any
    offset: timedelta = field(default_factory=timedelta)
    said: list[str] = field(default_factory=list)
    begun: list[list[str]] = field(default_factory=list)
    script: str = "print('first line'); print('2 packages were upgraded.')"

    def __post_init__(self) -> None:
        self.policy_file = self.agent.folder / "actions.json"
        self.policy_file.write_text(json.dumps(self.document()))
        self.agent.configure(actions_file=str(self.policy_file))
        self.start()

    def document(self) -> dict[str, Any]:
        policy = self.estate.policy
        return {
            "keys": {
                key.name: {"public_key": base64.b64encode(key.public).decode(), "roles": sorted(key.roles)}
                for key in policy.keys.values()
            },
            "roles": {role: sorted(verbs) for role, verbs in policy.roles.items()},
        }

    def start(self) -> None:
        self.settings = read_settings(self.agent.config)
        self.listener = Listener(self.settings, self.said.append, self.begin, self.clock)

    def clock(self) -> datetime:
        moment: datetime = self.estate.now + self.offset
        return moment

    def begin(self, command: Sequence[str], seconds: int, name: str) -> Child:
        self.begun.append(list(command))
        return Child([sys.executable, "-c", self.script], seconds)

    @property
    def host(self) -> Any:
        return self.agent.host

    def hear(self, raw: bytes) -> list[str]:
        """Judge an action, do what was accepted, and give the verbs that were done."""
        before = len(self.begun)
        self.listener.judge(raw)
        while not self.listener.accepted.empty():
            self.listener.do(self.listener.accepted.get())
        return [command[1] for command in self.begun[before:]]

    @property
    def section(self) -> dict[str, Any]:
        """What the next report says, in a form that a reader takes."""
        found = read_section(self.settings.state_directory / action_store.FILE)
        assert found is not None
        check_sections({"actions": found}, "the report")
        return found

    def answer(self, action: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.section["answers"][action.nonce]
        return found


@pytest.fixture
def ear(agent: Any, signed_estate: Any) -> Ear:
    return Ear(agent, signed_estate)


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
    assert ear.begun[-1] == [action_verbs.PROGRAM, "remove", "--", "vim"]


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


# -- the registry


def test_an_action_comes_through_a_real_registry(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    ear.agent.registry.start()
    ear.agent.call("report")
    registry = ear.agent.registry.app.state
    action = ear.estate.action(ear.host)
    registry.actions.add(ear.estate.sign_action(action))
    client = Client(ear.settings)
    try:
        assert ear.listener.ask(client) == listen_module.FIRST_PAUSE
        assert ear.listener.accepted.get_nowait() == action
        again = ear.estate.action(ear.host)
        threading.Timer(0.3, lambda: registry.actions.add(ear.estate.sign_action(again))).start()
        monkeypatch.setattr(listen_module, "WAIT_SECONDS", 1)
        ear.listener.ask(client)
        assert ear.listener.accepted.get_nowait() == again
        assert ear.section["refused"] == {}, "each action was handed over once"
    finally:
        client.close()


class Says:
    """A registry that says anything."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.given = Answer(status, document)
        self.asked: list[str] = []

    def get(self, path: str, authorization: str, seconds: int) -> Answer:
        self.asked.append(path)
        return self.given

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (404, {"code": "unknown_host", "error": "This host is not enrolled here."}),
        (200, {}),
        (200, {"actions": {}, "cursor": "1"}),
        (200, {"actions": [], "cursor": "1" * 100}),
        (503, {}),
    ],
)
def test_a_registry_that_does_not_hand_out_actions_is_asked_later(ear: Ear, status: int, document: Any) -> None:
    with pytest.raises(Unreachable):
        ear.listener.ask(Says(status, document))


def test_attack_a_registry_that_answers_at_once_for_ever_is_asked_once_a_second(ear: Ear) -> None:
    says = Says(200, {"actions": ["x"] * 100, "cursor": "e&f.1", "retry_seconds": 0})
    assert ear.listener.ask(says) == 1.0
    assert ear.section["refused"] == {"malformed": 20}
    assert ear.listener.ask(says) == 1.0
    assert "after" not in says.asked[1], "its words are not put into an address"


def test_a_full_registry_is_asked_when_it_says(ear: Ear) -> None:
    assert ear.listener.ask(Says(200, {"actions": [], "cursor": "a.1", "retry_seconds": 15})) == 15.0


def test_without_a_policy_the_remedy_is_named(ear: Ear) -> None:
    ear.policy_file.unlink()
    with pytest.raises(
        BocageError, match=r"The policy of actions .* cannot be read: No such file or directory; run the"
    ):
        ear.start()
    status, _output, errors = ear.agent.call("listen")
    assert (status, errors.count("\n")) == (1, 1)
    ear.policy_file.write_text("{}")
    assert "lacks keys, roles" in ear.agent.call("listen")[2]
