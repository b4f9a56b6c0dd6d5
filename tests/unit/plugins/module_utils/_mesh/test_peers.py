# SPDX-License-Identifier: GPL-3.0-or-later
"""The planned peers of hosts of each kind, by example; test_plan_properties.py has what holds for all estates."""

from __future__ import annotations

import json

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._mesh.peers import MeshPlanner, Peer, plan_peers, with_port
from bocage_core._mesh.routes import not_covered
from demo_estate import demo, links_of, peers_of, routes_of
from random_estates import key_of


def test_a_teleworker_peers_with_its_hub_and_the_gateways_of_its_tenant() -> None:
    assert [peer["name"] for peer in plan_peers(demo().estate(), "tele1")] == ["hub1", "gw1", "gw2"]
    assert MeshPlanner(demo().estate()).peers("tele1") == [
        Peer(
            "hub1",
            key_of("hub1"),
            "192.0.2.10:51820",
            ("fd7b:4c1e:90a2::/48", "198.19.1.0/24", "198.19.2.0/24"),
            25,
        ),
    ]
    assert routes_of(demo(), "tele1") == {
        "198.19.1.0/24": "198.19.2.1",
        "198.19.2.0/24": "198.19.2.1",
        "fd7b:4c1e:90a2::/48": "fd7b:4c1e:90a2:2::1",
    }


def test_gateways_that_stand_in_for_one_another_have_a_link_each() -> None:
    links = links_of(demo(), "tele1")
    assert [(link["name"], gateway) for gateway, link in links.items()] == [
        ("bocage0-1-1", "gw1"),
        ("bocage0-1-2", "gw2"),
    ]
    for gateway, link in links.items():
        number = demo().hosts[gateway]["host_index"]
        own = [f"fd7b:4c1e:90a2:1::{number}/128", f"198.19.1.{number}/32"]
        assert link["peers"][0]["allowed_ips"] == [*own, "198.18.1.0/24", "2001:db8:2::/64"]
        assert link["peers"][0]["keepalive_seconds"] == 25
        assert link["addresses"] == ["fd7b:4c1e:90a2:2::1/128", "198.19.2.1/32"]
        assert [route["prefix"] for route in link["routes"] if "metric" not in route] == own
    # the last resort goes by one of them
    resort = [
        (gateway, route["prefix"]) for gateway, link in links.items() for route in link["routes"] if "metric" in route
    ]
    assert resort == [("gw1", "198.18.1.0/24"), ("gw1", "2001:db8:2::/64")]


def test_gateways_of_a_site_find_each_other_at_the_ports_of_their_links() -> None:
    one, other = links_of(demo(), "gw1")["gw2"], links_of(demo(), "gw2")["gw1"]
    assert one["peers"][0]["endpoint"] == f"198.18.1.22:{other['listen_port']}"
    assert other["peers"][0]["endpoint"] == f"198.18.1.21:{one['listen_port']}"
    # what one of them can no longer reach itself goes by the other one
    assert {"fd7b:4c1e:90a2:2::/64", "198.19.2.0/24", "198.18.1.0/24"} <= set(one["peers"][0]["allowed_ips"])
    assert not [route for route in one["routes"] if "metric" in route]


def test_a_gateway_finds_a_caller_at_the_port_of_its_link() -> None:
    written = demo()
    written.hosts["tele1"]["mesh_endpoint"] = "192.0.2.99"
    links = links_of(written, "tele1")
    for gateway in ("gw1", "gw2"):
        assert peers_of(written, gateway)["tele1"].endpoint == f"192.0.2.99:{links[gateway]['listen_port']}"


def test_a_gateway_that_joins_leaves_the_ports_of_links_as_they_are() -> None:
    before = {name: link["listen_port"] for name, link in links_of(demo(), "tele1").items()}
    written = demo()
    written.add("gw0", "lyon", ["gateways"], mesh_endpoint="192.0.2.20", public_key=key_of("gw0"))
    after = {name: link["listen_port"] for name, link in links_of(written, "tele1").items()}
    assert before.items() <= after.items() and len(set(after.values())) == 3


def test_names_of_links_fit_the_kernel_for_the_largest_numbers() -> None:
    written = demo()
    written.sites["lyon"]["index"] = 65535
    written.sites["lyon"]["overlay_ipv4_prefix"] = "10.8.0.0/16"
    for number, name in enumerate(("gw1", "gw2")):
        written.hosts[name]["host_index"] = 65533 + number
    names = [link["name"] for link in links_of(written, "tele1").values()]
    assert len(set(names)) == 2 and all(len(name) <= 15 and name.startswith("bocage0-") for name in names)


def test_hosts_of_a_lan_meet_on_it_without_keepalive() -> None:
    peers = peers_of(demo(), "desk1")
    assert set(peers) == {"hub1", "gw1", "gw2"}
    assert (peers["gw1"].endpoint, peers["gw1"].keepalive_seconds) == ("198.18.1.21:51820", 0)
    # behind NAT towards the hub
    assert peers["hub1"].keepalive_seconds == 25
    assert set(routes_of(demo(), "desk1")) == {"fd7b:4c1e:90a2::/48", "198.19.1.0/24", "198.19.2.0/24"}


def test_a_gateway_waits_for_hosts_behind_nat_and_keeps_nothing_open_itself() -> None:
    peers = peers_of(demo(), "gw1")
    assert set(peers) == {"hub1", "desk1", "tele1"}
    assert (peers["tele1"].endpoint, peers["tele1"].keepalive_seconds) == (None, 0)
    assert peers["hub1"].keepalive_seconds == 0


def test_a_hub_has_all_hosts_of_the_sites_it_is_home_to_exactly() -> None:
    peers = peers_of(demo(), "hub1")
    assert set(peers) == {"gw1", "gw2", "desk1", "tele1", "other1"}
    assert peers["tele1"].allowed_ips == ("fd7b:4c1e:90a2:2::1/128", "198.19.2.1/32")
    # a hub without IPv4 of its own relays it: a route without a source
    assert routes_of(demo(), "hub1")["198.19.1.0/24"] is None


def test_tenants_do_not_peer() -> None:
    assert set(peers_of(demo(), "other1")) == {"hub1"}
    assert all("other1" not in peers_of(demo(), name) for name in ("gw1", "gw2", "desk1", "tele1"))


def test_a_host_that_is_not_enrolled_is_nobodys_peer_and_no_exit() -> None:
    written = demo()
    written.hosts["gw2"]["public_key"] = None
    peers = peers_of(written, "tele1")
    assert set(peers) == {"hub1", "gw1"}
    assert "198.18.1.0/24" in peers["gw1"].allowed_ips


def test_two_hosts_behind_nat_meet_through_the_hub() -> None:
    written = demo()
    for name in ("gw1", "gw2"):
        del written.hosts[name]["mesh_endpoint"]
    peers = peers_of(written, "tele1")
    assert set(peers) == {"hub1"}
    assert peers["hub1"].allowed_ips[-2:] == ("198.18.1.0/24", "2001:db8:2::/64")
    # one gateway has the LAN on the hub, always the same
    holders = [peer.name for peer in peers_of(written, "hub1").values() if "198.18.1.0/24" in peer.allowed_ips]
    assert holders == ["gw2"]
    assert "198.18.1.0/24" in routes_of(written, "hub1")
    assert "198.18.1.0/24" not in routes_of(written, "gw1")


def test_a_lan_that_only_its_own_hosts_use_is_not_routed_by_hubs() -> None:
    written = demo()
    assert written.hosts["other1"].get("mesh_endpoint") is None
    assert "2001:db8:3::/64" not in routes_of(written, "hub1")


def test_a_gateway_never_enters_its_own_lan_by_another_gateway() -> None:
    written = demo()
    # on the LAN by its role, whether the inventory tells an address or not
    del written.hosts["gw1"]["mesh_lan_endpoint"]
    assert "198.18.1.0/24" not in routes_of(written, "gw1")
    assert "198.18.1.0/24" not in routes_of(written, "gw2")


def test_a_host_of_a_site_that_is_not_on_the_lan_enters_by_a_gateway() -> None:
    written = demo()
    del written.hosts["desk1"]["mesh_lan_endpoint"]
    assert set(links_of(written, "desk1")) == {"gw1", "gw2"}


def test_hosts_without_overlay_ipv4_have_no_ipv4_at_all() -> None:
    written = demo()
    written.sites["remote"]["overlay_ipv4_prefix"] = None
    peers = peers_of(written, "tele1")
    assert not [prefix for peer in peers.values() for prefix in peer.allowed_ips if ":" not in prefix]
    assert set(routes_of(written, "tele1")) == {"fd7b:4c1e:90a2::/48"}
    for link in links_of(written, "tele1").values():
        assert not [prefix for prefix in link["peers"][0]["allowed_ips"] if ":" not in prefix]
        assert not [route for route in link["routes"] if ":" not in route["prefix"]]


def test_ipv4_of_every_hub_is_reached_through_the_home_hub() -> None:
    written = demo()
    written.sites["core"]["overlay_ipv4_prefix"] = "198.19.0.0/24"
    written.add("hub2", "core", ["hubs"], mesh_endpoint="192.0.2.11", public_key=key_of("hub2"))
    assert "198.19.0.0/24" in peers_of(written, "tele1")["hub1"].allowed_ips
    assert peers_of(written, "hub1")["hub2"].allowed_ips == ("fd7b:4c1e:90a2::2/128", "198.19.0.2/32")


def test_several_hubs_hand_over_whole_sites() -> None:
    written = demo()
    written.add("hub2", "core", ["hubs"], mesh_endpoint="192.0.2.11", public_key=key_of("hub2"))
    written.sites["oslo"]["hub"] = "hub2"
    assert set(peers_of(written, "other1")) == {"hub2"}
    assert peers_of(written, "hub1")["hub2"].allowed_ips == ("fd7b:4c1e:90a2::2/128", "fd7b:4c1e:90a2:3::/64")
    assert set(peers_of(written, "hub2")) == {"hub1", "other1"}


def test_a_hub_of_a_tenant_serves_and_knows_its_tenant_alone() -> None:
    written = demo()
    written.add("hub2", "lyon", ["hubs"], mesh_endpoint="192.0.2.11", public_key=key_of("hub2"))
    written.sites["remote"]["hub"] = "hub2"
    assert peers_of(written, "hub1")["hub2"].allowed_ips == (
        "fd7b:4c1e:90a2:1::4/128",
        "198.19.1.4/32",
        "fd7b:4c1e:90a2:2::/64",
        "198.19.2.0/24",
    )
    allowed = [prefix for peer in peers_of(written, "hub2").values() for prefix in peer.allowed_ips]
    assert not [prefix for prefix in allowed if prefix.startswith("fd7b:4c1e:90a2:3:")]
    written.sites["oslo"]["hub"] = "hub2"
    with pytest.raises(BadInput, match="Site oslo names hub2 as its hub, which belongs to tenant acme; name a shared"):
        peers_of(written, "other1")


def test_the_interval_of_keepalive_is_given() -> None:
    assert peers_of(demo(), "tele1", keepalive_seconds=11)["hub1"].keepalive_seconds == 11
    assert peers_of(demo(), "tele1", keepalive_seconds=0)["hub1"].keepalive_seconds == 0


def test_another_port_is_in_the_endpoint() -> None:
    written = demo()
    written.hosts["gw2"]["mesh_port"] = 443
    assert links_of(written, "tele1")["gw2"]["peers"][0]["endpoint"] == "[2001:db8::22]:443"


def test_one_key_at_two_hosts_is_refused_wherever_they_are() -> None:
    written = demo()
    written.hosts["other1"]["public_key"] = key_of("tele1")
    with pytest.raises(BadInput) as refused:
        MeshPlanner(written.estate())
    assert str(refused.value) == (
        "Hosts tele1 and other1 have the same mesh key; one of them is a copy: make it a new key and enrol it again."
    )


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(BadInput, match="Host nobody is not among the managed hosts of the inventory; add it to"):
        MeshPlanner(demo().estate()).peers("nobody")
    with pytest.raises(BadInput, match="Host nobody"):
        MeshPlanner(demo().estate()).host("nobody")


def test_a_plan_is_plain_data() -> None:
    plan = MeshPlanner(demo().estate()).host("tele1")
    assert json.loads(json.dumps(plan)) == plan
    assert plan["addresses"] == ["fd7b:4c1e:90a2:2::1/128", "198.19.2.1/32"]
    assert plan["links"][1]["peers"] == [
        {
            "name": "gw2",
            "public_key": key_of("gw2"),
            "endpoint": "[2001:db8::22]:51820",
            "allowed_ips": ["fd7b:4c1e:90a2:1::2/128", "198.19.1.2/32", "198.18.1.0/24", "2001:db8:2::/64"],
            "keepalive_seconds": 25,
        }
    ]


def test_hosts_that_are_placed_alike_share_their_peers() -> None:
    written = demo()
    written.add("desk2", "lyon", ["hypervisors"], mesh_lan_endpoint="198.18.1.41", public_key=key_of("desk2"))
    planner = MeshPlanner(written.estate())
    one, other = ({peer.name: peer for peer in planner.peers(name)} for name in ("desk1", "desk2"))
    assert all(one[name] is other[name] for name in ("hub1", "gw1", "gw2"))


def test_covered_prefixes_are_left_out() -> None:
    given = ["10.0.0.0/8", "fd00:1::/64", "10.1.0.0/16", "fd00::/16", "10.255.255.255/32", "11.0.0.0/8", "::/0"]
    assert not_covered(given) == ["10.0.0.0/8", "11.0.0.0/8", "::/0"]


@pytest.mark.parametrize(
    ("address", "text"), [("192.0.2.1", "192.0.2.1:51820"), ("2001:db8::1", "[2001:db8::1]:51820")]
)
def test_endpoints_as_wg_reads_them(address: str, text: str) -> None:
    assert with_port(address, 51820) == text
