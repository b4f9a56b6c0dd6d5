# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from bocage_core._gateway.sessions import established, living

SUMMARY = {
    "ipv4Unicast": {"as": 4200000001, "peers": {"fd7b::1": {"state": "Established"}, "fd7b::2": {"state": "Active"}}},
    "ipv6Unicast": {"peers": {"fd7b::1": {"state": "Established"}, "fd7b::3": {"state": "Established"}}},
}


def test_sessions_that_stand_are_named_once() -> None:
    assert established(lambda _command: (0, json.dumps(SUMMARY), "")) == ["fd7b::1", "fd7b::3"]


@pytest.mark.parametrize("answer", [(1, "", "bgpd is not running"), (0, "", ""), (0, "{}", ""), (0, "[]", "")])
def test_where_nothing_routes_there_are_none(answer: tuple[int, str, str]) -> None:
    assert established(lambda _command: answer) == []
    assert living(lambda _command: answer) == []


def test_a_host_without_the_program() -> None:
    def run(command: list[str]) -> tuple[int, str, str]:
        raise FileNotFoundError(command[0])

    assert established(run) == []
    assert living(run) == []


def test_paths_that_live_are_named() -> None:
    peers = [
        {"peer": "fd7b::2", "status": "up"},
        {"peer": "fd7b::1", "status": "up"},
        {"peer": "fd7b::3", "status": "down"},
    ]
    asked: list[list[str]] = []

    def run(command: list[str]) -> tuple[int, str, str]:
        asked.append(command)
        return 0, json.dumps([*peers, {"peer": "fd7b::4"}, "nothing"]), ""

    assert living(run) == ["fd7b::1", "fd7b::2"]
    assert asked == [["vtysh", "-c", "show bfd peers brief json"]]
