# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line at the bottom of a terminal that makes way for everything else that is printed."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from typing import Any

_CLEAR = "\r\x1b[K"


class LiveLine:
    """Draws a line again and again, each second and after everything that Ansible displays.

    It writes to the file descriptor, so that no lock of Python's is held by its
    thread when Ansible forks a worker.
    """

    def __init__(self, display: Any, descriptor: int, text: Callable[[int], str], seconds: float = 1.0) -> None:
        self._display = display
        self._descriptor = descriptor
        self._text = text
        self._seconds = seconds
        self._lock = threading.Lock()
        self._busy = 0
        self._paused = False
        self._drawn = False
        self._process = os.getpid()
        self._stopped = threading.Event()
        self._original = display.display

    def start(self) -> None:
        # What is displayed comes from many places, the warnings of workers among them:
        # the one place that all of it passes is this method.
        self._display.display = self._make_way
        threading.Thread(target=self._tick, name="bocage-progress", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        with self._lock:
            self._clear()
            self._paused = True
        if self._display.display == self._make_way:
            self._display.display = self._original

    def pause(self, paused: bool) -> None:
        """Leaves the terminal alone while somebody is asked something."""
        with self._lock:
            if paused:
                self._clear()
            self._paused = paused

    def draw(self) -> None:
        with self._lock:
            if self._busy or self._paused or self._stopped.is_set():
                return
            width = shutil.get_terminal_size().columns
            self._write(_CLEAR + self._text(width))
            self._drawn = True

    def _tick(self) -> None:
        while not self._stopped.wait(self._seconds):
            self.draw()

    def _make_way(self, *arguments: Any, **options: Any) -> Any:
        # Workers are forks of this process: what they display comes back to it.
        if os.getpid() != self._process:
            return self._original(*arguments, **options)
        with self._lock:
            self._busy += 1
            self._clear()
        try:
            return self._original(*arguments, **options)
        finally:
            with self._lock:
                self._busy -= 1
            # Without a line break the next output belongs on the same line.
            if options.get("newline", True):
                self.draw()

    def _clear(self) -> None:
        if self._drawn:
            self._write(_CLEAR)
            self._drawn = False

    def _write(self, text: str) -> None:
        try:
            os.write(self._descriptor, text.encode("utf-8", "replace"))
        except OSError:
            # The terminal is gone; the run goes on without a line.
            self._stopped.set()
