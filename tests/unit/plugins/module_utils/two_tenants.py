# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tenants whose LANs have the same ranges, with a gateway or more, a desktop on the LAN and a teleworker each."""

from __future__ import annotations

from typing import Any

from bocage_core._common.estate import Estate

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
