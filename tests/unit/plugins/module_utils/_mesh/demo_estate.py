# SPDX-License-Identifier: GPL-3.0-or-later
"""A small estate of two tenants to change in a test: a hub, two gateways, a desktop, a teleworker, a stranger."""

from __future__ import annotations

from typing import Any

from bocage_core._mesh.peers import MeshPlanner, Peer
from random_estates import Written, key_of


def demo() -> Written:
    written = Written()
    written.sites = {
        "core": {"index": 0},
        "lyon": {
            "index": 1,
            "tenant": "acme",
            "lan_prefixes": ["198.18.1.0/24", "2001:db8:2::/64"],
            "overlay_ipv4_prefix": "198.19.1.0/24",
            "names": {"erp1": ["198.18.1.20", "2001:db8:2::20"]},
        },
        "remote": {"index": 2, "tenant": "acme", "overlay_ipv4_prefix": "198.19.2.0/24"},
        "oslo": {"index": 3, "tenant": "beta", "lan_prefixes": ["2001:db8:3::/64"]},
    }
    written.add("hub1", "core", ["hubs"], mesh_endpoint="192.0.2.10")
    written.add("gw1", "lyon", ["gateways"], mesh_endpoint="192.0.2.21", mesh_lan_endpoint="198.18.1.21")
    written.add("gw2", "lyon", ["gateways"], mesh_endpoint="2001:db8::22", mesh_lan_endpoint="198.18.1.22")
    written.add("desk1", "lyon", ["hypervisors"], mesh_lan_endpoint="198.18.1.40")
    written.add("tele1", "remote", ["hypervisors"])
    written.add("other1", "oslo", ["gateways"], mesh_lan_endpoint="2001:db8:3::1")
    for name, values in written.hosts.items():
        values["public_key"] = key_of(name)
    return written


def peers_of(written: Written, name: str, **options: Any) -> dict[str, Peer]:
    return {peer.name: peer for peer in MeshPlanner(written.estate(), **options).peers(name)}


def links_of(written: Written, name: str) -> dict[str, dict[str, Any]]:
    """The links of a host by the gateway that each leads to."""
    return {link["peers"][0]["name"]: link for link in MeshPlanner(written.estate()).links(name)}


def routes_of(written: Written, name: str) -> dict[str, str | None]:
    return {route["prefix"]: route["source"] for route in MeshPlanner(written.estate()).host(name)["routes"]}
