# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch over sessions beside an FRR in the hand of the test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import routing_watch
from bocage_agent.main import main
from bocage_agent.routing_watch import Watch
from bocage_core._common.errors import BadInput

GATEWAY = "fd7b::1"


class Frr:
    """Both daemons: what they answer, and what they were told."""

    def __init__(self) -> None:
        self.path_lives, self.established, self.away, self.nonsense = True, True, False, False
        self.told: list[str] = []
        self.now = 0.0

    def daemon(self, path: Path) -> Frr:
        assert path.name in ("bfdd.vty", "bgpd.vty")
        return self

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > 30:
            raise KeyboardInterrupt

    def ask(self, commands: Sequence[str]) -> list[str]:
        if self.away:
            raise ConnectionError("away")
        (command,) = commands
        self.told.append(command)
        if self.nonsense:
            return ["% not now"]
        if command == "show bfd peers brief json":
            return [json.dumps([{"peer": GATEWAY, "status": "up" if self.path_lives else "down"}])]
        if command == "show bgp summary json":
            state = "Established" if self.established else "Active"
            return [json.dumps({"ipv6Unicast": {"peers": {GATEWAY: {"state": state}}}})]
        return [""]

    def look(self, watch: Watch, seconds: int) -> list[str]:
        """Look every two seconds for so long; gives what began again."""
        self.told = []
        for _unused in range(0, seconds, 2):
            watch.look()
            self.now += 2
        return [command for command in self.told if command.startswith("clear")]


@pytest.fixture
def frr(monkeypatch: pytest.MonkeyPatch) -> Frr:
    found = Frr()
    monkeypatch.setattr(routing_watch, "Daemon", found.daemon)
    monkeypatch.setattr(routing_watch, "time", found)
    return found


def test_a_session_on_a_dead_path_begins_again_and_it_is_said(frr: Frr, capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch({"neighbors": [GATEWAY]})
    assert frr.look(watch, 20) == []
    assert set(frr.told) == {"show bfd peers brief json"}, "FRR is asked for little where all is well"
    frr.path_lives = False
    assert frr.look(watch, 20) == [f"clear bgp {GATEWAY}"]
    said = "stands, and its path has been dead for 10 seconds: it begins again."
    assert capsys.readouterr().err == f"The session with {GATEWAY} {said}\n"


def test_a_gateway_that_is_away_is_left_alone(frr: Frr) -> None:
    frr.path_lives = frr.established = False
    assert frr.look(Watch({"neighbors": [GATEWAY]}), 60) == []


def test_others_than_those_it_is_told_of_are_left_alone(frr: Frr) -> None:
    frr.path_lives = False
    assert frr.look(Watch({"neighbors": ["fd7b::2"]}), 60) == []


@pytest.mark.parametrize("fault", ["away", "nonsense"])
def test_an_frr_that_is_away_is_asked_again_and_time_counts_anew(frr: Frr, fault: str) -> None:
    watch = Watch({"neighbors": [GATEWAY]})
    frr.path_lives = False
    frr.look(watch, 8)
    setattr(frr, fault, True)
    assert frr.look(watch, 4) == []
    setattr(frr, fault, False)
    assert frr.look(watch, 10) == []
    assert frr.look(watch, 4) == [f"clear bgp {GATEWAY}"]


@pytest.mark.parametrize(
    "settings", [[], {}, {"neighbors": "fd7b::1"}, {"neighbors": [1]}, {"neighbors": [], "more": 1}]
)
def test_settings_that_cannot_be_used(frr: Frr, settings: Any) -> None:
    with pytest.raises(BadInput, match=r"Run playbooks/mesh\.yml, which writes /etc/bocage/routing-watch\.json\.$"):
        Watch(settings)


def test_the_verb(
    frr: Frr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "routing-watch.json"
    monkeypatch.setattr(routing_watch, "SETTINGS", settings)
    assert main(["routing-watch"]) == 1
    assert str(settings) in capsys.readouterr().err
    settings.write_text(json.dumps({"neighbors": [GATEWAY]}))
    frr.path_lives = False
    assert main(["routing-watch"]) == 0, "until somebody ends it"
    assert f"clear bgp {GATEWAY}" in frr.told
