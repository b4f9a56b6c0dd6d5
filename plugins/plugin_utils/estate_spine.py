# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels of a large estate: lanes from the hubs and between the sites of a tenant, with a branch for each site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .estate_layout import BAND_HEIGHT, COLUMN_WIDTH, MARGIN, WIDTH, Box, Layout, Line
from .estate_lines import Joint, Mark, Routes, add_stroke, between_hubs, card_words, path

_LANE_PITCH = 16
_PORT_PITCH = 20
# More hubs than this share one lane.
_MOST_HUB_LANES = 4


def route_spine(layout: Layout) -> Routes:
    return _Spine(layout).draw()


@dataclass(slots=True)
class _Lane:
    """A vertical line of the spine: from a hub, or between the sites of a tenant."""

    words: str
    hub: int | None
    branches: dict[int, Line] = field(default_factory=dict)
    x: float = 0

    @property
    def live(self) -> int:
        return sum(line.live for line in self.branches.values())

    @property
    def total(self) -> int:
        return sum(line.total for line in self.branches.values())


class _Spine:
    """The buses of a spine; within a site the cards say how many tunnels live."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.routes = Routes(bottom=layout.height)
        self.boxes = layout.sites
        self.box_of = [-1] * layout.top_cards
        for position, box in enumerate(layout.sites):
            self.box_of += [position] * len(box.cards)

    def draw(self) -> Routes:
        hubs, tenants = self._lanes()
        columns = _columns(tenants, self.boxes)
        count = len(hubs) + 1 + max(columns.values(), default=-1)
        if count == 0:
            return self.routes
        room = WIDTH - 2 * MARGIN - 2 * COLUMN_WIDTH
        pitch = min(_LANE_PITCH, (room - 100) / max(count - 1, 1))
        left = WIDTH / 2 - (count - 1) * pitch / 2
        for position, lane in enumerate(hubs):
            lane.x = left + position * pitch
        for position, lane in enumerate(tenants):
            lane.x = left + (len(hubs) + columns[position]) * pitch
        ports: dict[int, int] = {}
        for lane in (*hubs, *tenants):
            self._draw_lane(lane, ports)
        return self.routes

    def _lanes(self) -> tuple[list[_Lane], list[_Lane]]:
        hubs: dict[int, _Lane] = {}
        tenants: dict[str, _Lane] = {}
        merged = self.layout.top_cards > _MOST_HUB_LANES
        for line in self.layout.lines:
            one, other = self.box_of[line.one], self.box_of[line.other]
            if other < 0 and line.one != line.other and not merged:
                cards = self.layout.cards[line.one], self.layout.cards[line.other]
                between_hubs(self.routes, line, *cards, cards[0].centre + 18, cards[1].centre - 18)
            elif one >= 0 and one == other:
                self._count_inside(one, line)
            elif one < 0 <= other:
                hub = 0 if merged else line.one
                words = "hubs" if merged else card_words(self.layout.cards[line.one])
                _join(hubs.setdefault(hub, _Lane(words, hub)), other, line)
            elif other >= 0:
                site = self.boxes[one].site
                lane = tenants.setdefault(site.tenant or "", _Lane(f"other sites of {site.tenant_title}", None))
                _join(lane, one, line)
                _join(lane, other, line)
        return [hubs[hub] for hub in sorted(hubs)], list(tenants.values())

    def _count_inside(self, box: int, line: Line) -> None:
        inside = self.routes.inside.setdefault(self.boxes[box].site.name, Line(box, box))
        inside.live += line.live
        inside.total += line.total

    def _draw_lane(self, lane: _Lane, ports: dict[int, int]) -> None:
        levels = []
        for position, line in sorted(lane.branches.items()):
            box = self.boxes[position]
            level = box.y + BAND_HEIGHT / 2 + _PORT_PITCH * ports.get(position, 0)
            ports[position] = ports.get(position, 0) + 1
            levels.append(level)
            edge = box.x + box.width if box.x < lane.x else box.x
            add_stroke(self.routes, line, path("M", edge, level, "H", lane.x), f"{box.site.name} and {lane.words}")
            self.routes.joints.append(Joint(lane.x, level, line.live > 0))
            self.routes.marks.append(Mark(edge + (26 if box.x < lane.x else -26), level, line.live, line.total))
        # Between sites each tunnel has two ends and was counted at both.
        ends = 2 if lane.hub is None else 1
        whole = Line(0, 0, lane.live // ends, lane.total // ends)
        between = path("M", lane.x, min(levels), "V", max(levels))
        shape = between if lane.hub is None else self._from_hub(lane, max(levels))
        add_stroke(self.routes, whole, shape, lane.words)

    def _from_hub(self, lane: _Lane, end: float) -> str:
        lowest = max(box.bottom for box in self.layout.top)
        if self.layout.top_cards > _MOST_HUB_LANES:
            return path("M", lane.x, lowest, "V", end)
        card = self.layout.cards[lane.hub or 0]
        if abs(card.centre - lane.x) < card.width / 2 - 20:
            return path("M", lane.x, card.bottom, "V", end)
        # The hub that is farthest from its lane turns lowest, so that no two cross.
        turn = lowest + 24 + min(abs(card.centre - lane.x) / 12, 48)
        side = 10 if lane.x > card.centre else -10
        return path(
            "M", card.centre, card.bottom, "V", turn - 10, "Q", card.centre, turn, card.centre + side, turn,
            "H", lane.x - side, "Q", lane.x, turn, lane.x, turn + 10, "V", end,
        )  # fmt: skip


def _join(lane: _Lane, box: int, line: Line) -> None:
    branch = lane.branches.setdefault(box, Line(box, box))
    branch.live += line.live
    branch.total += line.total


def _columns(lanes: Sequence[_Lane], boxes: Sequence[Box]) -> dict[int, int]:
    """The column of each lane: lanes that do not pass each other share one."""
    spans = [
        (min(boxes[box].y for box in lane.branches), max(boxes[box].bottom for box in lane.branches), position)
        for position, lane in enumerate(lanes)
    ]
    ends: list[float] = []
    columns: dict[int, int] = {}
    for start, end, position in sorted(spans):
        column = next((free for free, until in enumerate(ends) if until < start), len(ends))
        ends[column : column + 1] = [end]
        columns[position] = column
    return columns
