# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes from what an inventory says, and what validate_estate finds in it."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._gateway.sizing import Gateway, Resources
from bocage_core._gateway.sizing_estate import (
    check_sizing,
    demands,
    gateways_by_site,
    read_demand,
    read_resources,
    reported_resources,
)

SITES: dict[str, Any] = {
    "core": {"index": 0},
    "lyon": {"index": 1, "lan_prefixes": ["198.18.1.0/24"], "connections": 300, "high_availability": True},
    "oslo": {"index": 2, "lan_prefixes": ["2001:db8:3::/64"]},
}
HOSTS: dict[str, dict[str, Any]] = {
    "gw2": {"host_site": "lyon", "gateway_resources": {"cpu_count": 3}},
    "gw1": {"host_site": "lyon", "gateway_resources": {"cpu_count": 3, "memory_gb": "16"}},
    "gw9": {"host_site": "oslo"},
    "desk1": {"host_site": "lyon"},
}
GROUPS = {"gateways": ["gw2", "gw1", "gw9"]}


def found(hosts: dict[str, dict[str, Any]] | None = None, **lyon: Any) -> list[str]:
    sites = {**SITES, "lyon": {**SITES["lyon"], **lyon}}
    given = {name: {"estate_sites": sites, **values} for name, values in {**HOSTS, **(hosts or {})}.items()}
    return [finding.text for finding in check_sizing(given, GROUPS)]


def test_sites_with_their_gateways_by_name() -> None:
    gateways = gateways_by_site(HOSTS, GROUPS["gateways"])
    assert gateways["lyon"] == (
        Gateway("gw1", Resources(cpu_count=3, memory_gb=16.0)),
        Gateway("gw2", Resources(cpu_count=3)),
    )
    assert list(demands(SITES, gateways)) == ["lyon", "oslo"]
    lyon = demands(SITES, gateways)["lyon"]
    assert (lyon.demand.connections, lyon.demand.spare, lyon.sizing.problem) == (300, True, None)


def test_what_is_reported_goes_before_what_is_declared() -> None:
    sections = {"system": {"cpu_count": 2, "memory_total_bytes": 8_300_000_000}}
    reported = {"gw1": reported_resources(sections)}
    gateways = gateways_by_site(HOSTS, GROUPS["gateways"], reported)
    assert gateways["lyon"][0].resources == Resources(cpu_count=2, memory_gb=8.3)
    assert reported_resources({}) == Resources()


def test_defaults_of_a_site() -> None:
    demand = read_demand("oslo", SITES["oslo"])
    assert (demand.connections, demand.peak_to_mean, demand.headroom_percent, demand.spare) == (0, 4.0, 20, None)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"connections": -1}, "Site lyon has connections -1; it lies between 0 and 1e+06."),
        ({"connections": "many"}, "Site lyon has connections 'many'; it lies between 0 and 1e+06."),
        ({"traffic_peak_to_mean": 0.5}, "Site lyon has traffic_peak_to_mean 0.5; it lies between 1 and 1000."),
        ({"headroom_percent": 100}, "Site lyon has headroom_percent 100; it lies between 0 and 99."),
        ({"high_availability": "often"}, "Site lyon has high_availability 'often', which is neither true nor false."),
    ],
)
def test_values_that_say_nothing(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput) as raised:
        read_demand("lyon", values)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("large", "Gateway gw1 has gateway_resources 'large', which is no mapping."),
        ({"cpu_count": 0}, "Gateway gw1 has 0 as cpu_count of gateway_resources; give it what it has."),
        ({"nic_gbit": "fast"}, "Gateway gw1 has 'fast' as nic_gbit of gateway_resources; give it what it has."),
    ],
)
def test_resources_that_say_nothing(values: Any, sentence: str) -> None:
    with pytest.raises(BadInput) as raised:
        read_resources("gw1", values)
    assert str(raised.value) == sentence


def test_a_sound_inventory_has_no_finding() -> None:
    assert found() == []
    assert check_sizing({"gw1": {}}, GROUPS) == []


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {"connections": 301},
            [
                "Site lyon cannot do without gw2: gw1 would carry all 301 connections, for which it needs 4 vCPU and "
                "has 3; give gw1 more, or the site another gateway."
            ],
        ),
        ({"connections": 301, "high_availability": False}, []),
        ({"connections": -5}, ["Site lyon has connections -5; it lies between 0 and 1e+06."]),
        # of a wrong type, which is found by its type
        ({"connections": "many"}, []),
        ({"high_availability": "often", "connections": 0}, []),
    ],
)
def test_findings_of_a_site(changes: dict[str, Any], sentences: list[str]) -> None:
    assert found(**changes) == sentences


def test_a_site_with_too_few_gateways_has_its_finding_elsewhere() -> None:
    assert found({"gw2": {"host_site": "oslo"}}) == []
    assert found({"gw1": {"host_site": "oslo"}, "gw2": {"host_site": "oslo"}}, high_availability=None) == []


def test_a_site_without_lan_that_asks_for_connections() -> None:
    sites = {**SITES, "core": {"index": 0, "connections": 5}}
    hosts = {name: {"estate_sites": sites, **values} for name, values in HOSTS.items()}
    assert [finding.text for finding in check_sizing(hosts, GROUPS)] == [
        "Site core has no gateway for its 5 connections; add one."
    ]


def test_resources_out_of_range_are_told_once() -> None:
    assert found({"gw1": {"host_site": "lyon", "gateway_resources": {"disk_gb": -50}}}) == [
        "Gateway gw1 has -50 as disk_gb of gateway_resources; give it what it has."
    ]
