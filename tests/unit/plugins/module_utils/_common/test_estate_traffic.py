# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes in traffic classes: each has one sentence, found before anything changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from bocage_core._common.traffic_classes import DSCP, Ports, read_classes

CLASSES: list[dict[str, Any]] = [
    {"name": "voice", "percent": 30, "dscp": ["EF"], "ports": ["udp/16384-32767"]},
    {"name": "interactive", "percent": 40, "dscp": ["af41", "cs3"]},
    {"name": "bulk", "percent": 30},
]
ALL = "Hosts hub1, gw1, desk1 and 2 others: voice_classes "


def changed(number: int, **values: Any) -> list[dict[str, Any]]:
    classes = copy.deepcopy(CLASSES)
    classes[number].update(values)
    return classes


def test_classes_as_they_are_read() -> None:
    voice, interactive, bulk = read_classes(CLASSES)
    assert (voice.number, interactive.number, bulk.number) == (1, 2, 0)
    assert voice.dscp == ("ef",)
    assert voice.ports == (Ports("udp", 16384, 32767),)
    assert voice.to_dict() == {
        "name": "voice", "number": 1, "percent": 30, "dscp": ["ef"], "ports": ["udp/16384-32767"]
    }  # fmt: skip
    # what a plan hands on is read again on the host
    assert read_classes([one.to_dict() for one in (voice, interactive, bulk)]) == (voice, interactive, bulk)
    assert read_classes([]) == ()


def test_values_of_dscp() -> None:
    """RFC 2474, 2597 and 3246."""
    assert (DSCP["ef"], DSCP["af41"], DSCP["af13"], DSCP["cs5"]) == (46, 34, 14, 40)


MISTAKES: list[tuple[list[dict[str, Any]], str]] = [
    (changed(1, percent=50), "gives out 110 percent of the uplink; the percents of all classes must sum to 100."),
    (changed(1, percent=0), "gives class interactive 0 percent; a class has between 1 and 100."),
    (changed(1, name="voice"), "has class voice twice; give each class a name of its own."),
    (
        changed(0, name="Voice 1"),
        "has a class 'Voice 1'; its name begins with a small letter and holds small letters, digits and hyphens, at "
        "most 15.",
    ),
    (changed(0, dscp=["express"]), f"gives class voice the DSCP 'express'; known are {', '.join(DSCP)}."),
    (
        changed(0, ports=["16384-32767"]),
        "gives class voice the ports '16384-32767'; write them as udp/16384-32767 or tcp/5061.",
    ),
    (
        changed(0, ports=["udp/9-8"]),
        "gives class voice the ports 'udp/9-8'; write them as udp/16384-32767 or tcp/5061.",
    ),
    (changed(0, ports=["udp/0"]), "gives class voice the ports 'udp/0'; write them as udp/16384-32767 or tcp/5061."),
    (changed(1, dscp=[]), "says nothing of what belongs to class interactive; give it dscp or ports."),
    (changed(1, dscp=["ef"]), "gives the DSCP ef to classes voice and interactive; it belongs to one of them."),
    (
        changed(1, ports=["udp/20000-20010"]),
        "gives the port udp/20000 to classes voice and interactive; it belongs to one of them.",
    ),
    (
        changed(0, ports=["udp/10-20", "udp/20"]),
        "gives the port udp/20 to class voice twice; it belongs to one of them.",
    ),
    (
        changed(2, dscp=["cs1"]),
        "gives its last class bulk dscp or ports; the last class takes the rest and has neither.",
    ),
    (
        [{"name": f"c{number}", "percent": 12, "dscp": [f"cs{number % 8}"]} for number in range(8)],
        "declares 8 classes; there may be at most 7.",
    ),
]


@pytest.mark.parametrize(("classes", "text"), MISTAKES, ids=[text[:60] for _, text in MISTAKES])
def test_a_mistake_in_classes_has_one_finding(inventory: Any, classes: list[dict[str, Any]], text: str) -> None:
    inventory.estate["voice_classes"] = classes
    assert inventory.texts() == [ALL + text]


def test_ports_of_another_protocol_are_others(inventory: Any) -> None:
    inventory.estate["voice_classes"] = changed(1, ports=["tcp/20000"])
    assert inventory.texts() == []


def test_a_value_of_a_wrong_type_has_the_finding_of_its_type(inventory: Any) -> None:
    inventory.hosts["gw1"]["voice_classes"] = changed(0, percent="a third")
    assert inventory.texts() == ["Host gw1: voice_classes item 1 (percent) must be an integer, not 'a third'."]


def test_hosts_mean_the_same_by_a_class(inventory: Any) -> None:
    inventory.estate["voice_classes"] = CLASSES
    inventory.hosts["gw1"]["voice_classes"] = changed(0, dscp=["cs5"])
    assert inventory.texts() == [
        "Host gw1: voice_classes has other names, DSCP or ports than on host hub1; only the percents of hosts may differ."
    ]
    inventory.hosts["gw1"]["voice_classes"] = [{**CLASSES[0], "percent": 20}, CLASSES[1], {**CLASSES[2], "percent": 40}]
    inventory.hosts["tele1"]["voice_classes"] = []
    assert inventory.texts() == []


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (-1, "Host tele1: voice_uplink_kbit is -1; give the rate of its uplink, or 0."),
        (
            40,
            "Host tele1: voice_uplink_kbit 40 leaves class voice 12 kbit/s, with which it could not speak; give it a "
            "share of at least 16.",
        ),
    ],
)
def test_an_uplink_that_cannot_be_shared(inventory: Any, rate: int, text: str) -> None:
    inventory.estate["voice_classes"] = CLASSES
    inventory.hosts["tele1"]["voice_uplink_kbit"] = rate
    assert text in inventory.texts()


def test_an_uplink_without_classes(inventory: Any) -> None:
    inventory.hosts["tele1"]["voice_uplink_kbit"] = 4000
    assert inventory.texts() == [
        "Host tele1 has voice_uplink_kbit but no voice_classes that could share it; declare them, or remove it."
    ]
