# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole check of an inventory: a sound estate has no finding, a spoilt one has them all."""

from __future__ import annotations

import time
from typing import Any

import pytest
from bocage_core._common.estate_schema import ESTATE_OPTIONS
from bocage_core._common.option_check import Unusable


def test_a_sound_inventory_has_no_finding(inventory: Any) -> None:
    assert inventory.texts() == []


def test_an_inventory_without_managed_hosts(inventory: Any) -> None:
    inventory.hosts = {}
    assert inventory.texts() == ["The inventory has no host in group managed, whose children hold all our hosts."]


@pytest.mark.parametrize("name", list(ESTATE_OPTIONS))
def test_a_missing_variable_of_the_estate(inventory: Any, name: str) -> None:
    del inventory.estate[name]
    assert f"{name} is not set; it belongs in group_vars/all." in inventory.texts()


@pytest.mark.parametrize("name", ["host_site", "host_index"])
def test_a_host_without_a_required_variable(inventory: Any, name: str) -> None:
    del inventory.hosts["tele1"][name]
    assert inventory.texts() == [f"Host tele1: {name} is not set."]


def test_options_that_a_function_requires(inventory: Any) -> None:
    del inventory.estate["firewall_management_prefixes"], inventory.hosts["gw2"]["gateway_lan_interface"]
    assert inventory.texts() == [
        "Hosts hub1, gw1, desk1 and 2 others: firewall_management_prefixes is not set.",
        "Host gw2: gateway_lan_interface is not set.",
    ]


def test_an_option_of_a_role_may_wait_for_facts(inventory: Any) -> None:
    inventory.hosts["gw1"]["gateway_lan_interface"] = Unusable("'ansible_facts' has no such thing")
    assert inventory.texts() == []
    inventory.hosts["gw1"]["mesh_endpoint"] = Unusable("'ansible_facts' has no such thing")
    assert inventory.texts() == ["Host gw1: mesh_endpoint cannot be evaluated: 'ansible_facts' has no such thing."]


def test_a_site_without_index(inventory: Any) -> None:
    del inventory.estate["estate_sites"]["remote"]["index"]
    assert inventory.texts() == ["Site remote: index is missing."]


def test_a_host_name_that_is_no_dns_label(inventory: Any) -> None:
    inventory.hosts["tele_2"] = {"host_site": "remote", "host_index": 2}
    inventory.groups["hypervisors"].append("tele_2")
    assert inventory.texts() == [
        "Host tele_2 has an unusable name: it must be one DNS label in small letters, digits and hyphens."
    ]


def test_a_host_outside_every_role_group(inventory: Any) -> None:
    inventory.groups["hypervisors"].remove("tele1")
    assert inventory.texts() == [
        "Host tele1 is in none of the groups hubs, gateways, caches, hypervisors: nothing would make it do anything."
    ]


def test_a_role_group_that_is_not_managed(inventory: Any) -> None:
    inventory.groups["caches"] = ["wrs1"]
    assert inventory.texts() == ["Group caches has wrs1 outside group managed; make caches a child of managed."]


def test_a_gateway_whose_site_has_no_lan(inventory: Any) -> None:
    inventory.groups["gateways"].append("tele1")
    inventory.hosts["tele1"]["gateway_lan_interface"] = "eth1"
    assert inventory.texts() == ["Gateway tele1 is in site remote, which has no lan_prefixes: there is no LAN to join."]


def test_a_lan_that_nobody_serves(inventory: Any) -> None:
    inventory.groups["gateways"].remove("gw2")
    inventory.groups["hypervisors"].append("gw2")
    assert inventory.texts() == [
        "Site oslo has a LAN but nobody to serve it: no host of group gateways has it as host_site."
    ]


def test_an_estate_without_a_hub(inventory: Any) -> None:
    del inventory.hosts["hub1"], inventory.estate["registry_host"], inventory.estate["estate_sites"]["lyon"]["hub"]
    inventory.groups["hubs"] = []
    assert inventory.texts() == [
        "The estate has hosts but no hub: put a host with a public mesh_endpoint in group hubs."
    ]


def test_a_hub_without_a_public_address(inventory: Any) -> None:
    del inventory.hosts["hub1"]["mesh_endpoint"]
    assert inventory.texts() == ["Hub hub1 has no mesh_endpoint; hosts behind NAT find a hub by its public address."]


def test_a_lan_without_a_tenant(inventory: Any) -> None:
    del inventory.estate["estate_sites"]["oslo"]["tenant"]
    assert inventory.texts() == [
        "Site oslo has a LAN but no tenant: whatever is on a LAN belongs to a tenant.",
        "Host gw2 is no hub but lives in site oslo, which has no tenant; only hubs are shared.",
    ]


def test_an_estate_without_sites_says_so_once(inventory: Any) -> None:
    inventory.estate["estate_sites"] = {}
    assert inventory.texts() == ["estate_sites holds no site."]


def test_one_public_address_on_two_ports_is_no_duplicate(inventory: Any) -> None:
    inventory.hosts["gw1"].update(mesh_endpoint="198.51.100.1", mesh_port=51821)
    assert inventory.texts() == []


def test_names_for_purposes_of_their_own_are_left_alone(inventory: Any) -> None:
    inventory.estate.update(host_contact_mail="x", vehicle_colour="red", _mesh_internal=1, ansible_host="x")
    inventory.allowed = ["host_contact_*"]
    assert inventory.texts() == []


def test_all_findings_come_at_once(inventory: Any) -> None:
    inventory.estate["estate_sites"]["remote"]["index"] = 1
    inventory.hosts["gw1"]["mesh_backend"] = "fast"
    inventory.hosts["desk1"]["host_index"] = 1
    assert len(inventory.texts()) == 3


def test_thousands_of_hosts_are_checked_quickly(inventory: Any) -> None:
    sites = inventory.estate["estate_sites"]
    for number in range(500):
        sites[f"home{number}"] = {"index": 100 + number, "tenant": "beta"}
    for number in range(10000):
        name = f"t{number}"
        inventory.hosts[name] = {"host_site": f"home{number % 500}", "host_index": number // 500 + 1}
        inventory.groups["hypervisors"].append(name)
    begin = time.process_time()
    assert inventory.texts() == []
    assert time.process_time() - begin < 10
