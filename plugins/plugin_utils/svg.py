# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements of an SVG document, with text that cannot become markup."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from .estate_view import printable

SANS = "system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
# Width of a character to its size, for the wider fonts among those above.
SANS_RATIO = 0.6
BOLD_RATIO = 0.66
MONO_RATIO = 0.605


def document(width: float, height: float, title: str, description: str) -> Element:
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {number(width)} {number(height)}",
            "width": number(width),
            "height": number(height),
            "role": "img",
            "font-family": SANS,
        },
    )
    node(root, "title").text = printable(title)
    node(root, "desc").text = printable(description)
    return root


def node(parent: Element, tag: str, **attributes: str | float) -> Element:
    """A child element; `stroke_width=2` becomes the attribute stroke-width."""
    return ElementTree.SubElement(
        parent,
        tag,
        {
            name.replace("_", "-"): printable(value) if isinstance(value, str) else number(value)
            for name, value in attributes.items()
        },
    )


def words(parent: Element, x: float, y: float, text: str, size: float, **attributes: str | float) -> Element:
    element = node(parent, "text", x=x, y=y, font_size=size, **attributes)
    element.text = printable(text)
    return element


def hint(element: Element, text: str) -> None:
    """What a browser shows under the pointer."""
    title = Element("title")
    title.text = printable(text)
    element.insert(0, title)


def fitting(text: str, width: float, size: float, ratio: float = SANS_RATIO) -> str:
    """The text, without its middle where it is wider than there is room: names of one site differ at the end."""
    most = max(int(width / (size * ratio)), 3)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return text[: most - 1 - tail] + "\N{HORIZONTAL ELLIPSIS}" + text[len(text) - tail :]


def fitting_size(text: str, width: float, largest: float, smallest: float, ratio: float = SANS_RATIO) -> float:
    """The size at which a text fits, within limits."""
    # Downwards to half a point, or the text would be wider than it was measured.
    return max(int(min(largest, width / (max(len(text), 1) * ratio)) * 2) / 2, smallest)


def number(value: float) -> str:
    """At most one decimal: the same picture has the same bytes on every machine."""
    return f"{value:.1f}".removesuffix(".0")


def to_bytes(root: Element) -> bytes:
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
