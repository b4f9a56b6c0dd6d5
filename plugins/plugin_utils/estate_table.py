# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate as lines of text, for a terminal or a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_states import STATES

from .estate_view import EstateView, HostView, printable

_HEADINGS = ("host", "role", "site", "overlay address", "state", "last report", "handshake")
_COLOURS = {"stale": "yellow", "lost": "red", "untrusted": "bright red", "missing": "yellow"}
# Reasons beyond these are counted; the table has every host's state.
_MOST_REASONS = 20

Line = tuple[str, str | None]
"""A text and its colour, or None for the terminal's own."""


def age(seconds: float) -> str:
    """How long ago in one unit: 12 s, 3 min, 5 h, 2 d. What lies ahead, as clocks differ, is 0 s."""
    whole = max(int(seconds), 0)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    if whole < 172800:
        return f"{whole // 3600} h"
    return f"{whole // 86400} d"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def state_counts(hosts: Iterable[HostView]) -> list[tuple[str, int]]:
    """How many hosts are in each state that occurs, the best first."""
    found = Counter(host.state for host in hosts)
    return [(state, found[state]) for state in STATES if found[state]]


def summary(view: EstateView) -> str:
    """Hosts by state and tunnels in one line; what it says changes only with what was reported."""
    words = counted(len(view.hosts), "host")
    if view.hosts:
        words += ": " + ", ".join(f"{count} {state}" for state, count in state_counts(view.hosts))
        drifted = sum(bool(host.drift) for host in view.hosts)
        words += f" ({drifted} with drift)" if drifted else ""
    live = sum(tunnel.live for tunnel in view.tunnels)
    if not view.tunnels:
        return f"{words}; no tunnel was reported"
    return f"{words}; {counted(len(view.tunnels), 'tunnel')}: {live} live, {len(view.tunnels) - live} silent"


def table(view: EstateView, title: str, now: datetime) -> list[Line]:
    """A title, one line a host, the reasons of what is not as it should be, and a summary."""
    rows = [_row(host, now) for host in view.hosts]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    lines: list[Line] = [("", None), (printable(title), None), ("", None)]
    lines.append((_aligned(_HEADINGS, widths), None))
    lines.append((_aligned(["-" * width for width in widths], widths), None))
    for host, row in zip(view.hosts, rows, strict=True):
        lines.append((_aligned(row, widths), _colour(host)))
    lines.append(("", None))
    reasons = [(host, words) for host in view.hosts for words in (host.reason, *host.drift) if words]
    lines += [
        (f"  {printable(host.name)}: {printable(words)}", _colour(host)) for host, words in reasons[:_MOST_REASONS]
    ]
    if len(reasons) > _MOST_REASONS:
        lines.append((f"  and {counted(len(reasons) - _MOST_REASONS, 'reason')} more", None))
    if reasons:
        lines.append(("", None))
    lines.append((f"  {summary(view)}", None))
    return lines


def _colour(host: HostView) -> str | None:
    return _COLOURS.get(host.state, "yellow" if host.drift else None)


def _row(host: HostView, now: datetime) -> tuple[str, ...]:
    reported = "never" if host.reported_at is None else f"{age((now - host.reported_at).total_seconds())} ago"
    handshake = f"{age(now.timestamp() - host.newest_handshake)} ago" if host.newest_handshake else "never"
    cells = (host.name, host.role_words, host.site, host.address, host.state_words, reported, handshake)
    return tuple(printable(cell) for cell in cells)


def _aligned(cells: Iterable[str], widths: Iterable[int]) -> str:
    return ("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))).rstrip()
