# SPDX-License-Identifier: GPL-3.0-or-later
"""One tenant with gateways that stand in for one another at two sites, a desktop on a LAN and a teleworker."""

from __future__ import annotations

from typing import Any

from bocage_core._common.estate import Estate

LYON = ("198.18.1.0/24", "2001:db8:2::/64")
OSLO = ("2001:db8:3::/64",)


def estate(gateways: int = 2, targets: list[str] | None = None, **changes: dict[str, Any] | None) -> Estate:
    """``gateways`` are those of lyon, gw1 and on; oslo has north1 and north2. ``changes`` are by host."""
    hosts: dict[str, dict[str, Any]] = {
        "hub1": {"host_site": "core", "host_index": 1, "roles": ["hubs"], "mesh_endpoint": "192.0.2.1"},
        "desk1": {"host_site": "lyon", "host_index": 240, "mesh_lan_endpoint": "198.18.1.40"},
        "tele1": {"host_site": "remote", "host_index": 1},
        "alone1": {"host_site": "alone", "host_index": 1, "roles": ["gateways"], "mesh_endpoint": "192.0.2.61"},
    }
    for number in range(1, gateways + 1):
        hosts[f"gw{number}"] = {
            "host_site": "lyon",
            "host_index": number,
            "roles": ["gateways"],
            "mesh_endpoint": f"192.0.2.{20 + number}",
            "mesh_lan_endpoint": f"198.18.1.{20 + number}",
            "gateway_floating_addresses": [f"198.18.1.{200 + number}", f"2001:db8:2::{200 + number}"],
        }
    for number in (1, 2):
        hosts[f"north{number}"] = {
            "host_site": "oslo",
            "host_index": number,
            "roles": ["gateways"],
            "mesh_endpoint": f"192.0.2.{40 + number}",
            "mesh_lan_endpoint": f"2001:db8:3::{number}",
        }
    for name, values in hosts.items():
        values["public_key"] = f"key of {name}"
        values.update(changes.get(name) or {})
    sites: dict[str, dict[str, Any]] = {
        "core": {"index": 0},
        "lyon": {
            "index": 1,
            "tenant": "acme",
            "lan_prefixes": list(LYON),
            "overlay_ipv4_prefix": "198.19.1.0/24",
            "names": {"erp1": ["198.18.1.20", "2001:db8:2::20"], "print1": ["198.18.1.21"]},
            "health_targets": targets,
        },
        "oslo": {"index": 2, "tenant": "acme", "lan_prefixes": list(OSLO), "overlay_ipv4_prefix": "198.19.2.0/24"},
        "remote": {"index": 3, "tenant": "acme", "overlay_ipv4_prefix": "198.19.3.0/24"},
        "alone": {"index": 4, "tenant": "other", "lan_prefixes": ["2001:db8:4::/64"]},
    }
    variables = {
        "estate_name": "demo",
        "estate_domain": "demo.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": sites,
    }
    return Estate.from_vars(variables, hosts)
