# SPDX-License-Identifier: GPL-3.0-or-later
"""The door for users: the kernel says who asks, bad questions do nothing, nobody keeps others waiting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import packages_door, packages_rights
from bocage_agent.packages_rights import Caller


def user() -> Caller:
    return Caller("ann", frozenset(), administrator=False)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Any]:
    """A door behind which a function answers each caller."""
    path = tmp_path / "door.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    served: list[Any] = []

    def answer(do: packages_door.Serve, note: packages_door.Note | None = None) -> Path:
        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                served.append(packages_door.serve(connection, do, note))

        threading.Thread(target=run, daemon=True).start()
        return path

    yield answer
    listener.close()


def test_the_kernel_says_who_asks_and_lines_come_back(door: Any) -> None:
    asked: list[Any] = []

    def do(caller: Caller, verb: str, packages: list[str], line: Any) -> int:
        asked.append((caller.name, caller.administrator, verb, packages))
        line("tool 1.0: install begun")
        return 3

    lines: list[str] = []
    assert packages_door.ask("install", ["tool"], lines.append, door(do)) == 3
    assert lines == ["tool 1.0: install begun"]
    assert asked == [("root", True, "install", ["tool"])]


def test_a_refusal_is_a_line_and_a_status(door: Any) -> None:
    def do(caller: Caller, verb: str, packages: list[str], line: Any) -> int:
        packages_rights.check(user(), verb, packages, [])
        return 0

    lines: list[str] = []
    assert packages_door.ask("forget", ["tool"], lines.append, door(do)) == 1
    assert lines == ["ann may not do `forget` on this host; it needs the rights of an administrator."]


@pytest.mark.parametrize("question", [b"", b"[]\n", b"{}\n", b"\xff\n", b'{"verb": 1, "packages": []}\n', b"x" * 70000])
def test_a_bad_question_is_answered_and_does_nothing(door: Any, question: bytes) -> None:
    path = door(lambda *_: pytest.fail("it was done"))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        try:
            connection.sendall(question)
            connection.shutdown(socket.SHUT_WR)
        except BrokenPipeError:
            pass  # it did not want to hear the rest
        try:
            answer = connection.makefile("rb").read()
        except ConnectionResetError:
            return
    assert b'{"status": 2}' in answer


def test_without_a_door_the_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="needs the rights of an administrator, and no agent listens at"):
        packages_door.ask("install", ["tool"], print, tmp_path / "none")


def test_the_door_takes_what_a_session_tells(door: Any) -> None:
    heard: list[Any] = []

    def note(caller: Caller, failures: list[Any]) -> int:
        heard.append((caller.name, failures))
        return 0

    path = door(lambda *_: pytest.fail("it was done"), note)
    one = {"package": "a", "version": "1", "reason": "broken"}
    assert packages_door.ask(packages_door.SESSION_RESULT, [], print, path, [one]) == 0
    assert heard == [("root", [one])]


def test_who_asks_slowly_or_does_not_listen_keeps_nobody(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no question, and a caller who hears nothing lets the run wait but once."""
    monkeypatch.setattr(packages_door, "_ASKING_SECONDS", 0.5)
    monkeypatch.setattr(packages_door, "_HEARING_SECONDS", 0.3)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(door(lambda *_: pytest.fail("it was done"))))
        begun = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - begun < 5:
                connection.send(b" ")
                time.sleep(0.1)
        assert time.monotonic() - begun < 3
    over = threading.Event()

    def do(_caller: Caller, _verb: str, _packages: list[str], line: Any) -> int:
        for _ in range(2000):
            line("x" * 2000)
        over.set()
        return 0

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(door(do)))
        connection.sendall(b'{"verb": "update", "packages": []}\n')
        assert over.wait(5), "the run waits for whoever does not listen"
