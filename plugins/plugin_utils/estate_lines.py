# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels of a small estate: each a line of its own, curves from the hubs and arcs between the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .estate_layout import BAND_HEIGHT, CARD_HEIGHT, Card, Layout, Line, arc_depth
from .svg import number

# Distance between the ends of lines at one card.
_PITCH = 18
# How far the arcs between sites reach below them, all together.
_DEEPEST = 120


@dataclass(frozen=True, slots=True)
class Stroke:
    """A path and the tunnels that it stands for."""

    path: str
    live: int
    total: int
    words: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Counts beside a path that stands for several tunnels."""

    x: float
    y: float
    live: int
    total: int


@dataclass(frozen=True, slots=True)
class Joint:
    """Where a branch meets its lane."""

    x: float
    y: float
    live: bool


@dataclass(slots=True)
class Routes:
    strokes: list[Stroke] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    joints: list[Joint] = field(default_factory=list)
    inside: dict[str, Line] = field(default_factory=dict)
    """By site the tunnels within it that have no path of their own."""
    bottom: float = 0


def card_words(card: Card) -> str:
    return card.hosts[0].name if len(card.hosts) == 1 else f"{len(card.hosts)} of role {card.role}"


def path(*parts: str | float) -> str:
    return " ".join(part if isinstance(part, str) else number(part) for part in parts)


def _ends(card: Card, count: int) -> list[float]:
    """Places along an edge of a card, in the middle of it."""
    pitch = min(_PITCH, (card.width - 28) / max(count - 1, 1))
    return [card.centre + (position - (count - 1) / 2) * pitch for position in range(count)]


def route_row(layout: Layout) -> Routes:
    routes = Routes(bottom=layout.height)
    cards, first = layout.cards, layout.top_cards
    lines = [line for line in layout.lines if line.one != line.other]
    upward: dict[int, list[tuple[float, Line]]] = {}
    downward: dict[int, list[tuple[float, Line]]] = {}
    for line in lines:
        one, other = cards[line.one], cards[line.other]
        if line.one < first:
            # From the lower edge of a hub to the upper edge of a host; hubs that are neighbours need no edge.
            if line.other >= first:
                upward.setdefault(line.other, []).append((one.centre, line))
            if line.other != line.one + 1 or line.other >= first:
                downward.setdefault(line.one, []).append((other.centre, line))
                if line.other < first:
                    downward.setdefault(line.other, []).append((one.centre, line))
        else:
            # Arcs hang one inside the other: the nearest partner is outermost on the edge.
            reach = line.other - line.one
            downward.setdefault(line.one, []).append((1000 - reach, line))
            downward.setdefault(line.other, []).append((reach - 1000, line))
    place: dict[tuple[int, int, int], float] = {}
    for edges in (upward, downward):
        for position, found in edges.items():
            found.sort(key=lambda item: item[0])
            for x, (_unused, line) in zip(_ends(cards[position], len(found)), found, strict=True):
                place[position, line.one, line.other] = x
    depths = _outer_depths(layout, lines)
    for line in lines:
        one, other = cards[line.one], cards[line.other]
        start = place.get((line.one, line.one, line.other), one.centre)
        end = place.get((line.other, line.one, line.other), other.centre)
        if line.other < first:
            between_hubs(routes, line, one, other, start, end)
            continue
        if line.one < first:
            shape, mark = _drop(start, one.bottom, end, other.y)
        else:
            depth = depths.get((line.one, line.other), arc_depth(line))
            shape, mark = _arc(start, end, one.bottom, depth)
            routes.bottom = max(routes.bottom, one.bottom + depth)
        add_stroke(routes, line, shape, f"{card_words(one)} and {card_words(other)}")
        if line.total > 1:
            routes.marks.append(Mark(*mark, line.live, line.total))
    return routes


def between_hubs(routes: Routes, line: Line, one: Card, other: Card, start: float, end: float) -> None:
    """From side to side where they are neighbours, else below the cards between them."""
    if line.other == line.one + 1:
        level = one.y + CARD_HEIGHT / 2
        shape = path("M", one.x + one.width, level, "H", other.x)
    else:
        shape, _mark = _arc(start, end, one.bottom, arc_depth(line))
    add_stroke(routes, line, shape, f"{card_words(one)} and {card_words(other)}")


def add_stroke(routes: Routes, line: Line, shape: str, ends: str) -> None:
    words = ("live" if line.live else "silent") if line.total == 1 else f"{line.live} of {line.total} tunnels live"
    routes.strokes.append(Stroke(shape, line.live, line.total, f"{ends}: {words}"))


def _drop(x: float, y: float, end_x: float, end_y: float) -> tuple[str, tuple[float, float]]:
    """From a hub down to a host: turns above the site's band and goes straight through it."""
    band = end_y - BAND_HEIGHT - 14
    middle = (y + band) / 2
    swing = min(abs(end_x - x) / 12, 18)
    shape = path("M", x, y, "C", x, middle + swing, end_x, middle - swing, end_x, band, "V", end_y)
    return shape, ((x + end_x) / 2, middle)


def _arc(x: float, end_x: float, y: float, depth: float) -> tuple[str, tuple[float, float]]:
    # A cubic curve reaches three quarters of the way to its control points.
    control = y + depth / 0.75
    return path("M", x, y, "C", x, control, end_x, control, end_x, y), ((x + end_x) / 2, y + depth)


def _outer_depths(layout: Layout, lines: Sequence[Line]) -> dict[tuple[int, int], float]:
    """How deep the arcs between sites hang: below the sites, the wider the deeper."""
    first = layout.top_cards
    outer = [line for line in lines if line.one >= first and layout.site_of(line) is None]
    outer.sort(key=lambda line: (line.other - line.one, line.one))
    below = layout.height - (layout.cards[first].bottom if len(layout.cards) > first else 0)
    step = min(14, _DEEPEST / max(len(outer), 1))
    return {(line.one, line.other): below + 20 + step * position for position, line in enumerate(outer)}
