# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of a gateway's health as it runs: over a real socket and by the real clock, until somebody or something ends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time as real_time
from collections.abc import Sequence
from pathlib import Path

import pytest
from bocage_agent import gateway_health
from bocage_agent.gateway_health import Health
from gateway_fakes import SETTINGS, FakeDaemon, put_in_place


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put_in_place(tmp_path, monkeypatch)
    return tmp_path


def test_connections_are_shared_before_traffic_comes_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop itself, over a real socket, until somebody ends it."""
    shared: list[bool] = []

    async def share() -> None:
        shared.append(True)

    monkeypatch.setattr(gateway_health, "_share_connections", share)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        monkeypatch.setattr(gateway_health, "HEARTBEAT_PORT", probe.getsockname()[1])
    health = Health({**SETTINGS, "siblings": {"::1": "gw2"}, "rise_seconds": 0.1, "multiplier": 1000})

    async def live() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(health.run(), 1.0)

    asyncio.run(live())
    health._heart.close()
    assert len(shared) == 1, "once for each way back"
    # it hears its own voice as the sibling's here: what is sent is what is read
    assert json.loads((folder / "health.json").read_text())["siblings"]["gw2"]["healthy"] is True


def test_without_a_program_to_ask_there_is_nothing_to_share(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    asyncio.run(gateway_health._share_connections())


def test_a_slow_frr_holds_up_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health({**SETTINGS, "siblings": {"::1": "gw2"}})
    looked: list[float] = []

    class Slow(FakeDaemon):
        def ask(self, commands: Sequence[str]) -> list[str]:
            real_time.sleep(0.4)
            return super().ask(commands)

    async def live() -> None:
        health._paths, health._routes = Slow(Path("bfdd.vty")), Slow(Path("bgpd.vty"))  # type: ignore[assignment]
        monkeypatch.setattr(gateway_health.Health, "_act", lambda _self, _verdict: looked.append(real_time.monotonic()))
        tasks = asyncio.gather(health._watch(), health._watch_paths())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(tasks, 0.35)
        # the program ends when the answer is there
        assert len(looked) > 5 and not health._hosts

    asyncio.run(live())
    health._heart.close()


def test_what_breaks_while_it_runs_is_told_in_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device", "health.json")

    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::1", 0))
        monkeypatch.setattr(gateway_health, "HEARTBEAT_PORT", probe.getsockname()[1])
    settings = folder / "settings.json"
    settings.write_text(json.dumps(SETTINGS))
    monkeypatch.setattr(gateway_health, "SETTINGS", settings)
    monkeypatch.setattr(gateway_health.atomic, "write_file", full)
    assert gateway_health.main() == 1
    said = capsys.readouterr().err
    assert "bocage-agent: [Errno 28] No space left on device: 'health.json'" in said and "Traceback" not in said
