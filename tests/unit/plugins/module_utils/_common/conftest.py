# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound inventory for every test to spoil."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from bocage_core._common.estate_check import check_estate

ROLE_OPTIONS = {
    "mesh_port": {"type": "int", "default": 51820},
    "mesh_mtu": {"type": "int"},
    "mesh_backend": {"type": "str", "choices": ["auto", "kernel", "userspace"], "default": "auto"},
    "firewall_management_prefixes": {"type": "list", "elements": "str", "required": True},
    "gateway_lan_interface": {"type": "str", "required": True},
    "gateway_translation": {"type": "str", "choices": ["masquerade", "floating", "none"], "default": "masquerade"},
    "gateway_translation_ipv6": {"type": "str", "choices": ["masquerade", "floating", "none"], "default": "masquerade"},
    "voice_uplink_kbit": {"type": "int", "default": 0},
    "voice_classes": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "percent": {"type": "int", "required": True},
            "dscp": {"type": "list", "elements": "str"},
            "ports": {"type": "list", "elements": "str"},
        },
    },
}
ESTATE = {
    "estate_name": "demo",
    "estate_domain": "demo.internal",
    "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
    "estate_tenants": {"acme": {"title": "Acme"}, "beta": None},
    "estate_sites": {
        "core": {"index": 0},
        "lyon": {
            "index": 1,
            "tenant": "acme",
            "lan_prefixes": ["198.18.1.0/24", "2001:db8:2::/64"],
            "overlay_ipv4_prefix": "198.19.1.0/24",
            "hub": "hub1",
            "names": {"erp1": ["198.18.1.20", "2001:db8:2::20"]},
        },
        "remote": {"index": 2, "tenant": "acme", "overlay_ipv4_prefix": "198.19.2.0/24"},
        "oslo": {"index": 3, "tenant": "beta", "lan_prefixes": ["2001:db8:3::/64"]},
    },
    "registry_host": "hub1",
    "firewall_management_prefixes": ["198.51.100.192/28"],
}
HOSTS: dict[str, dict[str, Any]] = {
    "hub1": {"host_site": "core", "host_index": 10, "mesh_endpoint": "198.51.100.1"},
    "gw1": {
        "host_site": "lyon",
        "host_index": 1,
        "mesh_endpoint": "198.51.100.2",
        "mesh_lan_endpoint": "198.18.1.2",
        "mesh_backend": "kernel",
        "gateway_lan_interface": "eth1",
    },
    "desk1": {"host_site": "lyon", "host_index": 2, "mesh_lan_endpoint": "198.18.1.3"},
    "tele1": {"host_site": "remote", "host_index": 1},
    "gw2": {
        "host_site": "oslo",
        "host_index": 1,
        "mesh_lan_endpoint": "2001:db8:3::1",
        "gateway_lan_interface": "eth1",
    },
}
GROUPS = {
    "managed": list(HOSTS),
    "hubs": ["hub1"],
    "gateways": ["gw1", "gw2"],
    "hypervisors": ["desk1", "tele1"],
}


class Inventory:
    """A sound inventory to spoil."""

    def __init__(self) -> None:
        self.estate = copy.deepcopy(ESTATE)
        self.hosts = copy.deepcopy(HOSTS)
        self.groups = copy.deepcopy(GROUPS)
        self.allowed: list[str] = []

    def texts(self) -> list[str]:
        hosts = {name: {**self.estate, **variables} for name, variables in self.hosts.items()}
        return [finding.text for finding in check_estate(hosts, self.groups, ROLE_OPTIONS, self.allowed)]


@pytest.fixture
def inventory() -> Inventory:
    return Inventory()
