# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of roles, states and tenants, and the sign of each role."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from .svg import node

INK = "#0f172a"
SOFT_INK = "#475569"
FAINT_INK = "#64748b"
PAPER = "#ffffff"
GROUND = "#f8fafc"
EDGE = "#cbd5e1"
LIVE = "#2563eb"
SILENT = "#94a3b8"
PARTLY = "#b45309"

STATE_COLOURS = {
    "fresh": "#15803d",
    "stale": "#b45309",
    "lost": "#b91c1c",
    "untrusted": "#a21caf",
    "missing": "#64748b",
}
# Of the cards, so that what needs a look stands out.
STATE_TINTS = {
    "fresh": PAPER,
    "stale": "#fffaeb",
    "lost": "#fef3f2",
    "untrusted": "#fdf3ff",
    "missing": "#f1f5f9",
}
ROLE_COLOURS = {
    "hub": "#4338ca",
    "gateway": "#0f766e",
    "cache": "#9a5b13",
    "hypervisor": "#1d5fa8",
}
# Of a site's band and of its edge, by tenant; the first is for shared sites.
SHARED_COLOURS = ("#e2e8f0", "#a3b1c6")
TENANT_COLOURS = (
    ("#e0edfb", "#9dbfe6"),
    ("#fdeeda", "#e6bf8c"),
    ("#e9e6fb", "#b6abe8"),
    ("#def3e7", "#93ccae"),
    ("#fbe6ef", "#e3a3bf"),
    ("#edf2d6", "#bfcc87"),
)

# In a square of 20, drawn with a line of 1.6.
_SIGNS = {
    "hub": (
        "M10 7.2V4.2 M12.4 8.6L15 7.1 M12.4 11.4L15 12.9 M10 12.8V15.8 M7.6 11.4L5 12.9 M7.6 8.6L5 7.1",
        "M10 7.2A2.8 2.8 0 1 0 10 12.8A2.8 2.8 0 1 0 10 7.2Z",
    ),
    "gateway": ("M3.5 7.2H16 M13 4.2L16 7.2L13 10.2", "M16.5 13H4 M7 10L4 13L7 16"),
    "cache": (
        "M4 5.5A6 2.4 0 0 0 16 5.5A6 2.4 0 0 0 4 5.5Z",
        "M4 5.5V14.5A6 2.4 0 0 0 16 14.5V5.5 M4 10A6 2.4 0 0 0 16 10",
    ),
    "hypervisor": ("M3 4.5H17V13H3Z", "M10 13V16 M6.5 16.2H13.5"),
}
_OTHER_SIGN = ("M4 4H16V9H4Z M4 11H16V16H4Z", "M6.5 6.5H8 M6.5 13.5H8")


def draw_role(parent: Element, role: str, x: float, y: float, size: float) -> None:
    """The sign of a role, white on its colour."""
    colour = ROLE_COLOURS.get(role, FAINT_INK)
    node(parent, "rect", x=x, y=y, width=size, height=size, rx=size / 4, fill=colour)
    scale = size / 26
    group = node(
        parent,
        "g",
        transform=f"translate({x + 3 * scale:.1f} {y + 3 * scale:.1f}) scale({scale:.3f})",
        fill="none",
        stroke=PAPER,
        stroke_width="1.7",
        stroke_linecap="round",
        stroke_linejoin="round",
    )
    for shape in _SIGNS.get(role, _OTHER_SIGN):
        node(group, "path", d=shape)
