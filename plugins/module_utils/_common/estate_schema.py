# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of an estate that belong to no single role, in the form of an argument spec.

Everything else an inventory may set is described by the argument specs of the roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Option = Mapping[str, Any]
Options = Mapping[str, Option]

MANAGED_GROUP = "managed"
HUB_GROUP = "hubs"
GATEWAY_GROUP = "gateways"
# Each group of hosts with the role that it gives.
ROLE_GROUPS: Mapping[str, str] = {
    HUB_GROUP: "hub",
    GATEWAY_GROUP: "gateway",
    "caches": "cache",
    "hypervisors": "hypervisor",
}

ESTATE_OPTIONS: Options = {
    "estate_name": {"type": "str", "required": True},
    "estate_domain": {"type": "str", "required": True},
    "estate_ula_prefix": {"type": "str", "required": True},
    "estate_tenants": {"type": "dict", "required": True},
    "estate_sites": {"type": "dict", "required": True},
}

TENANT_OPTIONS: Options = {
    "title": {"type": "str"},
}

SITE_OPTIONS: Options = {
    "index": {"type": "int", "required": True},
    "title": {"type": "str"},
    "tenant": {"type": "str"},
    "lan_prefixes": {"type": "list", "elements": "str"},
    "lan_translation": {"type": "dict"},
    "overlay_ipv4_prefix": {"type": "str"},
    "hub": {"type": "str"},
    "names": {"type": "dict"},
    "underlay_mtu": {"type": "int"},
    "lan_mtu": {"type": "int"},
    "high_availability": {"type": "bool"},
    "health_targets": {"type": "list", "elements": "str"},
    "connections": {"type": "int"},
    "traffic_peak_to_mean": {"type": "float"},
    "headroom_percent": {"type": "int"},
    "segments": {"type": "dict"},
}

# What a gateway has, for its sizing.
GATEWAY_RESOURCES: Options = {
    "cpu_count": {"type": "int"},
    "memory_gb": {"type": "float"},
    "nic_count": {"type": "int"},
    "nic_gbit": {"type": "float"},
    "disk_gb": {"type": "float"},
    "uplink_mbit": {"type": "float"},
}

SEGMENT_OPTIONS: Options = {
    "id": {"type": "int", "required": True},
    "hosts": {"type": "list", "elements": "str"},
    "lan_interface": {"type": "str"},
    "lan_targets": {"type": "list", "elements": "str"},
    "storm_frames_per_second": {"type": "int"},
}

HOST_OPTIONS: Options = {
    "host_site": {"type": "str", "required": True},
    "host_index": {"type": "int", "required": True},
    "mesh_endpoint": {"type": "str"},
    "mesh_lan_endpoint": {"type": "str"},
    "underlay_mtu": {"type": "int"},
    "gateway_floating_addresses": {"type": "list", "elements": "str"},
    "gateway_resources": {"type": "dict", "options": GATEWAY_RESOURCES},
}

# Read by playbooks or by several roles.
SHARED_OPTIONS: Options = {
    "registry_host": {"type": "str"},
    "enrol_key_holder": {"type": "str"},
    "enrol_replace": {"type": "bool"},
    "gateway": {"type": "str"},
    "drain_reason": {"type": "str"},
    "drain_threshold_flows": {"type": "int"},
    "drain_deadline_seconds": {"type": "int"},
    "drain_allow_fewer": {"type": "bool"},
    "drill_site": {"type": "str"},
    "drill_from": {"type": "str"},
    "drill_causes": {"type": "list", "elements": "str"},
    "drill_takeovers": {"type": "int"},
    "drill_downloads": {"type": "list", "elements": "str"},
    "drill_fault_seconds": {"type": "float"},
    "drill_settle_seconds": {"type": "float"},
    "drill_most_seconds": {"type": "float"},
    "drill_spare_interfaces": {"type": "list", "elements": "str"},
    "drill_wan_interface": {"type": "str"},
    "drill_directory": {"type": "str"},
    "sizing_sites": {"type": "list", "elements": "str"},
    "sizing_connections": {"type": "dict"},
    "upgrade_packages": {"type": "list", "elements": "str"},
    "upgrade_reboot": {"type": "bool"},
}

# Which hosts must set the options that the roles of these names require.
FUNCTION_GROUPS: Mapping[str, str] = {
    "firewall_": MANAGED_GROUP,
    "gateway_": GATEWAY_GROUP,
    "host_": MANAGED_GROUP,
    "mesh_": MANAGED_GROUP,
}

INDEX_LIMITS_OF_SITES = (0, 65535)
INDEX_LIMITS_OF_HOSTS = (1, 65534)
# A VXLAN network identifier has 24 bits (RFC 7348).
LIMITS_OF_SEGMENTS = (1, 16777215)

DEFAULT_UNDERLAY_MTU = 1500
# Below, IPv6 inside the tunnel would not have its 1280 bytes (RFC 8200) behind the 60 of WireGuard over IPv4.
LIMITS_OF_UNDERLAY_MTU = (1340, 65535)
# Over IPv6 the tunnel costs 80.
LEAST_UNDERLAY_MTU_OF_IPV6 = 1360
LEAST_MTU = 1280


def known_options(role_options: Options) -> dict[str, Option]:
    """Every variable an inventory may set, with its description."""
    return {**role_options, **SHARED_OPTIONS, **HOST_OPTIONS, **ESTATE_OPTIONS}


def required_options(options: Options) -> dict[str, str]:
    """The options that hosts must set, each with the group of these hosts."""
    return {
        name: group
        for name, option in options.items()
        if option.get("required") and (group := FUNCTION_GROUPS.get(name.split("_", 1)[0] + "_"))
    }
