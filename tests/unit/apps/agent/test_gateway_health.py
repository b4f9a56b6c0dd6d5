# SPDX-License-Identifier: GPL-3.0-or-later
"""The looks of a gateway at itself: what it says to whom, with FRR and the LAN in the hand of the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import gateway_health
from bocage_agent.gateway_health import DOUBT_PENALTY, Health
from bocage_core._common.errors import BadInput
from bocage_core._gateway.routing import DRAINED, HEALTHY, UNHEALTHY
from gateway_fakes import INTERVAL, SETTINGS, SILENCE, put_in_place, time


class Heart:
    """The socket between gateways."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.packets: list[tuple[bytes, tuple[str, int]]] = []

    def sendto(self, packet: bytes, address: tuple[str, int]) -> None:
        self.sent.append((packet, address))

    def recvfrom(self, _most: int) -> tuple[bytes, tuple[str, int]]:
        if not self.packets:
            raise BlockingIOError
        return self.packets.pop(0)


class Gateway:
    """One gateway whose parts a test moves."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.health = Health({**SETTINGS, **changes})
        self.health._heart.close()
        self.heart = Heart()
        self.health._heart = self.heart  # type: ignore[assignment]
        self.echo: Any = self.health._echo
        self.paths: Any = self.health._paths
        self.routes: Any = self.health._routes

    def look(self) -> dict[str, Any]:
        """One round, and what everybody may read of it."""
        self.health._count_paths()
        if not self.health._look(time.monotonic()):
            # the clock of a test jumps
            time.sleep(INTERVAL)
            assert self.health._look(time.monotonic())
        self.health._act(self.health._judge())
        self.health._announce()
        found: dict[str, Any] = json.loads((self.folder / "health.json").read_text())
        return found

    def hear(self, said: object, sender: str = "fd00::2") -> None:
        raw = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.heart.packets.append((raw, (sender, gateway_health.HEARTBEAT_PORT)))
        self.health._hear()

    def file(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put_in_place(tmp_path, monkeypatch)
    monkeypatch.setattr(gateway_health, "time", time)
    return tmp_path


@pytest.fixture
def gateway(folder: Path) -> Iterator[Gateway]:
    yield Gateway(folder)


WELL = {"healthy": True, "drained": False, "hosts": 4}


def test_one_that_does_well(gateway: Gateway) -> None:
    assert gateway.echo.interface == "lan0"
    shown = gateway.look()
    since = shown.pop("since")
    assert since == int(time.time())
    assert shown == {
        "healthy": True,
        "drained": False,
        "lan": True,
        "wan": True,
        # the path to the other gateway is none to a host
        "hosts": 1,
        "targets": {"198.18.1.20": True},
        "siblings": {},
        "released": False,
    }
    assert (gateway.file("release"), gateway.file("doubt")) == ("0\n", "0\n")
    (sent,) = gateway.heart.sent
    assert (json.loads(sent[0]), sent[1]) == ({"healthy": True, "drained": False, "hosts": 1}, ("fd00::2", 3790))


def test_what_it_announces(gateway: Gateway) -> None:
    gateway.look()
    (commands,) = gateway.routes.told
    assert commands[0] == "configure terminal"
    for name, metric in (("lan", str(HEALTHY)), ("to-sibling", "+1")):
        for place in (10, 11):
            begin = commands.index(f"route-map {name} permit {place}")
            assert commands[begin + 1 : begin + 3] == [f"set metric {metric}", "exit"]
    assert commands[-3:] == ["end", "clear bgp ipv4 unicast * soft out", "clear bgp ipv6 unicast * soft out"]
    gateway.look()
    assert len(gateway.routes.told) == 1, "the same is not said at each look"


def test_it_says_so_again_from_time_to_time(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.look()
    monkeypatch.setattr(gateway_health, "SAY_AGAIN_SECONDS", 0.0)
    gateway.look()
    assert len(gateway.routes.told) == 2
    # FRR has it already where it did not forget, so nobody is told twice
    assert not [command for command in gateway.routes.told[1] if command.startswith("clear")]


def test_frr_that_is_away_is_told_when_it_is_back(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.look()
    capsys.readouterr()
    gateway.echo.answering = False
    gateway.routes.away = True
    time.sleep(SILENCE * 1.5)
    gateway.look()
    gateway.look()
    said = capsys.readouterr().err
    assert said.count("FRR does not take what this gateway announces: away") == 1
    gateway.routes.away = False
    gateway.look()
    assert f"set metric {UNHEALTHY}" in gateway.routes.told[-1]


def test_a_silent_lan_where_another_gateway_does_well(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.look()
    gateway.echo.answering = False
    time.sleep(SILENCE * 1.5)
    gateway.hear(WELL)
    shown = gateway.look()
    assert (shown["healthy"], shown["lan"], shown["released"], shown["targets"]) == (
        False, False, True, {"198.18.1.20": False},
    )  # fmt: skip
    assert shown["siblings"] == {"gw2": WELL}
    assert (gateway.file("release"), gateway.file("doubt")) == ("1\n", "0\n")
    assert f"set metric {UNHEALTHY}" in gateway.routes.told[-1]
    assert json.loads(gateway.heart.sent[-1][0])["healthy"] is False
    assert "This gateway does not do well: LAN False, paths to hosts True." in capsys.readouterr().err


def test_a_silent_lan_and_nobody_else(gateway: Gateway) -> None:
    gateway.look()
    gateway.echo.answering = False
    gateway.hear(WELL)
    # what was said too long ago counts for nothing
    time.sleep(SILENCE * 1.5)
    shown = gateway.look()
    assert (shown["healthy"], shown["released"], shown["siblings"]) == (False, False, {})
    assert (gateway.file("release"), gateway.file("doubt")) == ("0\n", f"{DOUBT_PENALTY}\n")


def test_no_path_to_any_host_where_another_gateway_has_some(gateway: Gateway) -> None:
    gateway.look()
    gateway.paths.peers = ["fd00::2"]
    gateway.hear(WELL)
    shown = gateway.look()
    assert (shown["wan"], shown["hosts"], shown["healthy"]) == (False, 0, False)
    gateway.paths.peers, gateway.paths.away = ["fd00:3::1"], True
    gateway.hear(WELL)
    assert gateway.look()["wan"] is False, "what does not answer has no paths"


def test_a_drained_one(gateway: Gateway) -> None:
    (gateway.folder / "drain").write_text("New memory\n")
    gateway.hear(WELL)
    shown = gateway.look()
    assert (shown["healthy"], shown["drained"], shown["released"]) == (True, True, False)
    assert f"set metric {DRAINED}" in gateway.routes.told[-1]
    assert gateway.file("doubt") == f"{DOUBT_PENALTY}\n"
    (gateway.folder / "drain").unlink()
    assert gateway.look()["drained"] is False
    assert f"set metric {HEALTHY}" in gateway.routes.told[-1]


def test_files_are_written_where_they_change_alone(gateway: Gateway) -> None:
    gateway.look()
    first = {name: (gateway.folder / name).stat().st_mtime_ns for name in ("release", "doubt", "health.json")}
    inode = (gateway.folder / "release").stat().st_ino
    gateway.look()
    assert {name: (gateway.folder / name).stat().st_mtime_ns for name in first} == first
    gateway.echo.answering = False
    time.sleep(SILENCE * 1.5)
    gateway.hear(WELL)
    gateway.look()
    assert gateway.file("release") == "1\n"
    assert (gateway.folder / "release").stat().st_ino == inode, "keepalived watches this very file"


def test_attack_a_heartbeat_of_somebody_else_counts_for_nothing(gateway: Gateway) -> None:
    gateway.hear(WELL, sender="fd00::3")
    assert gateway.look()["siblings"] == {}


@pytest.mark.parametrize(
    "said",
    [
        b"", b"\xff\xfe", b"[]", b"null", b"{}", b'{"healthy": true}', b'{"healthy":true,"drained":false,"hosts":"many"}',
        b'{"healthy":true,"drained":false,"hosts":Infinity}', b'{"healthy":true,"drained":false,"hosts":null}',
        b"[" * 2000,
    ],
)  # fmt: skip
def test_attack_bytes_that_are_no_heartbeat(gateway: Gateway, said: bytes) -> None:
    gateway.hear(said)
    assert gateway.look()["siblings"] == {}
    gateway.hear(WELL)
    assert gateway.look()["siblings"] == {"gw2": WELL}


def test_only_true_is_true(gateway: Gateway) -> None:
    gateway.hear({"healthy": "yes", "drained": 1, "hosts": 2})
    assert gateway.look()["siblings"] == {"gw2": {"healthy": False, "drained": False, "hosts": 2}}


@pytest.mark.parametrize(
    ("changes", "word"), [({"siblings": None}, "TypeError"), ({"interval_milliseconds": "often"}, "TypeError")]
)
def test_settings_that_cannot_be_used(folder: Path, changes: dict[str, Any], word: str) -> None:
    with pytest.raises(BadInput) as refused:
        Health({**SETTINGS, **changes})
    text = str(refused.value)
    assert text.startswith("The settings /etc/bocage/gateway/health.json cannot be used: ") and word in text
    assert text.endswith("; run playbooks/gateways.yml.")


def test_a_missing_setting_is_named(folder: Path) -> None:
    settings = {name: value for name, value in SETTINGS.items() if name != "targets"}
    with pytest.raises(BadInput, match=r"KeyError\('targets'\)"):
        Health(settings)


def test_without_settings_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gateway_health, "SETTINGS", tmp_path / "health.json")
    assert gateway_health.main() == 1
    assert "bocage-agent: " in capsys.readouterr().err
    (tmp_path / "health.json").write_text("{}")
    assert gateway_health.main() == 1
    assert "cannot be used" in capsys.readouterr().err


def test_one_that_was_held_up_itself_takes_nobody_for_silent(gateway: Gateway) -> None:
    assert gateway.look()["healthy"]
    gateway.echo.answering = False
    time.sleep(SILENCE * 1.5)
    assert not gateway.health._look(time.monotonic())
    time.sleep(INTERVAL)
    assert gateway.health._look(time.monotonic())


def test_one_that_passes_nothing_on_does_not_do_well(gateway: Gateway, folder: Path) -> None:
    assert gateway.look()["lan"]
    (folder / "forwarding4").write_text("0\n")
    shown = gateway.look()
    assert (shown["lan"], shown["healthy"]) == (False, False)
