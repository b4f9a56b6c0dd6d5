# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate that planners see: addresses, groups of hosts, home hubs, and what it refuses."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.estate import Estate, overlay_ipv6
from hypothesis import given
from hypothesis import strategies as st

SITES: dict[str, Any] = {
    "core": {"index": 0},
    "lyon": {
        "index": 1,
        "tenant": "acme",
        "lan_prefixes": ["198.18.1.0/24", "2001:DB8:2::/64"],
        "overlay_ipv4_prefix": "198.19.1.0/24",
        "names": {"erp1": ["198.18.1.20"]},
    },
    "oslo": {"index": 65535, "tenant": "beta"},
}
HOSTS: dict[str, dict[str, Any]] = {
    "hub2": {"host_site": "core", "host_index": 2, "roles": ["hubs"], "mesh_endpoint": "192.0.2.2"},
    "hub1": {"host_site": "core", "host_index": 1, "roles": ["hub"], "mesh_endpoint": "192.0.2.1"},
    "gw1": {"host_site": "lyon", "host_index": "1", "roles": ["gateways", "caches"], "mesh_port": 443},
    "desk1": {"host_site": "lyon", "host_index": 254, "roles": ["hypervisors"], "mesh_lan_endpoint": "198.18.1.9"},
    "other1": {"host_site": "oslo", "host_index": 65534, "roles": [], "public_key": "x"},
}


def variables(**changes: Any) -> dict[str, Any]:
    given = {
        "estate_name": "demo",
        "estate_domain": "demo.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": SITES,
    }
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


def build(hosts: dict[str, dict[str, Any]] | None = None, **changes: Any) -> Estate:
    return Estate.from_vars(variables(**changes), HOSTS if hosts is None else hosts)


def refusal(hosts: dict[str, dict[str, Any]] | None = None, **changes: Any) -> str:
    with pytest.raises(BadInput) as refused:
        build(hosts, **changes)
    return str(refused.value)


def with_site(name: str, **values: Any) -> dict[str, Any]:
    return {**SITES, name: {**SITES.get(name, {}), **values}}


def with_host(name: str, **values: Any) -> dict[str, dict[str, Any]]:
    return {**HOSTS, name: {**HOSTS.get(name, {}), **values}}


def test_addresses_come_from_site_and_index() -> None:
    hosts = build().hosts
    assert (hosts["gw1"].address6, hosts["gw1"].address4) == ("fd7b:4c1e:90a2:1::1", "198.19.1.1")
    assert hosts["gw1"].allowed_ips == ("fd7b:4c1e:90a2:1::1/128", "198.19.1.1/32")
    assert hosts["other1"].allowed_ips == ("fd7b:4c1e:90a2:ffff::fffe/128",)
    assert hosts["desk1"].address4 == "198.19.1.254"


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(1, 65534)), unique=True, min_size=2, max_size=2))
def test_two_places_never_have_one_address(places: list[tuple[int, int]]) -> None:
    prefix = ipaddress.IPv6Network("fd7b:4c1e:90a2::/48")
    addresses = [overlay_ipv6(prefix, *place) for place in places]
    assert addresses[0] != addresses[1]
    assert all(ipaddress.IPv6Address(address) in prefix for address in addresses)


def test_values_of_hosts_and_sites() -> None:
    estate = build()
    gateway, site = estate.hosts["gw1"], estate.sites["lyon"]
    assert (gateway.is_gateway, gateway.is_hub, gateway.port, gateway.endpoint) == (True, False, 443, None)
    assert estate.hosts["desk1"].port == 51820
    assert estate.hosts["hub1"].is_hub, "a role is known by its group or its own name"
    assert gateway.roles == {"gateway", "cache"}
    # prefixes are written as the kernel shows them
    assert site.lan_prefixes == ("198.18.1.0/24", "2001:db8:2::/64")
    assert (site.prefix6, site.prefix4) == ("fd7b:4c1e:90a2:1::/64", "198.19.1.0/24")
    assert site.names == {"erp1": ("198.18.1.20",)}


def test_groups_of_hosts_and_sites() -> None:
    estate = build()
    assert [hub.name for hub in estate.hubs] == ["hub1", "hub2"]
    assert [host.name for host in estate.hosts_by_site["lyon"]] == ["gw1", "desk1"]
    assert [host.name for host in estate.gateways_by_site["lyon"]] == ["gw1"]
    assert [site.name for site in estate.sites_by_tenant["beta"]] == ["oslo"]
    assert {hub: [site.name for site in sites] for hub, sites in estate.sites_by_hub.items()} == {
        "hub1": ["lyon", "oslo"],
        "hub2": [],
    }


def test_the_home_hub_is_declared_or_the_first_that_may_serve() -> None:
    estate = build(estate_sites=with_site("oslo", hub="hub2"))
    assert estate.home_hub(estate.sites["oslo"]).name == "hub2"
    assert estate.home_hub(estate.sites["lyon"]).name == "hub1"
    alone = {"hub9": {"host_site": "lyon", "host_index": 9, "roles": ["hubs"]}}
    estate = build(alone)
    assert estate.home_hub(estate.sites["lyon"]).name == "hub9"
    with pytest.raises(BadInput) as refused:
        estate.home_hub(estate.sites["oslo"])
    assert str(refused.value) == (
        "Site oslo has no hub; put a host with a public mesh_endpoint into group hubs, "
        "on a shared site or on one of the same tenant."
    )


@pytest.mark.parametrize(
    ("hub", "sentence"),
    [
        ("gw1", "Site lyon names 'gw1' as its hub, which is not in group hubs; correct hub in estate_sites."),
        ("nobody", "Site lyon names 'nobody' as its hub, which is not in group hubs; correct hub in estate_sites."),
        (
            "hub3",
            "Site lyon names hub3 as its hub, which belongs to tenant beta; "
            "name a shared hub or one of its own tenant.",
        ),
    ],
)
def test_a_hub_that_cannot_serve_is_refused(hub: str, sentence: str) -> None:
    hosts = with_host("hub3", host_site="oslo", host_index=3, roles=["hubs"])
    estate = build(hosts, estate_sites=with_site("lyon", hub=hub))
    with pytest.raises(BadInput) as refused:
        estate.home_hub(estate.sites["lyon"])
    assert str(refused.value) == sentence


def test_who_may_reach_whom() -> None:
    hosts = build().hosts
    reach = build().may_reach
    assert reach(hosts["gw1"], hosts["desk1"])
    assert reach(hosts["hub1"], hosts["other1"])
    assert reach(hosts["other1"], hosts["hub1"])
    assert not reach(hosts["gw1"], hosts["other1"])


def test_an_estate_may_be_empty() -> None:
    estate = build({})
    assert (estate.hosts, estate.hubs, estate.sites_by_hub) == ({}, (), {})


@pytest.mark.parametrize("name", ["estate_name", "estate_domain", "estate_ula_prefix", "estate_sites"])
def test_what_is_not_set_is_named(name: str) -> None:
    assert refusal(**{name: None}) == f"The estate has no {name}; set it in group_vars/all."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"estate_ula_prefix": "fd7b::/64"}, "The prefix estate_ula_prefix fd7b::/64 is no /48"),
        ({"estate_ula_prefix": "10.0.0.0/8"}, "The prefix estate_ula_prefix cannot be used: "),
        ({"estate_sites": ["lyon"]}, "The variable estate_sites is no mapping of names to sites"),
        ({"estate_sites": {"lyon": None}}, "Site lyon of estate_sites is no mapping; give it at least an index."),
        ({"estate_sites": {"lyon": {}}}, "Site lyon has no index; give it a number of its own between 0 and 65535."),
        ({"estate_sites": with_site("lyon", index=65536)}, "Site lyon has an unusable index; give it"),
        ({"estate_sites": with_site("lyon", overlay_ipv4_prefix="198.19.1.5/24")}, "Site lyon cannot be used: "),
        ({"estate_sites": with_site("lyon", lan_prefixes=["198.18.1.1/24"])}, "Site lyon cannot be used: "),
        ({"estate_sites": with_site("lyon", names=["erp1"])}, "Site lyon cannot be used: "),
    ],
)
def test_unusable_values_of_the_estate(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(**changes).startswith(sentence)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"host_site": "rome"},
            "Host gw1 is on site 'rome', which estate_sites does not have; add the site or correct host_site.",
        ),
        ({"host_index": None}, "Host gw1 has no host_index; give it a number of its own between 1 and 65534."),
        ({"host_index": 0}, "Host gw1 has an unusable host_index; give it a number of its own between 1 and 65534."),
        ({"host_index": True}, "Host gw1 has an unusable host_index"),
        ({"host_index": 65535}, "Host gw1 has an unusable host_index"),
        (
            {"host_index": 255},
            "Host gw1 has host_index 255, for which overlay_ipv4_prefix 198.19.1.0/24 of site lyon has no room; "
            "give the host a lower number.",
        ),
        (
            {"host_index": 254},
            "Hosts gw1 and desk1 have the same host_index 254 on site lyon; give one of them another number.",
        ),
        (
            {"host_site": "core", "host_index": 9},
            "Host gw1 is no hub but lives on site core, which has no tenant; only hubs are shared.",
        ),
        ({"mesh_port": 70000}, "Host gw1 has an unusable mesh_port; give it"),
    ],
)
def test_unusable_values_of_a_host(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(with_host("gw1", **changes)).startswith(sentence)
