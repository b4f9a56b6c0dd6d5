# SPDX-License-Identifier: GPL-3.0-or-later
"""Echoes on the wire and on paper; FRR as a real server on a Unix socket that speaks its protocol; living paths."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import gateway_probe
from bocage_agent.gateway_probe import Daemon, Echo, paths_up
from bocage_core._common.icmp import checksum


class Frr:
    """A daemon of FRR: takes commands that end with a zero byte, answers with a text, three zero bytes and a status."""

    def __init__(self, path: Path) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, tuple[str, int]] = {}
        # after which command it hangs up, and how its answers are cut
        self.hang_up_at = ""
        self.silent_at = ""
        self.chunk = 1 << 20
        self.connections = 0
        self._opened = self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                opened, _unused = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._opened = opened
            # whoever asked may have gone
            with opened, contextlib.suppress(OSError):
                self._talk(opened)

    def _talk(self, opened: socket.socket) -> None:
        waiting = b""
        while True:
            part = opened.recv(4096)
            if not part:
                return
            waiting += part
            while b"\0" in waiting:
                raw, _end, waiting = waiting.partition(b"\0")
                command = raw.decode()
                self.asked.append(command)
                if command == self.hang_up_at:
                    return
                if command == self.silent_at:
                    continue
                text, status = self.answers.get(command, ("", 0))
                whole = text.encode() + b"\0\0\0" + bytes([status])
                for begin in range(0, len(whole), self.chunk):
                    opened.sendall(whole[begin : begin + self.chunk])
                    if self.chunk < 100:
                        time.sleep(0.001)

    def close(self) -> None:
        for one in (self._listener, self._opened):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bgpd.vty"


@pytest.fixture
def frr(path: Path) -> Iterator[Frr]:
    made = Frr(path)
    yield made
    made.close()


@pytest.fixture
def daemon(path: Path) -> Iterator[Daemon]:
    made = Daemon(path, timeout_seconds=1)
    yield made
    made.close()


def test_answers_come_in_order_over_one_connection(frr: Frr, daemon: Daemon) -> None:
    frr.answers = {"show a": ("first\n", 0), "show b": ("second\n", 0)}
    assert daemon.ask(["show a", "show b"]) == ["first\n", "second\n"]
    assert daemon.ask(["show b"]) == ["second\n"]
    assert frr.asked == ["enable", "show a", "show b", "show b"]
    assert frr.connections == 1


def test_an_answer_in_pieces_and_one_without_text(frr: Frr, daemon: Daemon) -> None:
    frr.answers = {"show a": ("x" * 50 + "\n", 0)}
    frr.chunk = 3
    assert daemon.ask(["show a", "end"]) == ["x" * 50 + "\n", ""]


def test_an_answer_of_a_thousand_sessions(frr: Frr, daemon: Daemon) -> None:
    text = json.dumps([{"peer": f"fd00::{number:x}", "status": "up"} for number in range(2500)])
    frr.answers = {"show bfd peers brief json": (text, 0)}
    assert paths_up(daemon.ask(["show bfd peers brief json"])[0], frozenset()) == 2500


def test_a_refusal_is_an_error_with_its_words_and_ends_the_connection(frr: Frr, daemon: Daemon) -> None:
    frr.answers = {"set metric +0": ("% Unknown command: set metric +0\n", 1)}
    with pytest.raises(OSError, match=r"FRR refused 'set metric \+0': % Unknown command: set metric \+0$"):
        daemon.ask(["configure terminal", "set metric +0", "never asked"])
    assert "never asked" not in frr.asked
    # a new connection is in no half of a configuration
    assert daemon.ask(["end"]) == [""]
    assert frr.connections == 2


def test_a_daemon_that_goes_away_is_asked_anew(frr: Frr, daemon: Daemon, path: Path) -> None:
    assert daemon.ask(["show a"]) == [""]
    frr.hang_up_at = "show b"
    with pytest.raises(OSError):
        daemon.ask(["show b"])
    frr.hang_up_at = ""
    assert daemon.ask(["show b"]) == [""]
    frr.close()
    path.unlink()
    with pytest.raises(OSError):
        daemon.ask(["show b"])
    again = Frr(path)
    assert daemon.ask(["show b"]) == [""]
    again.close()


def test_nobody_there(daemon: Daemon) -> None:
    with pytest.raises(FileNotFoundError):
        daemon.ask(["show a"])


def test_one_that_hangs_is_not_waited_for_without_end(frr: Frr, path: Path) -> None:
    hasty = Daemon(path, timeout_seconds=0.1)
    frr.silent_at = "show a"
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        hasty.ask(["show a"])
    assert time.monotonic() - started < 5
    assert hasty.ask(["show b"]) == [""]
    hasty.close()


def test_an_answer_without_end_is_no_answer(frr: Frr, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_probe, "MAX_ANSWER_BYTES", 1000)
    frr.answers = {"show a": ("x" * 500_000, 0)}
    with pytest.raises(ConnectionError):
        daemon.ask(["show a"])


def test_living_paths_are_counted_without_those_between_gateways() -> None:
    sessions = [
        {"peer": "fd00::1", "status": "up"},
        {"peer": "fd00::2", "status": "down"},
        {"peer": "fd00::3", "status": "up"},
        {"peer": "fd00::4"},
        "nothing",
    ]
    assert paths_up(json.dumps(sessions), frozenset()) == 2
    assert paths_up(json.dumps(sessions), frozenset({"fd00::3", "fd00::9"})) == 1


@pytest.mark.parametrize("answer", ["", "% Unknown command", "{}", "[]", "null"])
def test_what_is_no_list_of_sessions_has_no_path(answer: str) -> None:
    assert paths_up(answer, frozenset()) == 0


def test_the_checksum_of_the_internet() -> None:
    # the example of RFC 1071, section 3
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    request = struct.pack("!BBHHH", 8, 0, 0, 0x1234, 7)
    whole = struct.pack("!BBHHH", 8, 0, checksum(request), 0x1234, 7)
    assert checksum(whole) == 0
    assert checksum(b"\xff\xff" * 4) == 0


class Wire:
    """Stands for a raw socket: what was sent, and what comes."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.sent: list[tuple[bytes, Any]] = []
        self.packets: list[tuple[bytes, tuple[str, int]]] = []
        self.down = False

    def setblocking(self, _flag: bool) -> None: ...

    def setsockopt(self, *_given: Any) -> None:
        self.option = _given

    def sendto(self, packet: bytes, address: Any) -> None:
        if self.down:
            raise OSError("Network is down")
        self.sent.append((packet, address))

    def recvfrom(self, _most: int) -> tuple[bytes, tuple[str, int]]:
        if not self.packets:
            raise BlockingIOError
        return self.packets.pop(0)


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> dict[int, Wire]:
    made: dict[int, Wire] = {}

    def open_one(family: int, _kind: int, _protocol: int) -> Wire:
        return made.setdefault(family, Wire(family))

    monkeypatch.setattr(gateway_probe.socket, "socket", open_one)
    return made


FOUR, SIX = "198.18.1.20", "2001:db8:2::20"


def reply(version: int, identifier: int | None = None, kind: int | None = None, options: int = 0) -> bytes:
    own = os.getpid() & 0xFFFF if identifier is None else identifier
    body = struct.pack("!BBHHH", {4: 0, 6: 129}[version] if kind is None else kind, 0, 0, own, 1)
    return body if version == 6 else bytes([0x45 + options]) + bytes(19 + 4 * options) + body


def test_requests_leave_by_the_lan_alone(wires: dict[int, Wire]) -> None:
    echo = Echo([FOUR, SIX], "lan0")
    assert all(wire.option == (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lan0") for wire in wires.values())
    echo.send()
    echo.send()
    (first, to), (second, _to) = wires[socket.AF_INET].sent
    assert (first[0], to, checksum(first)) == (8, (FOUR, 0), 0)
    assert struct.unpack("!HH", first[4:]) == (os.getpid() & 0xFFFF, 1)
    assert struct.unpack("!HH", second[4:]) == (os.getpid() & 0xFFFF, 2)
    assert wires[socket.AF_INET6].sent[0][0][0] == 128


def test_a_lan_that_is_down_is_no_error(wires: dict[int, Wire]) -> None:
    echo = Echo([FOUR], "lan0")
    wires[socket.AF_INET].down = True
    echo.send()
    assert echo.answered_at == {FOUR: float("-inf")}


@pytest.mark.parametrize("options", [0, 2])
def test_an_answer_counts_with_the_time_when_it_came(wires: dict[int, Wire], options: int) -> None:
    echo = Echo([FOUR, SIX], "lan0")
    before = time.monotonic()
    wires[socket.AF_INET].packets = [(reply(4, options=options), (FOUR, 0))]
    wires[socket.AF_INET6].packets = [(reply(6), (SIX, 0))]
    for wire in wires.values():
        echo.take(wire)  # type: ignore[arg-type]
    assert all(before <= at <= time.monotonic() for at in echo.answered_at.values())


@pytest.mark.parametrize(
    ("packet", "sender"),
    [
        (reply(4, identifier=(os.getpid() + 1) & 0xFFFF), FOUR),
        (reply(4, kind=8), FOUR),
        (reply(4, kind=3), FOUR),
        (reply(4), "198.18.1.21"),
        (reply(4)[:24], FOUR),
    ],
    ids=["another program's", "a request", "unreachable", "somebody else's", "cut short"],
)
def test_what_is_no_answer_does_not_count(wires: dict[int, Wire], packet: bytes, sender: str) -> None:
    echo = Echo([FOUR], "lan0")
    wires[socket.AF_INET].packets = [(packet, (sender, 0))]
    echo.take(wires[socket.AF_INET])  # type: ignore[arg-type]
    assert echo.answered_at == {FOUR: float("-inf")}


def test_real_echoes() -> None:
    try:
        echo = Echo(["127.0.0.1", "::1"], "lo")
    except PermissionError:
        pytest.skip("raw sockets need privileges")
    deadline = time.monotonic() + 10
    while float("-inf") in echo.answered_at.values() and time.monotonic() < deadline:
        echo.send()
        time.sleep(0.02)
        for opened in echo.sockets:
            echo.take(opened)
    assert float("-inf") not in echo.answered_at.values()
    for opened in echo.sockets:
        opened.close()
