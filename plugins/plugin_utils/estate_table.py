# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate as lines of text, for a terminal or a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_states import STATES

from .estate_services import NOT_HEARD, GatewayView, exit_words
from .estate_view import EstateView, HostView, printable

_HEADINGS = ("host", "role", "site", "overlay address", "state", "last report", "handshake", "epoch", "exits")
_GATEWAY_HEADINGS = ("gateway", "site", "health", "BFD", "flows", "segments")
# Columns that stand only where a host has something to say in them.
_OPTIONAL = frozenset({"epoch", "exits", "BFD", "flows", "segments"})
_COLOURS = {"stale": "yellow", "lost": "red", "untrusted": "bright red", "missing": "yellow"}
# Reasons beyond these are counted; the table has every host's state.
_MOST_REASONS = 20
_MOST_SITES = 20

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
    lines: list[Line] = [("", None), (printable(title), None), ("", None)]
    lines += _grid(_HEADINGS, [_row(host, now) for host in view.hosts], [_colour(host) for host in view.hosts])
    gateways = _gateways(view)
    if gateways:
        lines += [("", None), *gateways]
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


def services(view: EstateView) -> list[Line]:
    """How gateways do, how many hosts enter each site by which of them, and how many use keys of which epoch."""
    lines = _gateways(view)
    exits = Counter(one for host in view.hosts for one in host.exits)
    by_site: dict[str, list[str]] = {}
    for (site, gateway), count in sorted(exits.items()):
        by_site.setdefault(site, []).append(f"{gateway} ({counted(count, 'host')})")
    found = [f"{site} is entered by {', '.join(words)}" for site, words in by_site.items()]
    told = [f"  {printable(line)}" for line in found[:_MOST_SITES]]
    if len(found) > _MOST_SITES:
        told.append(f"  and {counted(len(found) - _MOST_SITES, 'site')} more")
    if epochs := epoch_counts(view):
        told.append(f"  mesh keys of epoch {epochs}")
    parts = [lines, [(line, None) for line in told]]
    return [line for part in parts if part for line in (("", None), *part)]


def epoch_counts(view: EstateView) -> str:
    """How many hosts use mesh keys of which epoch."""
    epochs = Counter(str(host.epochs) for host in view.hosts if host.epochs.live)
    return ", ".join(f"{epoch}: {counted(count, 'host')}" for epoch, count in sorted(epochs.items()))


def _gateways(view: EstateView) -> list[Line]:
    """A line for each gateway; none where none was ever heard."""
    found = [(host, host.gateway) for host in view.hosts if host.gateway is not None]
    if all(gateway.health == NOT_HEARD for _host, gateway in found):
        return []
    rows = [
        (host.name, host.site, one.health, one.session_words, one.flow_words, one.segment_words) for host, one in found
    ]
    return _grid(_GATEWAY_HEADINGS, rows, [_gateway_colour(gateway) for _host, gateway in found])


def _gateway_colour(gateway: GatewayView) -> str | None:
    return None if gateway.is_sound else "red" if gateway.health in ("unhealthy", "does not forward") else "yellow"


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]], colours: Sequence[str | None]) -> list[Line]:
    """Headings and rows in columns, without those that may be empty and are."""
    kept = [
        place for place, heading in enumerate(headings) if heading not in _OPTIONAL or any(row[place] for row in rows)
    ]
    shown = [[printable(row[place]) or "-" for place in kept] for row in rows]
    heads = [headings[place] for place in kept]
    widths = [max(map(len, column)) for column in zip(heads, *shown, strict=True)]
    return [
        (_aligned(heads, widths), None),
        (_aligned(["-" * width for width in widths], widths), None),
        *((_aligned(row, widths), colour) for row, colour in zip(shown, colours, strict=True)),
    ]


def _colour(host: HostView) -> str | None:
    return _COLOURS.get(host.state, "yellow" if host.drift else None)


def _row(host: HostView, now: datetime) -> tuple[str, ...]:
    reported = "never" if host.reported_at is None else f"{age((now - host.reported_at).total_seconds())} ago"
    handshake = f"{age(now.timestamp() - host.newest_handshake)} ago" if host.newest_handshake else "never"
    known = (host.name, host.role_words, host.site, host.address, host.state_words, reported, handshake)
    return (*known, str(host.epochs), exit_words(host.exits))


def _aligned(cells: Iterable[str], widths: Iterable[int]) -> str:
    return ("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))).rstrip()
