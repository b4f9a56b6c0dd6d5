# SPDX-License-Identifier: GPL-3.0-or-later
"""How much time a run still has: without end, or what is left while the host goes down."""

from __future__ import annotations

import time
from collections.abc import Callable


class TimeLeft:
    """`seconds` of None is no limit; the clock is one that nobody sets."""

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds

    def is_over(self) -> bool:
        return self._end is not None and self._clock() >= self._end

    def at_most(self, seconds: int) -> int:
        """So many seconds, or fewer where fewer are left; at least one, for what was begun."""
        return seconds if self._end is None else max(1, min(seconds, int(self._end - self._clock())))
