# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate as an SVG picture. It has no ages: the same reports give the same bytes."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_states import STATES

from .estate_icons import (
    EDGE,
    FAINT_INK,
    GROUND,
    INK,
    LIVE,
    PAPER,
    PARTLY,
    SHARED_COLOURS,
    SILENT,
    SOFT_INK,
    STATE_COLOURS,
    STATE_TINTS,
    TENANT_COLOURS,
    draw_role,
)
from .estate_layout import (
    BAND_HEIGHT,
    CARD_HEIGHT,
    MARGIN,
    PADDING,
    WIDTH,
    Box,
    Card,
    Layout,
    Line,
    lay_out,
)
from .estate_lines import Joint, Mark, Routes, Stroke, card_words, path, route_row
from .estate_services import NOT_HEARD, exit_words
from .estate_spine import route_spine
from .estate_table import counted, epoch_counts, state_counts, summary
from .estate_view import ROLES, EstateView, HostView
from .svg import (
    BOLD_RATIO,
    MONO,
    MONO_RATIO,
    SANS_RATIO,
    document,
    fitting,
    fitting_size,
    hint,
    node,
    to_bytes,
    words,
)

_LEGEND_HEIGHT = 76
_LEGEND_GAP = 28
# of the line that says how a gateway does
_SMALL = 9.5


def draw(view: EstateView, title: str) -> bytes:
    """The whole picture as an SVG document."""
    layout = lay_out(view)
    routes = route_spine(layout) if layout.spine else route_row(layout)
    height = routes.bottom + _LEGEND_GAP + _LEGEND_HEIGHT + MARGIN
    root = document(WIDTH, height, title, summary(view))
    node(root, "rect", width=WIDTH, height=height, fill=GROUND)
    _draw_heading(root, view, title)
    colours = _tenant_colours(view)
    boxes = [*layout.top, *layout.sites]
    for box in boxes:
        _draw_box(root, box, colours)
    _draw_lines(root, routes, layout.spine)
    # Bands and cards cover the lines that pass behind them.
    for box in boxes:
        _draw_band(root, box, colours, routes.inside.get(box.site.name))
    counts = _tunnels_by_card(layout)
    for box in boxes:
        for card in box.cards:
            if not box.brief:
                _draw_card(root, card, counts[id(card)])
    for mark in routes.marks:
        _draw_mark(root, mark)
    _draw_legend(root, routes.bottom + _LEGEND_GAP, layout)
    return to_bytes(root)


def _tenant_colours(view: EstateView) -> dict[str | None, tuple[str, str]]:
    tenants = list(dict.fromkeys(site.tenant for site in view.sites if site.tenant is not None))
    found: dict[str | None, tuple[str, str]] = {None: SHARED_COLOURS}
    for position, tenant in enumerate(tenants):
        found[tenant] = TENANT_COLOURS[position % len(TENANT_COLOURS)]
    return found


def _tunnels_by_card(layout: Layout) -> dict[int, Line]:
    """The tunnels that end at each card."""
    counts = {id(card): Line(position, position) for position, card in enumerate(layout.cards)}
    for line in layout.lines:
        for position in sorted({line.one, line.other}):
            count = counts[id(layout.cards[position])]
            count.live += line.live
            count.total += line.total
    return counts


def _draw_heading(root: Element, view: EstateView, title: str) -> None:
    words(root, MARGIN, 46, fitting(title, 560, 24, BOLD_RATIO), 24, font_weight="700", fill=INK)
    epochs = epoch_counts(view)
    below = f"{view.domain}, overlay {view.ula_prefix}" + (f", mesh keys of epoch {epochs}" if epochs else "")
    words(root, MARGIN, 70, fitting(below, 900, 13), 13, fill=SOFT_INK)
    right: float = WIDTH - MARGIN
    live = sum(tunnel.live for tunnel in view.tunnels)
    tunnels = f"{live} of {counted(len(view.tunnels), 'tunnel')} live" if view.tunnels else "no tunnel reported"
    words(root, right, 70, tunnels, 13, fill=SOFT_INK, text_anchor="end")
    for state, count in reversed(state_counts(view.hosts)):
        text = f"{count} {state}"
        width = 8.4 * len(text) + 32
        node(root, "rect", x=right - width, y=28, width=width, height=24, rx=12, fill=PAPER, stroke=EDGE)
        node(root, "circle", cx=right - width + 14, cy=40, r=5, fill=STATE_COLOURS[state])
        words(root, right - width + 25, 44.5, text, 13, fill=INK, font_weight="600")
        right -= width + 8
    words(root, right - 4, 44.5, counted(len(view.hosts), "host"), 13, fill=SOFT_INK, text_anchor="end")


def _draw_box(root: Element, box: Box, colours: dict[str | None, tuple[str, str]]) -> None:
    node(
        root, "rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=12,
        fill=PAPER, stroke=colours[box.site.tenant][1], stroke_width=1.2,
    )  # fmt: skip


def _draw_band(root: Element, box: Box, colours: dict[str | None, tuple[str, str]], inside: Line | None) -> None:
    """The head of a site: its name, its tenant, its LAN."""
    group = node(root, "g")
    lan = ", ".join(box.site.lan_prefixes)
    tenant = box.site.tenant_title
    hint(group, f"Site {box.site.name}, {tenant or 'shared'}" + (f", LAN {lan}" if lan else ""))
    tint, edge = colours[box.site.tenant]
    x, y, right = box.x, box.y, box.x + box.width
    node(
        group, "path", fill=tint, stroke=edge, stroke_width=1.2,
        d=f"M{x:.1f} {y + BAND_HEIGHT:.1f}V{y + 12:.1f}a12 12 0 0 1 12 -12H{right - 12:.1f}"
        f"a12 12 0 0 1 12 12V{y + BAND_HEIGHT:.1f}Z",
    )  # fmt: skip
    room = box.width - 2 * PADDING
    owner = tenant or "shared"
    below = f"LAN {lan}" if lan else "no LAN" if tenant else "hubs for all sites"
    if 15 * BOLD_RATIO * len(box.site.name) + 12 * BOLD_RATIO * len(owner) + 12 <= room:
        words(group, right - PADDING, y + 20, owner, 12, font_weight="600", fill=SOFT_INK, text_anchor="end")
    else:
        below = f"{owner}, {below}"
    name = fitting(box.site.name, room, 15, BOLD_RATIO)
    words(group, x + PADDING, y + 20, name, 15, font_weight="700", fill=INK)
    if inside is not None:
        text = f"within the site {inside.live}/{inside.total}"
        words(group, right - PADDING, y + 37, text, 11, fill=SOFT_INK, text_anchor="end")
        room -= 6.6 * len(text) + 10
    size = fitting_size(below, room, 11, 9.5)
    words(group, x + PADDING, y + 37, fitting(below, room, size), size, fill=SOFT_INK)
    if not box.cards:
        words(root, x + box.width / 2, y + BAND_HEIGHT + 24, "no host", 12, fill=FAINT_INK, text_anchor="middle")
    elif box.brief:
        _draw_counts(root, box.cards[0], x + PADDING, y + BAND_HEIGHT + 25)


def _draw_counts(parent: Element, card: Card, x: float, y: float) -> None:
    words(parent, x, y, counted(len(card.hosts), "host"), 12.5, fill=INK, font_weight="600")
    x += 90
    for state, count in state_counts(card.hosts):
        node(parent, "circle", cx=x, cy=y - 4, r=4.5, fill=STATE_COLOURS[state])
        words(parent, x + 9, y, f"{count} {state}", 12, fill=INK)
        x += 24 + 7.2 * len(f"{count} {state}")


def _draw_lines(root: Element, routes: Routes, spine: bool) -> None:
    group = node(root, "g", fill="none", stroke_linecap="round")
    # The silent ones first, so that no live line is hidden.
    for stroke in sorted(routes.strokes, key=lambda stroke: stroke.live > 0):
        _draw_stroke(group, stroke, 2.4 if spine else 2)
    for joint in routes.joints:
        _draw_joint(root, joint)


def _draw_stroke(group: Element, stroke: Stroke, width: float) -> None:
    if stroke.live:
        line = node(group, "path", d=stroke.path, stroke=LIVE, stroke_width=width, stroke_opacity=0.85)
    else:
        line = node(group, "path", d=stroke.path, stroke=SILENT, stroke_width=width, stroke_dasharray="5 5")
    hint(line, stroke.words)


def _draw_joint(root: Element, joint: Joint) -> None:
    node(root, "circle", cx=joint.x, cy=joint.y, r=3.6, fill=LIVE if joint.live else SILENT)


def _draw_mark(root: Element, mark: Mark) -> None:
    text = f"{mark.live}/{mark.total}"
    width = 7 * len(text) + 10
    colour = LIVE if mark.live == mark.total else PARTLY if mark.live else FAINT_INK
    node(
        root, "rect", x=mark.x - width / 2, y=mark.y - 9, width=width, height=18, rx=9,
        fill=PAPER, stroke=colour, stroke_width=1,
    )  # fmt: skip
    words(root, mark.x, mark.y + 4, text, 11, fill=colour, text_anchor="middle", font_weight="600")


def _draw_card(root: Element, card: Card, count: Line) -> None:
    group = node(root, "g")
    states = state_counts(card.hosts)
    worst = states[-1][0]
    frame: dict[str, str | float] = {"width": card.width, "height": CARD_HEIGHT, "rx": 8, "stroke_width": 1.2}
    frame["stroke"] = EDGE if worst == "fresh" else STATE_COLOURS[worst]
    frame["fill"] = STATE_TINTS[worst] if len(states) == 1 else PAPER
    if worst == "missing":
        frame["stroke_dasharray"] = "4 3"
    if len(card.hosts) > 1:
        for shift in (6, 3):
            node(group, "rect", x=card.x + shift, y=card.y - shift, **frame)
    node(group, "rect", x=card.x, y=card.y, **frame)
    node(group, "path", d=path("M", card.x, card.y + 67, "h", card.width), stroke="#e2e8f0")
    draw_role(group, card.role, card.x + 10, card.y + 10, 28)
    if len(card.hosts) > 1:
        _write_hosts(group, card, states)
    else:
        _write_host(group, card)
    x, y = card.x + 10, card.y + 82
    state = worst if len(states) == 1 else f"{states[-1][1]} {worst}"
    node(group, "circle", cx=x + 4.5, cy=y - 3.5, r=4.5, fill=STATE_COLOURS[worst])
    words(group, x + 14, y, state, 11, fill=STATE_COLOURS[worst], font_weight="600")
    drifted = sum(bool(host.drift) for host in card.hosts)
    if drifted:
        _draw_drift(group, card.x + card.width - 10, card.y, "drift" if len(card.hosts) == 1 else f"{drifted} drift")
    _draw_count(group, card.x + card.width - 10, y, count)


def _draw_drift(group: Element, right: float, y: float, text: str) -> None:
    """A label that ends at `right` and lies on the level `y`."""
    width = 6.2 * len(text) + 12
    node(group, "rect", x=right - width, y=y - 8, width=width, height=16, rx=8, fill=PARTLY)
    words(group, right - width / 2, y + 3.5, text, 10.5, fill=PAPER, text_anchor="middle", font_weight="600")


def _draw_count(group: Element, right: float, y: float, count: Line) -> None:
    """How many of a card's tunnels live, behind the sign for a tunnel."""
    text = f"{count.live}/{count.total}" if count.total else "none"
    words(group, right, y, text, 11, fill=SOFT_INK, text_anchor="end")
    _draw_tunnel_sign(group, right - 7 * len(text) - 22, y - 3.5, LIVE if count.live else SILENT)


def _draw_tunnel_sign(group: Element, x: float, y: float, colour: str) -> None:
    node(group, "path", d=path("M", x + 3, y, "h", 10), stroke=colour, stroke_width=1.6)
    for end in (x + 2.5, x + 13.5):
        node(group, "circle", cx=end, cy=y, r=2.5, fill=PAPER, stroke=colour, stroke_width=1.4)


def _write_host(group: Element, card: Card) -> None:
    host = card.hosts[0]
    hint(group, " ".join([f"{host.name}, {host.role_words}, {host.address}, {host.state}.", *_more(host), *host.drift]))
    x, y, room = card.x + 10, card.y, card.width - 20
    several = len(host.role_words) * 11 * SANS_RATIO > card.width - 54
    role = f"{host.role} + {len(host.roles) - 1}" if several and len(host.roles) > 1 else host.role_words
    _write_name(group, card, host.name, role)
    size = fitting_size(host.address, room, 11, 9, MONO_RATIO)
    level = y + 58
    if host.gateway is not None and host.gateway.health != NOT_HEARD:
        level = y + 52
        text = host.gateway.short_words(int(room / (_SMALL * SANS_RATIO)))
        colour = SOFT_INK if host.gateway.is_sound else PARTLY
        words(group, x, y + 63, fitting(text, room, _SMALL), _SMALL, fill=colour)
    words(group, x, level, fitting(host.address, room, size, MONO_RATIO), size, fill=INK, font_family=MONO)


def _more(host: HostView) -> list[str]:
    """What a host says of itself as a gateway, of its exits and of its keys, in sentences."""
    found = []
    if host.gateway is not None and host.gateway.health != NOT_HEARD:
        found.append(f"Gateway {host.gateway.short_words(999)}.")
        if host.gateway.segments:
            found.append(f"Segments: {host.gateway.segment_words}.")
    if host.exits:
        found.append(f"Enters {exit_words(host.exits)}.")
    if str(host.epochs):
        found.append(f"Mesh keys of epoch {host.epochs}.")
    return found


def _write_hosts(group: Element, card: Card, states: list[tuple[str, int]]) -> None:
    hint(group, f"{card_words(card)}: " + ", ".join(f"{count} {state}" for state, count in states))
    x, y, room = card.x + 10, card.y, card.width - 20
    _write_name(group, card, f"{len(card.hosts)} hosts", f"{card.role}s")
    for state, count in states:
        part = room * count / len(card.hosts)
        node(group, "rect", x=x, y=y + 49, width=max(part - 1, 1), height=9, rx=1.5, fill=STATE_COLOURS[state])
        x += part


def _write_name(group: Element, card: Card, name: str, below: str) -> None:
    x, y, room = card.x + 46, card.y, card.width - 54
    size = fitting_size(name, room, 14, 11, BOLD_RATIO)
    words(group, x, y + 22, fitting(name, room, size, BOLD_RATIO), size, font_weight="700", fill=INK)
    words(group, x, y + 37, fitting(below, room, 11), 11, fill=SOFT_INK)


def _draw_legend(root: Element, y: float, layout: Layout) -> None:
    node(root, "rect", x=MARGIN, y=y, width=WIDTH - 2 * MARGIN, height=_LEGEND_HEIGHT, rx=12, fill=PAPER, stroke=EDGE)
    x = MARGIN + 18.0
    for role in ROLES:
        draw_role(root, role, x, y + 13, 20)
        words(root, x + 27, y + 27, role, 12, fill=INK)
        x += 27 + 7 * len(role) + 18
    x += 26
    for state in STATES:
        node(root, "circle", cx=x, cy=y + 23, r=5, fill=STATE_COLOURS[state])
        words(root, x + 11, y + 27, state, 12, fill=INK)
        x += 11 + 7 * len(state) + 24
    _draw_drift(root, x + 62, y + 23, "drift")
    words(root, x + 70, y + 27, "not as configured", 12, fill=INK)
    x, y = MARGIN + 18.0, y + 54
    for style, text in (
        ({"stroke": LIVE}, "live: a handshake in the 3 minutes before the report"),
        ({"stroke": SILENT, "stroke_dasharray": "5 5"}, "silent: idle, or one end does not answer"),
    ):
        node(root, "path", d=f"M{x:.1f} {y:.1f}h36", stroke_width=2.4, **style)
        words(root, x + 46, y + 4, text, 12, fill=INK)
        x += 46 + 6.6 * len(text) + 28
    _draw_tunnel_sign(root, x, y, LIVE)
    words(root, x + 24, y + 4, "live tunnels of all", 12, fill=INK)
