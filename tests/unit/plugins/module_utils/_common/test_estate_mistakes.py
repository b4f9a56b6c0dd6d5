# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each mistake in one value of a sound inventory has its own sentence, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_core._common.option_check import Unusable

# Where a dotted key leads to a value, or to nothing: the text that must be found, alone.
ESTATE_MISTAKES: list[tuple[str, Any, str]] = [
    (
        "estate_name",
        "Demo",
        "estate_name 'Demo' is not usable: a name begins with a small letter and holds small letters, digits and "
        "hyphens, at most 63.",
    ),
    ("estate_name", ["demo"], "estate_name must be a string, not ['demo']."),
    (
        "estate_domain",
        "demo..internal",
        "estate_domain 'demo..internal' is not a DNS domain in small letters, such as demo.internal.",
    ),
    ("estate_domain", Unusable("'x' is undefined"), "estate_domain cannot be evaluated: 'x' is undefined."),
    (
        "estate_ula_prefix",
        "fd7b:4c1e:90a2::/56",
        "estate_ula_prefix fd7b:4c1e:90a2::/56 is not a /48: each site takes one /64 of it, numbered by its index.",
    ),
    (
        "estate_ula_prefix",
        "2001:db8:9::/48",
        "estate_ula_prefix 2001:db8:9::/48 does not lie in fd00::/8 (RFC 4193).",
    ),
    ("estate_ula_prefix", "198.18.9.0/24", "estate_ula_prefix 198.18.9.0/24 does not lie in fd00::/8 (RFC 4193)."),
    (
        "estate_ula_prefix",
        "fd7b::1/48",
        "estate_ula_prefix 'fd7b::1/48' has bits set behind its prefix length; write fd7b::/48.",
    ),
    (
        "estate_ula_prefix",
        "none",
        "estate_ula_prefix 'none' is not an address prefix such as 198.18.1.0/24 or 2001:db8:2::/64.",
    ),
    (
        "estate_sites.lyon.underlay_mtu",
        1300,
        "Site lyon has underlay_mtu 1300; an underlay carries 1340 to 65535 bytes, since the tunnel takes 60 and IPv6 "
        "inside needs 1280 (RFC 8200).",
    ),
    (
        "estate_sites.lyon.lan_mtu",
        70000,
        "Site lyon has lan_mtu 70000; an underlay carries 1340 to 65535 bytes, since the tunnel takes 60 and IPv6 "
        "inside needs 1280 (RFC 8200).",
    ),
    ("estate_sites.lyon.underlay_mtu", "wide", "Site lyon: underlay_mtu must be an integer, not 'wide'."),
    (
        "estate_sites.oslo.lan_mtu",
        1350,
        "Site oslo has lan_mtu 1350 and gw2 is reached over IPv6, where the tunnel takes 80 bytes: it must be 1360 at "
        "least for IPv6 inside (RFC 8200).",
    ),
    ("estate_tenants.acme.titel", "Acme", "Tenant acme: titel is unknown; did you mean title?"),
    ("estate_tenants.acme", "Acme", "Tenant acme must be a mapping, not 'Acme'."),
    (
        "estate_tenants.Delta",
        {},
        "Tenant 'Delta' has an unusable name: a name begins with a small letter and holds small letters, digits and "
        "hyphens, at most 63.",
    ),
    (
        "estate_sites.p_1",
        {"index": 9},
        "Site 'p_1' has an unusable name: a name begins with a small letter and holds small letters, digits and "
        "hyphens, at most 63.",
    ),
    ("estate_sites.void", 3, "Site void must be a mapping, not 3."),
    ("estate_sites.remote.index", None, "Site remote: index is empty: give it a value or remove it."),
    ("estate_sites.remote.index", "two", "Site remote: index must be an integer, not 'two'."),
    ("estate_sites.remote.index", 65536, "Site remote has index 65536; a site index lies between 0 and 65535."),
    ("estate_sites.remote.index", 1, "Sites lyon and remote have the same index 1."),
    (
        "estate_sites.remote.tenant",
        "acm",
        "Site remote names tenant acm, which is not in estate_tenants; did you mean acme?",
    ),
    ("estate_sites.remote.lan_prefix", [], "Site remote: lan_prefix is unknown; did you mean lan_prefixes?"),
    (
        "estate_sites.oslo.lan_prefixes",
        ["2001:db8:3::/64", "198.18.4.7/24"],
        "Site oslo: lan_prefixes: '198.18.4.7/24' has bits set behind its prefix length; write 198.18.4.0/24.",
    ),
    (
        "estate_sites.oslo.lan_prefixes",
        ["2001:db8:3::/64", "somewhere"],
        "Site oslo: lan_prefixes: 'somewhere' is not an address prefix such as 198.18.1.0/24 or 2001:db8:2::/64.",
    ),
    (
        "estate_sites.remote.overlay_ipv4_prefix",
        "2001:db8:5::/64",
        "Site remote: overlay_ipv4_prefix 2001:db8:5::/64 is not IPv4; the IPv6 overlay comes from estate_ula_prefix.",
    ),
    (
        "estate_sites.remote.overlay_ipv4_prefix",
        "198.19.2.1/24",
        "Site remote: overlay_ipv4_prefix '198.19.2.1/24' has bits set behind its prefix length; write 198.19.2.0/24.",
    ),
    (
        "estate_sites.remote.overlay_ipv4_prefix",
        None,
        "Site remote has hosts but no overlay_ipv4_prefix, which they need to reach the IPv4 LAN of site lyon.",
    ),
    (
        "estate_sites.remote.overlay_ipv4_prefix",
        "198.19.1.128/25",
        "The overlay_ipv4_prefix 198.19.1.128/25 of site remote (tenant acme) overlaps the overlay_ipv4_prefix "
        "198.19.1.0/24 of site lyon (tenant acme); all prefixes of an estate must be disjoint.",
    ),
    (
        "estate_sites.oslo.lan_prefixes",
        ["2001:db8:3::/64", "fd7b:4c1e:90a2:7::/64"],
        "The LAN prefix fd7b:4c1e:90a2:7::/64 of site oslo (tenant beta) overlaps the estate_ula_prefix "
        "fd7b:4c1e:90a2::/48 of the estate; all prefixes of an estate must be disjoint.",
    ),
    ("estate_sites.remote.hub", "hub9", "Site remote names hub hub9, which is not in group hubs; did you mean hub1?"),
    ("estate_sites.remote.hub", "gw1", "Site remote names hub gw1, which is not in group hubs."),
    ("estate_sites.lyon.names.ERP", ["198.18.1.9"], "Site lyon: names: 'ERP' is not a DNS label in small letters."),
    (
        "estate_sites.lyon.names.mail",
        "198.18.1.9",
        "Site lyon: names: mail must be a list of addresses, not '198.18.1.9'.",
    ),
    (
        "estate_sites.lyon.names.mail",
        ["198.18.7.9"],
        "Site lyon: names: mail has 198.18.7.9, which is outside lan_prefixes.",
    ),
    (
        "estate_sites.lyon.names.mail",
        ["198.18.1"],
        "Site lyon: names: mail: '198.18.1' is not an IP address (write it without port, brackets or prefix length).",
    ),
    (
        "estate_sites.lyon.high_availability",
        True,
        "Site lyon asks for high availability but has one gateway, gw1; it needs two or more hosts of group gateways.",
    ),
    (
        "estate_sites.remote.high_availability",
        "yes",
        "Site remote asks for high availability but has no lan_prefixes to serve.",
    ),
    (
        "estate_sites.lyon.high_availability",
        "often",
        "Site lyon: high_availability must be true or false, not 'often'.",
    ),
    (
        "estate_sites.lyon.health_targets",
        ["198.18.1.20", "198.18.9.20"],
        "Site lyon: health_targets has 198.18.9.20, which is outside lan_prefixes.",
    ),
    (
        "estate_sites.lyon.health_targets",
        ["erp1"],
        "Site lyon: health_targets: 'erp1' is not an IP address (write it without port, brackets or prefix length).",
    ),
    (
        "estate_sites.lyon.health_targets",
        "198.18.1.20",
        "Site lyon: health_targets must be a list, not '198.18.1.20'.",
    ),
    ("estate_sites.lyon.connections", "many", "Site lyon: connections must be an integer, not 'many'."),
    ("registry_host", "hubb1", "registry_host names 'hubb1', which is not in group hubs; did you mean hub1?"),
    ("estate_nmae", "demo", "Unknown variable estate_nmae; did you mean estate_name?"),
    ("mesh_prot", 51820, "Unknown variable mesh_prot; did you mean mesh_port?"),
    ("host_colour", "red", "Unknown variable host_colour."),
    # Not one of our prefixes, yet so close to a known name.
    ("etsate_domain", "x", "Unknown variable etsate_domain; did you mean estate_domain?"),
    (
        "firewall_management_prefixes",
        "198.51.100.0/24",
        "Hosts hub1, gw1, desk1 and 2 others: firewall_management_prefixes must be a list, not '198.51.100.0/24'.",
    ),
    (
        "firewall_management_prefixes",
        ["198.51.100.0/24", {}],
        "Hosts hub1, gw1, desk1 and 2 others: firewall_management_prefixes item 2 must be a string, not {}.",
    ),
]


@pytest.mark.parametrize(("key", "value", "text"), ESTATE_MISTAKES, ids=[text[:60] for _, _, text in ESTATE_MISTAKES])
def test_a_mistake_in_the_estate_has_one_finding(inventory: Any, key: str, value: Any, text: str) -> None:
    *parents, last = key.split(".")
    target: Any = inventory.estate
    for parent in parents:
        target = target[parent]
    target[last] = value
    assert inventory.texts() == [text]


HOST_MISTAKES: list[tuple[str, str, Any, str]] = [
    (
        "tele1",
        "host_site",
        "remot",
        "Host tele1 has host_site remot, which is no site of estate_sites; did you mean remote?",
    ),
    ("tele1", "host_index", 0, "Host tele1 has host_index 0; a host index lies between 1 and 65534."),
    ("tele1", "host_index", 65535, "Host tele1 has host_index 65535; a host index lies between 1 and 65534."),
    ("tele1", "host_index", True, "Host tele1: host_index must be an integer, not True."),
    ("tele1", "host_index", "one", "Host tele1: host_index must be an integer, not 'one'."),
    ("tele1", "host_index", None, "Host tele1: host_index is empty: give it a value or remove it."),
    (
        "tele1",
        "host_index",
        300,
        "Host tele1 has host_index 300, but overlay_ipv4_prefix 198.19.2.0/24 of site remote has room for indexes "
        "up to 254.",
    ),
    ("desk1", "host_index", 1, "Hosts gw1 and desk1 have the same host_index 1 in site lyon."),
    (
        "tele1",
        "host_site",
        "core",
        "Host tele1 is no hub but lives in site core, which has no tenant; only hubs are shared.",
    ),
    (
        "gw1",
        "mesh_endpoint",
        "198.51.100.1",
        "Hosts hub1 and gw1 have the same mesh_endpoint 198.51.100.1 port 51820.",
    ),
    (
        "gw1",
        "mesh_endpoint",
        "198.51.100.2:51820",
        "Host gw1: mesh_endpoint '198.51.100.2:51820' is not an IP address (write it without port, brackets or prefix "
        "length).",
    ),
    (
        "gw1",
        "mesh_endpoint",
        "198.19.1.1",
        "Host gw1 has mesh_endpoint 198.19.1.1 inside the overlay 198.19.1.0/24; it must be public.",
    ),
    (
        "gw1",
        "mesh_lan_endpoint",
        "198.18.9.2",
        "Host gw1 has mesh_lan_endpoint 198.18.9.2 outside lan_prefixes of site lyon (198.18.1.0/24 and "
        "2001:db8:2::/64).",
    ),
    (
        "gw1",
        "gateway_floating_addresses",
        ["198.18.9.251"],
        "Gateway gw1 has the floating address 198.18.9.251 outside lan_prefixes of site lyon (198.18.1.0/24 and "
        "2001:db8:2::/64).",
    ),
    (
        "gw1",
        "gateway_floating_addresses",
        ["198.18.1.251", "198.18.1.3"],
        "Gateway gw1 has the floating address 198.18.1.3, which is that of desk1.",
    ),
    (
        "gw1",
        "gateway_floating_addresses",
        ["198.18.1.251/24"],
        "Gateway gw1: gateway_floating_addresses '198.18.1.251/24' is not an IP address (write it without port, "
        "brackets or prefix length).",
    ),
    (
        "gw1",
        "gateway_resources",
        {"cpu_cuont": 4},
        "Host gw1: gateway_resources.cpu_cuont is unknown; did you mean cpu_count?",
    ),
    ("desk1", "mesh_lan_endpoint", "198.18.1.2", "Hosts gw1 and desk1 have the same mesh_lan_endpoint 198.18.1.2."),
    (
        "desk1",
        "mesh_lan_endpoint",
        "198.18.9.3",
        "Host desk1 has mesh_lan_endpoint 198.18.9.3 outside lan_prefixes of site lyon (198.18.1.0/24 and "
        "2001:db8:2::/64).",
    ),
    (
        "gw1",
        "mesh_backend",
        "kernl",
        "Host gw1: mesh_backend must be one of auto, kernel, userspace, not 'kernl'.",
    ),
    (
        "tele1",
        "underlay_mtu",
        1339,
        "Host tele1 has underlay_mtu 1339; an underlay carries 1340 to 65535 bytes, since the tunnel takes 60 and IPv6 "
        "inside needs 1280 (RFC 8200).",
    ),
    ("tele1", "underlay_mtu", "1,400", "Host tele1: underlay_mtu must be an integer, not '1,400'."),
    (
        "tele1",
        "mesh_mtu",
        1279,
        "Host tele1 has mesh_mtu 1279; a tunnel carries 1280 to 65535 bytes, since IPv6 needs 1280 (RFC 8200); 0 "
        "is for the plan.",
    ),
    ("gw1", "mesh_port", "many", "Host gw1: mesh_port must be an integer, not 'many'."),
    ("gw1", "mesh_port", None, "Host gw1: mesh_port is empty: give it a value or remove it."),
    ("gw1", "mesh_endpiont", "198.51.100.9", "Unknown variable mesh_endpiont of gw1; did you mean mesh_endpoint?"),
    ("gw1", "estate_name", "other", "estate_name is not the same on hosts hub1 and gw1; set it once, for group all."),
]


@pytest.mark.parametrize(("host", "key", "value", "text"), HOST_MISTAKES, ids=[text[:60] for *_, text in HOST_MISTAKES])
def test_a_mistake_in_a_host_has_one_finding(inventory: Any, host: str, key: str, value: Any, text: str) -> None:
    inventory.hosts[host][key] = value
    assert inventory.texts() == [text]
