# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way in which a path carries less than planned has its sentence."""

from __future__ import annotations

import pytest
from bocage_core._common.path_finding import finding


def path(**changes: int | None) -> dict[str, object]:
    return {"peer": "hub1", "planned": 1440, "allowed": 1440, "measured": 1440, "underlay": 1500, **changes}


@pytest.mark.parametrize("changes", [{}, {"measured": None}, {"planned": 1340}, {"measured": 1500}])
def test_a_path_that_carries_what_is_planned_has_no_finding(changes: dict[str, int | None]) -> None:
    assert finding(path(**changes)) is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"measured": 1340, "underlay": 1400},
            "The path to hub1 carries 1340 bytes in one piece instead of the planned 1440: its underlay carries 1400; "
            "give the narrower end this underlay_mtu, and no mesh_mtu.",
        ),
        (
            {"measured": 1300, "allowed": 1300},
            "The path to hub1 carries 1300 bytes instead of the planned 1440: its interface lets no more pass; apply "
            "the mesh.",
        ),
        (
            {"measured": 1350, "underlay": 1500},
            "The path to hub1 carries 1350 bytes instead of the planned 1440: larger packets are lost; look for a "
            "router on the way that drops them without a word, or set underlay_mtu to what it carries.",
        ),
        (
            {"measured": 1350, "underlay": None},
            "The path to hub1 carries 1350 bytes instead of the planned 1440: larger packets are lost; look for a "
            "router on the way that drops them without a word, or set underlay_mtu to what it carries.",
        ),
    ],
)
def test_a_path_that_carries_less_has_a_sentence(changes: dict[str, int | None], sentence: str) -> None:
    assert finding(path(**changes)) == sentence
