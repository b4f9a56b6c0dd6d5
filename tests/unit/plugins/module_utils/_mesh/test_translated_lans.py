# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tenants with one LAN range: all of the overlay knows each by its translated prefix."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from bocage_core._common.estate import Estate
from bocage_core._gateway.access import plan_access
from bocage_core._mesh.names import plan_names
from bocage_core._mesh.peers import MeshPlanner, plan_peers
from bocage_core._mesh.proofs import plan_probes

SAME = ["198.18.60.0/24", "2001:db8:60::/64"]


def site(index: int, tenant: str, mark: int) -> dict[str, Any]:
    return {
        "index": index,
        "tenant": tenant,
        "lan_prefixes": SAME,
        "lan_translation": {SAME[0]: f"198.19.{mark}.0/24", SAME[1]: f"2001:db8:{mark}::/64"},
        "overlay_ipv4_prefix": f"198.19.{index}.0/24",
        "names": {"erp": ["198.18.60.30", "2001:db8:60::30"]},
    }


def estate(gateways: int = 1, public: bool = True) -> Estate:
    hosts: dict[str, dict[str, Any]] = {"hub": {"host_site": "core", "host_index": 1, "roles": ["hubs"]}}
    hosts["hub"]["mesh_endpoint"] = "192.0.2.1"
    for number, place in enumerate(("lyon", "oslo")):
        for index in range(1, gateways + 1):
            hosts[f"gw{index}-{place}"] = {
                "host_site": place,
                "host_index": index,
                "roles": ["gateways"],
                "mesh_endpoint": f"192.0.2.{10 * (number + 1) + index}" if public else None,
                "mesh_lan_endpoint": f"198.18.60.{index}",
            }
        hosts[f"desk-{place}"] = {"host_site": place, "host_index": 9, "mesh_lan_endpoint": "198.18.60.9"}
        hosts[f"tele-{place}"] = {"host_site": f"{place}-homes", "host_index": 1}
    variables = {
        "estate_name": "demo",
        "estate_domain": "demo.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": {
            "core": {"index": 0},
            "lyon": site(1, "acme", 101),
            "oslo": site(2, "beta", 102),
            "lyon-homes": {"index": 3, "tenant": "acme", "overlay_ipv4_prefix": "198.19.3.0/24"},
            "oslo-homes": {"index": 4, "tenant": "beta", "overlay_ipv4_prefix": "198.19.4.0/24"},
        },
    }
    return Estate.from_vars(variables, {name: {"public_key": name, **values} for name, values in hosts.items()})


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
