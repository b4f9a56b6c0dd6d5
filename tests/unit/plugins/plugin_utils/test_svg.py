# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements of SVG: numbers, text that fits, text that stays text."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.svg import (
    document,
    fitting,
    fitting_size,
    node,
    number,
    to_bytes,
    words,
)


@pytest.mark.parametrize(("value", "text"), [(1, "1"), (1.0, "1"), (1.25, "1.2"), (-0.5, "-0.5"), (1 / 3, "0.3")])
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_text_that_is_too_wide_keeps_both_ends() -> None:
    assert fitting("gw1", 100, 10) == "gw1"
    assert fitting("a-long-name-of-desk17", 60, 10) == "a-lon\N{HORIZONTAL ELLIPSIS}sk17"
    assert len(fitting("x" * 100, 0, 10)) == 3


def test_a_size_that_fits() -> None:
    assert fitting_size("gw1", 100, 14, 9) == 14
    assert fitting_size("a-long-name-of-desk17", 140, 14, 9) == 11
    assert fitting_size("x" * 100, 100, 14, 9) == 9


def test_attributes_and_text_are_escaped() -> None:
    root = document(10, 20.5, "<b>", "&")
    node(root, "rect", stroke_width=1.5, fill='"><x')
    words(root, 1, 2, "</text>\x1b", 12)
    parsed = ElementTree.fromstring(to_bytes(root))
    assert [element.tag.rpartition("}")[2] for element in parsed.iter()] == ["svg", "title", "desc", "rect", "text"]
    assert parsed[2].attrib == {"stroke-width": "1.5", "fill": '"><x'}
    assert parsed[3].text == "</text>\ufffd"
