# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/tasks/prove_gateway.yml: when a gateway counts as back, and what is said of one that is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spoken import holds, refusal, task_of, trusted

TASKS = "playbooks/tasks/prove_gateway.yml"
# fd7b::9 has a session with this gateway alone, and may sleep; of fd7b::2 BFD never saw a path
BEFORE = {"sessions": ["fd7b::1", "fd7b::2", "fd7b::9"], "paths": ["fd7b::1", "fd7b::9"]}
OTHERS = {"results": [{"sessions": ["fd7b::1", "fd7b::2", "fd7b::7"]}, {"unreachable": True}]}
BACK: dict[str, Any] = {"health": {"healthy": True}, "sessions": ["fd7b::1", "fd7b::2"], "paths": ["fd7b::1"]}


def variables(after: dict[str, Any]) -> dict[str, Any]:
    return {
        "inventory_hostname": "gw1",
        "__gateway_before": BEFORE,
        "__others": OTHERS,
        "__gateway_after": after,
    }


def waited_for(after: dict[str, Any]) -> bool:
    task, around = task_of(TASKS, "Wait until its LAN answers and its neighbours are back")
    known = {**{name: trusted(value) for name, value in around.items()}, **variables(after)}
    return not holds(task["until"], known)


def said(after: dict[str, Any]) -> str | None:
    return refusal(TASKS, "Stop where they are not", **variables(after))


def test_a_gateway_that_is_back() -> None:
    assert not waited_for(BACK) and said(BACK) is None
    more = {**BACK, "sessions": [*BACK["sessions"], "fd7b::5"], "paths": [*BACK["paths"], "fd7b::2"]}
    assert not waited_for(more) and said(more) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"health": {"healthy": False}}, "its LAN does not answer"),
        ({"health": None, "sessions": []}, "its LAN does not answer"),
        ({"sessions": ["fd7b::2"]}, "no session with fd7b::1"),
        ({"sessions": [], "paths": []}, "no session with fd7b::1, fd7b::2"),
        # a session stands, and nobody would notice for nine seconds that its path died
        ({"paths": []}, "BFD sees no path to fd7b::1"),
        ({"paths": ["fd7b::2"]}, "BFD sees no path to fd7b::1"),
    ],
)
def test_a_gateway_that_is_not(change: dict[str, Any], words: str) -> None:
    after = {**BACK, **change}
    assert waited_for(after)
    assert said(after) == (
        f"Gateway gw1 did not come back and stays drained: {words}. The other gateways go on carrying the site; repair "
        "it, then run playbooks/undrain.yml -e gateway=gw1."
    )


def test_a_gateway_that_says_nothing_did_not_come_back() -> None:
    assert waited_for({"msg": "The file x cannot be read: denied."})
    assert "its LAN does not answer" in str(said({"msg": "The file x cannot be read: denied."}))
