# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that makes way."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.live_line import LiveLine

CLEAR = "\r\x1b[K"


class Terminal:
    """A display that writes to the same pipe as the line."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)

    def display(self, text: str, **options: Any) -> None:
        os.write(self.write_end, text.encode() + (b"\n" if options.get("newline", True) else b""))

    def output(self) -> str:
        try:
            return os.read(self.read_end, 65536).decode()
        except BlockingIOError:
            return ""


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    os.close(terminal.read_end)
    os.close(terminal.write_end)


@pytest.fixture
def line(terminal: Terminal) -> Iterator[LiveLine]:
    line = LiveLine(terminal, terminal.write_end, lambda width: "working", seconds=60)
    line.start()
    yield line
    line.stop()


def test_output_goes_above_the_line(terminal: Terminal, line: LiveLine) -> None:
    line.draw()
    terminal.display("changed: [gw1]")
    assert terminal.output() == f"{CLEAR}working{CLEAR}changed: [gw1]\n{CLEAR}working"


def test_output_without_a_line_break_is_continued(terminal: Terminal, line: LiveLine) -> None:
    terminal.display("one", newline=False)
    terminal.display("two")
    assert terminal.output() == f"onetwo\n{CLEAR}working"


def test_a_pause_leaves_the_terminal_alone(terminal: Terminal, line: LiveLine) -> None:
    line.draw()
    line.pause(True)
    line.draw()
    terminal.display("continue?")
    assert terminal.output() == f"{CLEAR}working{CLEAR}continue?\n"
    line.pause(False)
    line.draw()
    assert terminal.output() == f"{CLEAR}working"


def test_it_is_gone_when_it_is_stopped(terminal: Terminal, line: LiveLine) -> None:
    line.draw()
    line.stop()
    line.draw()
    terminal.display("recap")
    assert terminal.output() == f"{CLEAR}working{CLEAR}recap\n"
    assert terminal.display.__func__ is Terminal.display  # type: ignore[attr-defined]


def test_it_draws_itself_again_and_again(terminal: Terminal) -> None:
    line = LiveLine(terminal, terminal.write_end, lambda width: "working", seconds=0.01)
    line.start()
    deadline = time.monotonic() + 5
    seen = ""
    while seen.count("working") < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
        seen += terminal.output()
    line.stop()
    assert seen.count("working") >= 3


def test_a_worker_only_displays(terminal: Terminal, line: LiveLine) -> None:
    line.draw()
    assert terminal.output() == f"{CLEAR}working"
    child = os.fork()
    if child == 0:
        terminal.display("from a worker")
        os._exit(0)
    os.waitpid(child, 0)
    assert terminal.output() == "from a worker\n"


def test_a_terminal_that_went_away_ends_the_line() -> None:
    terminal = Terminal()
    closed = os.open(os.devnull, os.O_RDONLY)
    line = LiveLine(terminal, closed, lambda width: "working", seconds=60)
    line.start()
    line.draw()
    terminal.display("still here")
    assert terminal.output() == "still here\n"
    line.stop()
    for descriptor in (closed, terminal.read_end, terminal.write_end):
        os.close(descriptor)
