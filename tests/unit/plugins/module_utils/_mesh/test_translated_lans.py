# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tenants with one LAN range: all of the overlay knows each by its translated prefix."""

from __future__ import annotations

import ipaddress

import pytest
from bocage_core._gateway.access import plan_access
from bocage_core._mesh.names import plan_names
from bocage_core._mesh.peers import MeshPlanner, plan_peers
from bocage_core._mesh.proofs import plan_probes
from two_tenants import SAME, estate


def within(prefixes: list[str], *others: str) -> list[str]:
    networks = [ipaddress.ip_network(one) for one in others]
    return sorted(one for one in prefixes if any(ipaddress.ip_network(one) == network for network in networks))


@pytest.mark.parametrize("gateways", [1, 2])
@pytest.mark.parametrize("public", [True, False])
def test_the_overlay_carries_the_translated_prefix_alone(gateways: int, public: bool) -> None:
    found = estate(gateways, public)
    planner = MeshPlanner(found)
    for name, host in found.hosts.items():
        plan = planner.host(name)
        routed = [route["prefix"] for part in (plan, *plan["links"]) for route in part["routes"]]
        allowed = [prefix for peer in plan_peers(found, name) for prefix in peer["allowed_ips"]]
        own = {"lyon": 101, "lyon-homes": 101, "oslo": 102, "oslo-homes": 102}.get(host.site.name)
        for mark in (101, 102):
            outside = (f"198.19.{mark}.0/24", f"2001:db8:{mark}::/64")
            enters = mark == own and not host.is_gateway
            assert (within(routed, *outside) != []) == (enters or (host.is_hub and not public)) or host.is_gateway
            assert mark == own or host.is_hub or within(allowed + routed, *outside) == []
        # the LAN's own range is nothing that the overlay knows, but between gateways that stand in for one another
        assert host.is_gateway or within(allowed + routed, *SAME) == []


def test_a_desktop_on_the_lan_finds_what_names_say_by_its_gateway() -> None:
    found = estate()
    names = {
        record["name"]: record["address"]
        for record in plan_names(found, "hub")["records"]
        if ":" not in record["address"]
    }
    assert names["erp.lyon.demo.internal"] == "198.19.101.30"
    assert names["erp.oslo.demo.internal"] == "198.19.102.30"
    (gateway,) = [peer for peer in plan_peers(found, "desk-lyon") if peer["name"] == "gw1-lyon"]
    assert "198.19.101.0/24" in gateway["allowed_ips"]
    asked = [probe.expect for probe in plan_probes(found, "tele-oslo", []) if probe.target == "erp.oslo.demo.internal"]
    assert asked == [("198.19.102.30", "2001:db8:102::30")]


def test_the_gateway_is_told_what_to_translate_and_a_hub_what_to_relay() -> None:
    exits = plan_access(estate(), "gw1-oslo")["exits"]
    assert exits["destinations"] == SAME
    assert exits["lan_translation"] == {SAME[0]: "198.19.102.0/24", SAME[1]: "2001:db8:102::/64"}
    relays = {relay["name"]: relay["destinations"] for relay in plan_access(estate(public=False), "hub")["relays"]}
    assert relays == {
        "acme": ["198.19.101.0/24", "2001:db8:101::/64"],
        "beta": ["198.19.102.0/24", "2001:db8:102::/64"],
    }
