# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each site and host stands in the picture. The same estate has the same places, whatever is reported.

A small estate is a row: hubs above, all sites below, every tunnel a line of its own.
A large one is a spine: sites left and right of the lines that lead to hubs and between sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .estate_view import EstateView, HostView, SiteView, TunnelView

WIDTH = 1200
MARGIN = 24
TOP = 100
CARD_HEIGHT = 90
BAND_HEIGHT = 46
PADDING = 14
CARD_GAP = 12
# Between hubs, whose tunnel is a line from side to side.
HUB_GAP = 40
SITE_GAP = 24
# Between hubs and sites: room for the lines to turn.
CORRIDOR = 104
SPINE_CORRIDOR = 76

WIDEST_CARD = 172
NARROWEST_CARD = 132
SPINE_CARD = 148
SPINE_COLUMNS = 3
COLUMN_WIDTH = 2 * PADDING + SPINE_COLUMNS * SPINE_CARD + (SPINE_COLUMNS - 1) * CARD_GAP
_ROW_OF_CARDS = (WIDTH - 2 * MARGIN - 2 * PADDING + HUB_GAP) // (SPINE_CARD + HUB_GAP)
BRIEF_HEIGHT = BAND_HEIGHT + 40

# More hosts of one role on a site than this are one card; a larger estate is shown with less of each site.
COLLAPSE_ABOVE = 8
_CARD_LIMITS = ((COLLAPSE_ABOVE, 72), (3, 96), (1, 144))
# A row with more lines than this is a tangle.
_MOST_LINES = 64


@dataclass(slots=True)
class Card:
    """A host, or all hosts of one role of a site."""

    role: str
    hosts: tuple[HostView, ...]
    x: float = 0
    y: float = 0
    width: float = SPINE_CARD

    @property
    def centre(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + CARD_HEIGHT


@dataclass(slots=True)
class Box:
    """A site; a brief one has no cards that are drawn, only a line of counts."""

    site: SiteView
    cards: list[Card]
    brief: bool = False
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(slots=True)
class Line:
    """All tunnels between two cards (or within one), and how many of them live."""

    one: int
    other: int
    live: int = 0
    total: int = 0

    def count(self, live: bool) -> None:
        self.live += live
        self.total += 1


@dataclass(slots=True)
class Layout:
    """Boxes in the order of the view; `lines` name cards by their place in `cards`."""

    spine: bool
    top: list[Box]
    sites: list[Box]
    cards: list[Card] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    height: float = 0

    @property
    def top_cards(self) -> int:
        """How many cards are of shared sites; they are the first of `cards`."""
        return sum(len(box.cards) for box in self.top)

    def site_of(self, line: Line) -> Box | None:
        """The site, not a shared one, within which a line runs from card to card."""
        first = self.top_cards
        for box in self.sites:
            last = first + len(box.cards)
            if first <= line.one < line.other < last:
                return box
            first = last
        return None


def arc_depth(line: Line) -> float:
    """How far the arc between two cards of one site hangs below them."""
    return 12 + 16 * (line.other - line.one)


def lay_out(view: EstateView) -> Layout:
    """A row where everything fits and can be told apart, else a spine."""
    for spine, limit, most_cards in ((False, COLLAPSE_ABOVE, None), *((True, *step) for step in _CARD_LIMITS)):
        layout = _boxes(view, spine, limit)
        if not spine:
            if _arrange_row(layout):
                return layout
        elif most_cards is not None and len(layout.cards) <= most_cards:
            _arrange_spine(layout)
            return layout
    layout = _boxes(view, True, 1, brief=True)
    _arrange_spine(layout)
    return layout


def _boxes(view: EstateView, spine: bool, limit: int, brief: bool = False) -> Layout:
    by_site: dict[str, list[HostView]] = {site.name: [] for site in view.sites}
    for host in view.hosts:
        by_site[host.site].append(host)
    top: list[Box] = []
    sites: list[Box] = []
    for site in view.sites:
        hosts = by_site[site.name]
        if site.tenant is None:
            cards = _cards(hosts, limit)
            # A row of a spine holds no more: one card for each role instead.
            top.append(Box(site, cards if not spine or len(cards) <= _ROW_OF_CARDS else _cards(hosts, 1)))
        elif brief:
            sites.append(Box(site, [Card("host", tuple(hosts))] if hosts else [], brief=True))
        else:
            sites.append(Box(site, _cards(hosts, limit)))
    layout = Layout(spine, top, sites, [card for box in (*top, *sites) for card in box.cards])
    layout.lines = _lines(layout.cards, view.tunnels)
    return layout


def _cards(hosts: Iterable[HostView], limit: int) -> list[Card]:
    by_role: dict[str, list[HostView]] = {}
    for host in hosts:
        by_role.setdefault(host.role, []).append(host)
    cards: list[Card] = []
    for role, members in by_role.items():
        if len(members) > limit:
            cards.append(Card(role, tuple(members)))
        else:
            cards += [Card(role, (host,)) for host in members]
    return cards


def _lines(cards: Sequence[Card], tunnels: Iterable[TunnelView]) -> list[Line]:
    place = {host.name: position for position, card in enumerate(cards) for host in card.hosts}
    lines: dict[tuple[int, int], Line] = {}
    for tunnel in tunnels:
        one, other = sorted((place[tunnel.one], place[tunnel.other]))
        lines.setdefault((one, other), Line(one, other)).count(tunnel.live)
    return [lines[pair] for pair in sorted(lines)]


def _row_width(boxes: Sequence[Box], card_width: float) -> float:
    return sum(_box_width(box, card_width) for box in boxes) + SITE_GAP * max(len(boxes) - 1, 0)


def _gap(box: Box) -> int:
    return HUB_GAP if box.site.tenant is None else CARD_GAP


def _box_width(box: Box, card_width: float) -> float:
    count = max(len(box.cards), 1)
    return 2 * PADDING + count * card_width + (count - 1) * _gap(box)


def _place_row(boxes: Sequence[Box], y: float, card_width: float) -> None:
    """Boxes beside each other in the middle of the page, the cards of each in one row."""
    x = (WIDTH - _row_width(boxes, card_width)) / 2
    for box in boxes:
        box.x, box.y, box.width = x, y, _box_width(box, card_width)
        box.height = BAND_HEIGHT + 2 * PADDING + CARD_HEIGHT
        for position, card in enumerate(box.cards):
            card.x = x + PADDING + position * (card_width + _gap(box))
            card.y = y + BAND_HEIGHT + PADDING
            card.width = card_width
        x += box.width + SITE_GAP


def _arrange_row(layout: Layout) -> bool:
    """False where the sites or the hubs need more than one row, or the lines are too many."""
    room = WIDTH - 2 * MARGIN
    fitting = [
        width
        for width in range(WIDEST_CARD, NARROWEST_CARD - 1, -4)
        if max(_row_width(layout.top, width), _row_width(layout.sites, width)) <= room
    ]
    if not fitting or len(layout.lines) > _MOST_LINES:
        return False
    _place_row(layout.top, TOP, fitting[0])
    y = TOP if not layout.top else max(box.bottom for box in layout.top) + CORRIDOR
    _place_row(layout.sites, y, fitting[0])
    # Below the cards: room for the arcs between hosts of the site.
    deepest = max((arc_depth(line) for line in layout.lines if layout.site_of(line) is not None), default=0)
    for box in layout.sites:
        box.height += deepest
    layout.height = max((box.bottom for box in (*layout.top, *layout.sites)), default=TOP)
    return True


def _arrange_spine(layout: Layout) -> None:
    y: float = TOP
    # Shared sites stand in rows above; each row takes what fits.
    row: list[Box] = []
    rows: list[list[Box]] = [row]
    for box in layout.top:
        if row and _row_width([*row, box], SPINE_CARD) > WIDTH - 2 * MARGIN:
            row = []
            rows.append(row)
        row.append(box)
    for row in rows:
        if row:
            _place_row(row, y, SPINE_CARD)
            y = max(box.bottom for box in row) + SITE_GAP
    if layout.top:
        y += SPINE_CORRIDOR - SITE_GAP
    columns = [y, y]
    for box in layout.sites:
        side = 0 if columns[0] <= columns[1] else 1
        box.x = MARGIN if side == 0 else WIDTH - MARGIN - COLUMN_WIDTH
        box.y = columns[side]
        _place_grid(box)
        columns[side] = box.bottom + SITE_GAP
    layout.height = max((box.bottom for box in (*layout.top, *layout.sites)), default=TOP)


def _place_grid(box: Box) -> None:
    box.width = COLUMN_WIDTH
    if box.brief:
        box.height = BRIEF_HEIGHT
        return
    rows = max(-(-len(box.cards) // SPINE_COLUMNS), 1)
    box.height = BAND_HEIGHT + 2 * PADDING + rows * CARD_HEIGHT + (rows - 1) * CARD_GAP
    for position, card in enumerate(box.cards):
        line, column = divmod(position, SPINE_COLUMNS)
        card.x = box.x + PADDING + column * (SPINE_CARD + CARD_GAP)
        card.y = box.y + BAND_HEIGHT + PADDING + line * (CARD_HEIGHT + CARD_GAP)
