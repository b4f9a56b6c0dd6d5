# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may reach a host, what a hub forwards, what a gateway lets into its LAN."""

from __future__ import annotations

from typing import Any

from bocage_core._common.estate import Estate
from bocage_core._gateway.access import plan_access

SITES: dict[str, Any] = {
    "core": {"index": 0},
    "lyon": {
        "index": 1,
        "tenant": "acme",
        "lan_prefixes": ["198.18.1.0/24", "2001:db8:2::/64"],
        "overlay_ipv4_prefix": "198.19.1.0/24",
    },
    "remote": {"index": 2, "tenant": "acme", "overlay_ipv4_prefix": "198.19.2.0/24"},
    "oslo": {"index": 3, "tenant": "beta", "lan_prefixes": ["2001:db8:3::/64"]},
}
ACME6 = ["fd7b:4c1e:90a2:1::/64", "fd7b:4c1e:90a2:2::/64"]
ACME4 = ["198.19.1.0/24", "198.19.2.0/24"]
SHARED = "fd7b:4c1e:90a2::/64"


def estate(**hosts: dict[str, Any]) -> Estate:
    members: dict[str, dict[str, Any]] = {
        "hub1": {"host_site": "core", "host_index": 1, "roles": ["hubs"], "mesh_endpoint": "192.0.2.1"},
        "gw1": {"host_site": "lyon", "host_index": 1, "roles": ["gateways"], "mesh_endpoint": "192.0.2.2"},
        "tele1": {"host_site": "remote", "host_index": 1},
        "other1": {"host_site": "oslo", "host_index": 1, "roles": ["gateways"]},
        **hosts,
    }
    variables = {
        "estate_name": "demo",
        "estate_domain": "demo.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": SITES,
    }
    return Estate.from_vars(variables, {name: {"public_key": name, **values} for name, values in members.items()})


def test_a_host_is_reached_by_its_tenant_and_the_shared_site() -> None:
    assert plan_access(estate(), "tele1") == {
        "overlay_sources": sorted([*ACME6, *ACME4, SHARED]),
        "relays": [],
        "exits": None,
        "mesh_ports": [51820, 51821],
    }


def test_a_gateway_lets_its_tenant_into_its_lan() -> None:
    assert plan_access(estate(), "gw1")["exits"] == {
        "sources": sorted([*ACME6, *ACME4]),
        "destinations": ["198.18.1.0/24", "2001:db8:2::/64"],
        "lan_translation": {},
    }


def test_a_shared_hub_is_reached_by_all_and_relays_for_each_tenant_apart() -> None:
    access = plan_access(estate(), "hub1")
    assert access["overlay_sources"] == sorted(["fd7b:4c1e:90a2::/48", *ACME4])
    assert access["relays"] == [
        {"name": "acme", "prefixes": sorted([*ACME6, *ACME4, SHARED]), "destinations": []},
        {"name": "beta", "prefixes": sorted(["fd7b:4c1e:90a2:3::/64", SHARED]), "destinations": []},
    ]
    assert access["exits"] is None


def test_a_hub_of_a_tenant_is_reached_by_it_alone_and_relays_for_it_alone() -> None:
    own = estate(hub2={"host_site": "lyon", "host_index": 9, "roles": ["hubs", "gateways"]})
    access = plan_access(own, "hub2")
    assert access["overlay_sources"] == sorted([*ACME6, *ACME4, SHARED])
    assert [relay["name"] for relay in access["relays"]] == ["acme"]
    assert access["exits"]["destinations"] == ["198.18.1.0/24", "2001:db8:2::/64"]


def test_a_hub_relays_into_a_lan_that_hosts_enter_through_it() -> None:
    # the gateway is behind NAT as its only user is
    hidden = estate(gw1={"host_site": "lyon", "host_index": 1, "roles": ["gateways"]})
    relays = {relay["name"]: relay["destinations"] for relay in plan_access(hidden, "hub1")["relays"]}
    assert relays == {"acme": ["198.18.1.0/24", "2001:db8:2::/64"], "beta": []}
