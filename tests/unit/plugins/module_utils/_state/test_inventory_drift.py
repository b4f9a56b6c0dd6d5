# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from bocage_core._common.estate import Estate, overlay_ipv6
from bocage_core._state.inventory_drift import OverlayAddresses, mesh_drift, seal_drift, service_drift

VARIABLES = {
    "estate_name": "test",
    "estate_domain": "test.internal",
    "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
    "estate_sites": {
        "core": {"index": 0},
        "lyon": {"index": 1, "tenant": "acme", "overlay_ipv4_prefix": "198.19.1.0/24"},
    },
}
ESTATE = Estate.from_vars(VARIABLES, {})
KEY, OTHER = "A" * 43 + "=", "B" * 42 + "A="
OWN = frozenset({"fd7b:4c1e:90a2:1::7/128", "198.19.1.7/32"})


def test_the_addresses_are_those_of_the_planner() -> None:
    hosts: dict[str, dict[str, Any]] = {
        "hub1": {"host_site": "core", "host_index": 1, "roles": ["hubs"]},
        "gw1": {"host_site": "lyon", "host_index": 7},
    }
    addresses = OverlayAddresses(ESTATE)
    planned = Estate.from_vars(VARIABLES, hosts)
    for name, values in hosts.items():
        assert addresses.of(values["host_site"], values["host_index"]) == frozenset(planned.hosts[name].allowed_ips)


def test_the_faster_spelling_is_the_same() -> None:
    ula = ipaddress.IPv6Network(ESTATE.ula_prefix)
    for site_index in (0, 1, 0x10, 0xFFFF):
        estate = Estate.from_vars(
            {**VARIABLES, "estate_sites": {"one": {"index": site_index, "tenant": "acme"}}},
            {},
        )
        for index in (1, 0xF, 0x10, 0x100, 0x1000, 0xFFFF, 0x10000):
            assert OverlayAddresses(estate).of("one", index) == {f"{overlay_ipv6(ula, site_index, index)}/128"}


@pytest.mark.parametrize(("site", "index"), [("nowhere", 1), (None, 1), ("lyon", None), ("lyon", "{{ index }}")])
def test_no_address_is_guessed(site: Any, index: Any) -> None:
    assert OverlayAddresses(ESTATE).of(site, index) is None


def mesh(**changes: Any) -> dict[str, Any]:
    return {"interface": "bocage0", "public_key": KEY, "addresses": sorted(OWN), "drift": []} | changes


def test_no_drift() -> None:
    assert mesh_drift(mesh(), {KEY}, OWN) == []
    assert mesh_drift(mesh(addresses=[]), {KEY}, None) == []


def test_each_difference_is_a_sentence() -> None:
    found = mesh_drift(mesh(drift=["A peer is missing."], public_key=OTHER, addresses=["198.19.1.8/32"]), {KEY}, OWN)
    assert found == [
        "A peer is missing.",
        "The interface bocage0 uses another key than the one that was enrolled.",
        "The interface lacks the address 198.19.1.7/32.",
        "The interface lacks the address fd7b:4c1e:90a2:1::7/128.",
        "The interface has the address 198.19.1.8/32, which the inventory does not give it.",
    ]


def test_an_interface_that_is_down_has_no_key_to_differ() -> None:
    assert mesh_drift(mesh(public_key=None, drift=["The interface is down."]), {KEY}, OWN) == ["The interface is down."]


def test_services_of_a_host_say_what_is_wrong_with_them() -> None:
    sections = {
        "agent": {"drift": ["/opt/bocage/agent/1/lib/a.py was altered on the host."]},
        "gateway": {"drift": []},
        "routing": {"drift": ["The path to fd00::1 is down."]},
        "segments": {"drift": ["The election of segments has been silent for 100 seconds."]},
        "system": {"drift": ["no service"]},
    }
    assert service_drift(sections) == {name: sections[name]["drift"] for name in ("agent", "routing", "segments")}


def test_seals_that_are_broken_or_refused_are_drift() -> None:
    seals = {
        role: {"status": role, "findings": findings}
        for role, findings in {
            "intact": [],
            "broken": ["x is not running."],
            "changed": ["the fact kernel is 2 instead of 1."],
            "missing": [],
            "stale": ["the seal is 9 seconds old."],
            "refused": [],
        }.items()
    }
    assert seal_drift(seals) == {"broken": ["x is not running."], "refused": ["The seal of refused is refused."]}
    assert seal_drift({}) == {}
