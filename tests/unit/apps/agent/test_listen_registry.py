# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host asks a registry for its actions, whatever that answers."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from bocage_agent import listen as listen_module
from bocage_agent.deliver import Answer, Client, Unreachable
from bocage_core._common.errors import BocageError
from listening_host import Ear


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
