# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of an agent about packages, and what its answer means, without an agent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._packages import agent_calls


@pytest.mark.parametrize(
    ("state", "names", "update", "plan", "expected"),
    [
        ("present", ["a"], True, False, "install --json --quiet --wait=5 --ensure -- a"),
        ("present", ["a"], False, True, "install --json --quiet --wait=5 --plan --ensure --no-update -- a"),
        ("latest", ["a"], True, False, "install --json --quiet --wait=5 -- a"),
        ("latest", [], True, False, "upgrade --json --quiet --wait=5"),
        ("latest", [], False, True, "upgrade --json --quiet --wait=5 --plan --no-update"),
        ("absent", ["a", "b"], False, False, "remove --json --quiet --wait=5 --ensure -- a b"),
        ("forgotten", ["a"], True, True, "forget --json --quiet --wait=5 --plan --ensure -- a"),
        (
            "present",
            ["a(>=1)", "b", "a(<2)"],
            True,
            False,
            "install --json --quiet --wait=5 --ensure -- a(>=1),a(<2) b",
        ),
        ("present", ["--plan"], True, False, "install --json --quiet --wait=5 --ensure -- --plan"),
    ],
)
def test_words(state: str, names: list[str], update: bool, plan: bool, expected: str) -> None:
    words = agent_calls.words(state, names, update=update, wait_seconds=5, plan=plan)
    assert words == [agent_calls.AGENT, *expected.split()]


@pytest.mark.parametrize(
    ("output", "error", "sentence"),
    [
        ('{"error": "No."}', "bocage-agent: No.\n", r"No\."),
        ("", "usage: x\nbocage-agent: error: unrecognized arguments: --plan\n", "older than this module"),
        ("", "", "ended with 2 and no answer: it said nothing"),
        ("Killed", "one\nbocage-agent: two\n", "ended with 2 and no answer: two"),
        ("[]", "", "ended with 2 and no answer"),
    ],
)
def test_answers_that_are_none(output: str, error: str, sentence: str) -> None:
    with pytest.raises(BocageError, match=sentence):
        agent_calls.read(2, output, error)


def test_an_agent_that_did_not_manage_it_has_answered() -> None:
    assert agent_calls.read(1, '{"good": false}', "") == {"good": False}


@pytest.mark.parametrize(("there", "administrator"), [(False, True), (True, False)])
def test_nobody_to_ask(there: bool, administrator: bool) -> None:
    with pytest.raises(BocageError, match=r"become: true|is missing; run playbooks/packages\.yml for it"):
        agent_calls.check(there=there, administrator=administrator)
    agent_calls.check(there=True, administrator=True)


def document(**more: Any) -> dict[str, Any]:
    return {
        "verb": "install",
        "changes": [],
        "requests": {"before": {}, "after": {}},
        "problems": [],
        "good": False,
        "last_problem": "",
        **more,
    }


def problem(name: str, reason: str, state: str = "ERROR") -> dict[str, Any]:
    return {"package": name, "state": state, "version": None, "wanted": None, "reason": reason}


def test_failures() -> None:
    assert agent_calls.failure(document(good=True, problems=[problem("old", "x")]), ["a"]) == ""
    chain = [problem("a", "It needs b, which could not be installed"), problem("b", "full"), problem("old", "x")]
    assert agent_calls.failure(document(problems=chain), ["a"]) == f"a: ERROR: {chain[0]['reason']}; b: ERROR: full"
    many = [problem(f"p{number}", "x", "MISSING") for number in range(7)]
    assert agent_calls.failure(document(verb="upgrade", problems=many), []).endswith("p4: MISSING: x; and 2 more")
    assert agent_calls.failure(document(last_problem="Frozen."), ["a"]) == "Frozen."
    assert "not all went well" in agent_calls.failure(document(), ["a"])


def test_the_difference_is_of_what_changes() -> None:
    changes = [
        {"package": "a", "action": "upgrade", "before": "1", "after": "2"},
        {"package": "b", "action": "reinstall", "before": "1", "after": "1"},
    ]
    requests = {"before": {"a": "a", "x": "x"}, "after": {"a": "a(>=2)", "x": "x"}}
    found = document(changes=changes, requests=requests)
    assert agent_calls.difference(found) == {
        "before": "a 1\nb 1\nasked for: a\n",
        "after": "a 2\nb 1 (installed again)\nasked for: a(>=2)\n",
    }
    assert agent_calls.is_changed(found) and agent_calls.is_changed(document(requests=requests))
    assert not agent_calls.is_changed(document())


def test_an_older_agent_without_history_or_rollouts() -> None:
    state = json.loads('{"packages":{},"requests":{},"metadata":{},"last_update_at":null,"last_problem":""}')
    found = agent_calls.information(state)
    assert (found["versions"], found["history"], found["rollouts"], found["refused"]) == ({}, [], {}, [])


def test_names_of_requests() -> None:
    assert agent_calls.names(["a(>=1),b", "a"]) == ["a", "b"]
    with pytest.raises(BadInput):
        agent_calls.names(["a (1)"])
