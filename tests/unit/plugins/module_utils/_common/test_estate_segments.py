# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Segments that are declared well, and each way in which they are not."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.estate_segments import read_segments


@pytest.fixture
def segments(inventory: Any) -> dict[str, Any]:
    """The segments of site lyon."""
    written: dict[str, Any] = {"office": {"id": 1001}}
    inventory.estate["estate_sites"]["lyon"]["segments"] = written
    return written


def test_sound_segments_have_no_finding(inventory: Any, segments: dict[str, Any]) -> None:
    segments["office"].update(
        hosts=["tele1"], lan_targets=["198.18.1.20", "2001:db8:2::20"], storm_frames_per_second=100
    )
    segments["voice"] = {"id": 16777215, "lan_interface": "eth2"}
    assert inventory.texts() == []


def test_a_number_that_is_used_twice_has_a_finding(inventory: Any, segments: dict[str, Any]) -> None:
    inventory.estate["estate_sites"]["oslo"]["segments"] = {"shop": {"id": 1001}}
    assert inventory.texts() == [
        "Segment shop of site oslo has id 1001, which segment office of site lyon has already; give it a number of its own."
    ]


@pytest.mark.parametrize("number", [0, 16777216, -1])
def test_a_number_out_of_range_has_a_finding(inventory: Any, segments: dict[str, Any], number: int) -> None:
    segments["office"]["id"] = number
    assert inventory.texts() == [
        f"Segment office of site lyon has id {number}; the id of a segment lies between 1 and 16777215."
    ]


def test_a_site_without_a_lan_has_a_finding(inventory: Any) -> None:
    inventory.estate["estate_sites"]["remote"]["segments"] = {"home": {"id": 7}}
    assert inventory.texts() == [
        "Site remote has segments and no lan_prefixes: there is no LAN that they could extend."
    ]


def test_a_site_without_a_gateway_has_a_finding(inventory: Any, segments: dict[str, Any]) -> None:
    inventory.groups["gateways"].remove("gw1")
    inventory.groups["hypervisors"].append("gw1")
    inventory.hosts["gw1"].pop("gateway_lan_interface")
    assert (
        "Site lyon has segments and no gateway that could join them to its LAN: put a host of it into group gateways."
        in inventory.texts()
    )


def test_two_segments_on_one_lan_interface_have_a_finding(inventory: Any, segments: dict[str, Any]) -> None:
    segments["voice"] = {"id": 1002}
    assert inventory.texts() == [
        "Segments office and voice of site lyon have the same LAN interface, which would make them one; "
        "give one of them a lan_interface of its own."
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tele2", "no host of group managed; did you mean tele1?"),
        ("gw1", "not in group hypervisors: nothing could be plugged in there."),
    ],
)
def test_a_host_that_cannot_take_part_has_a_finding(
    inventory: Any, segments: dict[str, Any], name: str, words: str
) -> None:
    segments["office"]["hosts"] = [name]
    assert inventory.texts() == [f"Segment office of site lyon has host {name}, which is {words}"]


def test_a_host_of_another_tenant_has_a_finding(inventory: Any, segments: dict[str, Any]) -> None:
    inventory.hosts["tele1"].update(host_site="oslo", host_index=7)
    segments["office"]["hosts"] = ["tele1"]
    assert inventory.texts() == [
        "Segment office of site lyon has host tele1, which is of another tenant than acme; a segment never leaves its tenant."
    ]


def test_targets_outside_of_the_lan_have_a_finding(inventory: Any, segments: dict[str, Any]) -> None:
    segments["office"]["lan_targets"] = ["198.18.9.1", "erp1"]
    assert inventory.texts() == [
        "Segment office of site lyon has the target 198.18.9.1, which is outside lan_prefixes of site lyon.",
        "Segment office of site lyon: lan_targets: 'erp1' is not an IP address (write it without port, brackets or "
        "prefix length).",
    ]


def test_what_is_no_segment_has_a_finding(inventory: Any, segments: dict[str, Any]) -> None:
    segments["office"] = 1001
    segments["Shop Floor"] = {"id": 5, "vlan": 3}
    texts = inventory.texts()
    assert texts[0] == "Segment office of site lyon must be a mapping with an id, not 1001."
    assert "Segment Shop Floor of site lyon has an unusable name: take small letters, digits and hyphens." in texts
    assert any("vlan" in text for text in texts)


def test_planners_refuse_what_was_not_checked() -> None:
    with pytest.raises(BadInput, match="The segments of site lyon are no mapping"):
        read_segments("lyon", ["office"])
    with pytest.raises(BadInput, match="Segment office of site lyon has no id; give it a number in estate_sites"):
        read_segments("lyon", {"office": {}})
