# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways into LANs: who is on one, which gateway a host takes, and which one hubs take for others."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_core._common.estate import Estate
from bocage_core._common.exits import Exits, by_weight, on_lan


def estate(lan: bool = True, **changes: dict[str, Any] | None) -> Estate:
    """A hub, two gateways in public, a desktop on the LAN and a teleworker, with some values changed."""
    hosts: dict[str, dict[str, Any]] = {
        "hub1": {"host_site": "core", "host_index": 1, "roles": ["hubs"], "mesh_endpoint": "192.0.2.1"},
        "gw1": {"host_site": "lyon", "host_index": 1, "roles": ["gateways"], "mesh_endpoint": "192.0.2.21"},
        "gw2": {"host_site": "lyon", "host_index": 2, "roles": ["gateways"], "mesh_endpoint": "192.0.2.22"},
        "desk1": {"host_site": "lyon", "host_index": 3, "mesh_lan_endpoint": "2001:db8:2::3"},
        "tele1": {"host_site": "remote", "host_index": 1},
    }
    for name, values in hosts.items():
        values["public_key"] = f"key of {name}"
        values.update(changes.get(name) or {})
    sites = {
        "core": {"index": 0},
        "lyon": {"index": 1, "tenant": "acme", "lan_prefixes": ["2001:db8:2::/64"] if lan else []},
        "remote": {"index": 2, "tenant": "acme"},
    }
    variables = {
        "estate_name": "demo",
        "estate_domain": "demo.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": sites,
    }
    return Estate.from_vars(variables, hosts)


def direct(found: Estate, host: str) -> list[str]:
    return [gateway.name for gateway in Exits(found).direct(found.hosts[host], found.sites["lyon"])]


def test_who_is_on_the_lan() -> None:
    found = estate()
    lyon = found.sites["lyon"]
    assert [name for name, host in found.hosts.items() if on_lan(host, lyon)] == ["gw1", "gw2", "desk1"]
    assert not on_lan(found.hosts["gw1"], found.sites["remote"])


def test_gateways_with_a_path() -> None:
    assert direct(estate(), "tele1") == ["gw1", "gw2"]
    assert direct(estate(gw1={"mesh_endpoint": None}), "tele1") == ["gw2"]
    # a host in public is found by a gateway behind NAT
    assert direct(estate(gw1={"mesh_endpoint": None}, tele1={"mesh_endpoint": "192.0.2.9"}), "tele1") == ["gw1", "gw2"]
    assert direct(estate(gw2={"public_key": None}), "tele1") == ["gw1"]
    assert direct(estate(gw2={"roles": ["gateways", "hubs"]}), "tele1") == ["gw1"]
    assert direct(estate(lan=False), "tele1") == []


@pytest.mark.parametrize(
    ("changes", "relayed"),
    [
        ({}, False),
        ({"gw1": {"mesh_endpoint": None}}, False),
        ({"gw1": {"mesh_endpoint": None}, "gw2": {"mesh_endpoint": None}}, True),
        ({"gw1": {"public_key": None}, "gw2": {"mesh_endpoint": None}}, True),
        ({"gw1": {"public_key": None}, "gw2": {"public_key": None}}, False),
        # nobody but hosts on the LAN, or not enrolled, or in public
        ({"gw1": {"public_key": None}, "gw2": {"mesh_endpoint": None}, "tele1": {"public_key": None}}, False),
        ({"gw1": {"public_key": None}, "gw2": {"mesh_endpoint": None}, "tele1": {"mesh_endpoint": "192.0.2.9"}}, False),
        # a hub that is the gateway, too, is entered through the home hub
        ({"gw1": {"public_key": None}, "gw2": {"roles": ["gateways", "hubs"]}}, True),
    ],
)
def test_hubs_relay_only_for_who_has_no_path(changes: dict[str, Any], relayed: bool) -> None:
    assert list(Exits(estate(**changes)).relayed) == (["lyon"] if relayed else [])


def test_a_gateway_that_leaves_moves_its_own_share_alone() -> None:
    gateways = [host for host in estate().hosts.values() if host.name != "tele1"]
    names = [f"host{number}" for number in range(2000)]
    before = {name: by_weight(gateways, name).name for name in names}
    shares = [list(before.values()).count(gateway.name) for gateway in gateways]
    assert all(400 < share < 600 for share in shares), shares
    after = {name: by_weight(gateways[1:], name).name for name in names}
    assert {name for name in names if before[name] != after[name]} == {
        name for name in names if before[name] == gateways[0].name
    }
