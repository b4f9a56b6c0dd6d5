# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that stand at one end alone: BGP is established there while BFD finds the same path dead.

FRR ends a session whose path dies, so that both are never true for long. Where a reset and the next connection meet,
FRR 8.4 may forget a neighbour that it took in by itself and go on answering it: this end keeps its session for ever,
the other one knows of no host. Only a new session makes both ends agree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

# BFD takes a second or two after a session is established, more where many come at once.
PATIENCE_SECONDS = 10.0
# A path that stays dead, as where something drops BFD alone, is not begun again all the time.
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 600.0


@dataclass(frozen=True)
class Half:
    """One neighbour whose path is dead. ``since``: from when on its session stood nevertheless; seconds of one clock."""

    since: float | None = None
    again_at: float = float("-inf")
    pause: float = FIRST_PAUSE_SECONDS


def judge(
    watched: Iterable[str],
    paths: Mapping[str, bool],
    established: Collection[str],
    before: Mapping[str, Half],
    now: float,
) -> tuple[list[str], dict[str, Half]]:
    """Which sessions to begin again, and what to know at the next look.

    ``paths``: by address whether BFD finds the path alive. What BFD does not watch is nobody's fault and left alone.
    """
    begin: list[str] = []
    known: dict[str, Half] = {}
    for address in watched:
        if paths.get(address) is not False:
            continue
        half = before.get(address, Half())
        if address not in established:
            known[address] = replace(half, since=None)
            continue
        since = now if half.since is None else half.since
        if now - since >= PATIENCE_SECONDS and now >= half.again_at:
            begin.append(address)
            known[address] = Half(None, now + half.pause, min(2 * half.pause, LONGEST_PAUSE_SECONDS))
        else:
            known[address] = replace(half, since=since)
    return begin, known
