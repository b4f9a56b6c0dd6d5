# SPDX-License-Identifier: GPL-3.0-or-later
"""signed_action over the real registry: hosts that answer, refuse, fail and keep silent, and a registry that withholds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._state import action as actions
from ansible_collections.bocage.fleet.plugins.module_utils._state import trust as trust_folder
from ansible_collections.bocage.fleet.plugins.plugin_utils import action_run
from ansible_collections.bocage.fleet.plugins.plugin_utils.action_batches import batches
from ansible_collections.bocage.fleet.plugins.plugin_utils.action_run import Run, Wish
from ansible_collections.bocage.fleet.plugins.plugin_utils.registry_client import RegistryClient, RegistryFailed
from bocage_core._state import action as core_actions


class Control:
    """An operator, some hosts that do as a test says, and a clock that moves as he waits."""

    def __init__(self, folder: Any, registry: Any, *names: str) -> None:
        self.folder, self.registry, self.estate = folder, registry, folder.estate
        self.hosts = {name: folder.enrolled(name) for name in names}
        self.said: list[str] = []
        self.moment: datetime = self.estate.now
        self.behaviour: dict[str, Callable[[str], dict[str, Any] | None]] = {}
        self.done: set[tuple[str, str, str]] = set()
        for host in self.hosts.values():
            registry.enrol(host)
            registry.report(host, issued_at=self.moment - timedelta(seconds=30), sections=self.sections({}))

    def sections(self, answers: dict[str, Any]) -> dict[str, Any]:
        return {**self.estate.sections, "actions": {"answers": answers, "refused": {}, "problem": None}}

    def answers(self, *states: str, result: str = "") -> Callable[[str], dict[str, Any] | None]:
        """A host that says these states one after the other."""
        rest = list(states)

        def say(_nonce: str) -> dict[str, Any] | None:
            return None if not rest else {"state": rest.pop(0), "result": result}

        return say

    def sleep(self, seconds: float) -> None:
        """Time goes on: each host that was asked reports."""
        self.moment += timedelta(seconds=seconds)
        for name, host in self.hosts.items():
            waiting = self.registry_actions(host)
            for nonce in waiting[-1:]:
                told = self.behaviour.get(name, self.answers())(nonce)
                if told is not None:
                    answer = {"verb": "update", "role": "operator", "key": "anna", "code": None, "status": 0}
                    answer |= {"received_at": "2026-01-01T00:00:00Z", "ended_at": None, **told}
                    self.report(name, {nonce: answer})

    def registry_actions(self, host: Any) -> list[str]:
        found = self.registry.app.state.actions.pending(host.enrolment.host_id, None).envelopes
        return [core_actions.verify(raw, self.estate.policy.keys)[0].nonce for raw in found]

    def report(self, name: str, answers: dict[str, Any]) -> None:
        self.registry.report(self.hosts[name], issued_at=self.moment, sections=self.sections(answers))

    def go(self, size: int = 100, **changes: Any) -> tuple[Run, dict[str, str]]:
        words = {
            "verb": "update", "arguments": {}, "role": "operator", "valid_seconds": 60, "patience_seconds": 20,
            "wait_for": "finished", "allowed_failures": 0,
        }  # fmt: skip
        trust = trust_folder.read_trust(self.folder.path / "trust")
        with RegistryClient(self.registry.url, "token") as client:
            run = Run(
                client, trust, self.estate.action_private, Wish(**{**words, **changes}), self.said.append,
                lambda: self.moment, self.sleep,
            )  # fmt: skip
            ended = run.go(batches(self.hosts, trust, size))
        self.failed = [one.name for one in run.failures(ended)]
        return run, {one.name: one.state for one in ended}


@pytest.fixture
def control(folder: Any, registry: Any, monkeypatch: pytest.MonkeyPatch) -> Control:
    monkeypatch.setattr(action_run, "POLL_SECONDS", 10.0)
    return Control(folder, registry, "gw1", "gw2")


def test_hosts_answer_and_the_operator_sees_it(control: Control) -> None:
    control.behaviour = {
        "gw1": control.answers("done", result="Nothing to do."),
        "gw2": control.answers("accepted", "running", "done", result="2 packages were upgraded."),
    }
    run, states = control.go()
    assert states == {"gw1": "done", "gw2": "done"}
    assert control.failed == []
    assert len(run.nonces) == 1
    assert control.said == [
        "Batch 1 of 1: gw1, gw2 were asked for update as operator.",
        "gw1: done: Nothing to do.",
        "gw2: accepted: 2 packages were upgraded.",
        "gw2: running: 2 packages were upgraded.",
        "gw2: done: 2 packages were upgraded.",
    ]


def test_a_host_that_refuses_or_fails_fails_the_run(control: Control) -> None:
    control.behaviour = {
        "gw1": control.answers("refused", result="The key anna may not act as operator on this host."),
        "gw2": control.answers("failed", result="The disk is full."),
    }
    _run, states = control.go()
    assert states == {"gw1": "refused", "gw2": "failed"}
    assert control.failed == ["gw1", "gw2"]
    assert "gw1: refused: The key anna may not act as operator on this host." in control.said


def test_batches_stop_where_more_fail_than_are_allowed(control: Control) -> None:
    control.behaviour = {"gw1": control.answers("failed"), "gw2": control.answers("done")}
    _run, states = control.go(1)
    assert states == {"gw1": "failed"}
    assert control.said[-1] == "Stopped: 1 host: 1 failed; 1 further hosts were not asked."
    control.moment = control.estate.now
    control.behaviour = {"gw1": control.answers("failed"), "gw2": control.answers("done")}
    _run, states = control.go(1, allowed_failures=1)
    assert states == {"gw1": "failed", "gw2": "done"}


def test_a_host_that_is_off_is_silent(control: Control) -> None:
    control.behaviour = {"gw1": control.answers("done")}
    _run, states = control.go()
    assert states == {"gw1": "done", "gw2": "silent"}
    assert control.said[-1].startswith("gw2: silent: nothing was heard since ")
    assert control.said[-1].endswith("it is off or cut off, or the registry keeps its reports")
    assert control.moment - control.estate.now <= timedelta(seconds=90), "60 seconds and its patience"


def test_a_host_that_began_and_says_nothing_more_is_waited_for_as_long_as_was_said(control: Control) -> None:
    control.behaviour = {"gw1": control.answers("done"), "gw2": control.answers("running")}
    _run, states = control.go(busy_seconds=100)
    assert states == {"gw1": "done", "gw2": "silent"}
    assert "it began and has not said how it ended (running)" in control.said[-1]
    assert 180 <= (control.moment - control.estate.now).total_seconds() <= 190, "60, its patience of 20, and 100"


def test_attack_the_registry_keeps_an_action(control: Control) -> None:
    """A registry that says that it took an action, and hands it to nobody: the operator sees who was not asked."""
    control.behaviour = {"gw1": control.answers("done")}
    registry_sleep = control.sleep

    def sleep(seconds: float) -> None:
        registry_sleep(seconds)
        control.report("gw2", {})

    control.sleep = sleep  # type: ignore[method-assign]
    _run, states = control.go()
    assert states == {"gw1": "done", "gw2": "withheld"}
    assert "was not asked: the registry kept the action, or bocage-agent-listen does not run" in control.said[-1]
    assert control.failed == ["gw2"]


def test_attack_the_registry_answers_for_a_host(control: Control) -> None:
    """An answer that another key has signed: it is believed no more than any report."""
    stranger = control.estate.host("gw1", host_id=control.hosts["gw1"].enrolment.host_id)

    def forge(seconds: float) -> None:
        control.moment += timedelta(seconds=seconds)
        (nonce,) = control.registry_actions(control.hosts["gw1"])
        answer = {"verb": "update", "role": "operator", "key": "anna", "code": None, "state": "done", "result": ""}
        answer["received_at"] = "2026-01-01T00:00:00Z"
        raw = stranger.report_bytes(counter=9, issued_at=control.moment, sections=control.sections({nonce: answer}))
        control.registry.edit(control.hosts["gw1"], report=raw)

    control.sleep = forge  # type: ignore[method-assign]
    control.hosts.pop("gw2")
    _run, states = control.go()
    assert states == {"gw1": "untrusted"}
    assert control.said[-1].startswith("gw1: untrusted: The report of gw1 is not signed by the expected key")


def test_hosts_that_the_registry_does_not_know_are_told(control: Control) -> None:
    control.hosts["gw3"] = control.folder.enrolled("gw3")
    control.behaviour = {"gw1": control.answers("done"), "gw2": control.answers("done")}
    _run, states = control.go()
    assert states["gw3"] == "unknown"
    assert "gw3: unknown: the registry knows no such host; has it ever reported?" in control.said


def test_one_may_wait_for_less(control: Control) -> None:
    control.behaviour = {"gw1": control.answers("running"), "gw2": control.answers("accepted")}
    _run, states = control.go(wait_for="accepted")
    assert (states, control.failed) == ({"gw1": "running", "gw2": "accepted"}, [])
    _run, states = control.go(wait_for="sent")
    assert (states, control.failed) == ({"gw1": "waiting", "gw2": "waiting"}, [])


def test_who_works_is_waited_for_longer(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_run, "POLL_SECONDS", 60.0)
    control.hosts.pop("gw2")
    control.behaviour = {"gw1": control.answers("running")}
    _run, states = control.go()
    assert states == {"gw1": "silent"}
    assert control.moment - control.estate.now > timedelta(seconds=actions.VERBS["update"].seconds)
    assert control.said[-1] == "gw1: silent: it began and has not said how it ended (running)"


def test_a_registry_that_goes_away_meanwhile_is_asked_again(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    control.behaviour = {"gw1": control.answers("done"), "gw2": control.answers("done")}
    changes = RegistryClient.changes
    asked: list[None] = []

    def failing(client: RegistryClient, since: str | None) -> Any:
        asked.append(None)
        if len(asked) in (2, 3):
            raise RegistryFailed("The registry is away.")
        return changes(client, since)

    monkeypatch.setattr(RegistryClient, "changes", failing)
    _run, states = control.go()
    assert states == {"gw1": "done", "gw2": "done"}
    assert control.said.count("The registry is away. The hosts go on meanwhile; it is asked again.") == 1


def test_an_action_whose_answer_was_lost_is_sent_again_and_counts_once(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.behaviour = {"gw1": control.answers("done"), "gw2": control.answers("done")}
    send = RegistryClient.send_action
    sent: list[bytes] = []

    def losing(client: RegistryClient, envelope: bytes) -> Any:
        answer = send(client, envelope)
        sent.append(envelope)
        if len(sent) == 1:
            raise RegistryFailed("The registry did not answer.")
        assert answer["duplicate"]
        return answer

    monkeypatch.setattr(RegistryClient, "send_action", losing)
    _run, states = control.go()
    assert states == {"gw1": "done", "gw2": "done"}
    assert sent[0] == sent[1]


def test_what_the_registry_refuses_is_said_as_it_says_it(control: Control) -> None:
    control.moment -= timedelta(hours=1)
    with pytest.raises(
        BocageError, match=r"does not take the action: The action counts from .* one of the clocks is wrong"
    ):
        control.go()


def test_who_is_still_waited_for_is_told_now_and_then(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_run, "TELL_SECONDS", 0.0)
    control.behaviour = {"gw1": control.answers("done")}
    control.go()
    assert "2 hosts: 1 done, 1 waiting; after 0 s gw2 to go." in control.said


def test_tenants_are_asked_apart(folder: Any, registry: Any) -> None:
    control = Control(folder, registry, "gw1", "gw2")
    folder.enrol(folder.estate.host("gw2", "zenith"))
    portions = batches(["gw1", "gw2"], trust_folder.read_trust(folder.path / "trust"), 100)
    assert [list(one) for one in portions] == [["gw1"], ["gw2"]]
    assert json.dumps(portions) and control.said == []
