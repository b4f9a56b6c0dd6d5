# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway looks at, in the hand of a test: FRR, the LAN, the folders of the host and a clock."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import gateway_health

SETTINGS: dict[str, Any] = {
    "address": "::1",
    "siblings": {"fd00::2": "gw2"},
    "interval_milliseconds": 20,
    "multiplier": 3,
    "rise_seconds": 0,
    "targets": ["198.18.1.20"],
    "lan_interface": "lan0",
}
SILENCE, INTERVAL = 0.06, 0.02


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1_700_000_000

    def sleep(self, seconds: float) -> None:
        self.now += seconds


time = Clock()


class FakeEcho:
    def __init__(self, targets: Sequence[str], interface: str) -> None:
        self.answered_at = dict.fromkeys(targets, float("-inf"))
        self.sockets: list[socket.socket] = []
        self.answering = True
        self.interface = interface

    def send(self) -> None:
        if self.answering:
            self.answered_at = dict.fromkeys(self.answered_at, gateway_health.time.monotonic())


class FakeDaemon:
    """FRR: the paths that live, and what it was told."""

    def __init__(self, path: Path, _timeout: float = 2.0) -> None:
        self.name = path.name
        self.peers = ["fd00:3::1", "fd00::2"]
        self.told: list[list[str]] = []
        self.away = False

    def ask(self, commands: Sequence[str]) -> list[str]:
        if self.away:
            raise ConnectionError("away")
        self.told.append(list(commands))
        return [json.dumps([{"peer": peer, "status": "up"} for peer in self.peers]) for _command in commands]


def put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not faked stays as it is: the clock."""
    monkeypatch.setattr(gateway_health, "RUN_DIRECTORY", tmp_path)
    monkeypatch.setattr(gateway_health, "DRAIN_FILE", tmp_path / "drain")
    monkeypatch.setattr(gateway_health, "FORWARDING", {4: tmp_path / "forwarding4", 6: tmp_path / "forwarding6"})
    (tmp_path / "forwarding4").write_text("1\n")
    (tmp_path / "forwarding6").write_text("0\n")
    monkeypatch.setattr(gateway_health, "Echo", FakeEcho)
    monkeypatch.setattr(gateway_health, "Daemon", FakeDaemon)
