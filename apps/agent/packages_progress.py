# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says: one line for each step in the journal, and a line that moves on a terminal."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from .commands import sentence

_CLEAR = "\r\x1b[K"


class Speaker:
    """Writes to a stream; on a terminal lines also go to the journal, where they would not arrive otherwise."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._quiet = quiet
        self._moving = False

    def line(self, text: str) -> None:
        # packages name themselves: nothing that controls a terminal
        text = sentence(text)
        if self._terminal:
            self._to_journal(text)
        if not self._quiet:
            self._stream.write(f"{self._cleared()}{text}\n")
            self._stream.flush()

    def progress(self, about: str, done: int, total: int) -> None:
        """A moving line, on a terminal alone: elsewhere each step is a line anyway."""
        if not self._terminal or self._quiet or total <= 0:
            return
        share = min(100, done * 100 // total)
        filled = "#" * (share // 5)
        width = max(20, _width() - 1)
        self._stream.write(f"{_CLEAR}{f'{about} [{filled:<20}] {share:3}%'[:width]}")
        self._stream.flush()
        self._moving = True

    def end(self) -> None:
        if self._moving:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._moving = False

    def _cleared(self) -> str:
        moving, self._moving = self._moving, False
        return _CLEAR if moving else ""

    @staticmethod
    def _to_journal(text: str) -> None:
        try:
            import syslog
        except ImportError:  # Windows
            return
        syslog.openlog("bocage-agent", syslog.LOG_PID, syslog.LOG_DAEMON)
        syslog.syslog(syslog.LOG_INFO, text)


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return 80
