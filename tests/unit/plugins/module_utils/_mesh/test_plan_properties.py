# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the plan of any estate: packets are followed through it as WireGuard would route them."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

from bocage_core._common.estate import Estate, Host
from bocage_core._common.exits import Exits, on_lan
from bocage_core._mesh.interface import desired_state
from bocage_core._mesh.peers import MeshPlanner
from hypothesis import given, settings
from hypothesis import strategies as st
from overlay_walk import Overlay, any_holds, interfaces_of, prove_lan, prove_pair
from random_estates import Written, estates, key_of, member, public_address

# each example plans a whole estate and walks all its pairs
THOROUGH = settings(max_examples=60, deadline=None)


def enrolled(estate: Estate) -> list[Host]:
    return [host for host in estate.hosts.values() if host.public_key is not None]


@THOROUGH
@given(estates())
def test_whoever_may_reach_each_other_does_and_nobody_else(written: Written) -> None:
    overlay = Overlay(written.estate())
    for one, other in itertools.permutations(enrolled(overlay.estate), 2):
        prove_pair(overlay, one, other)


@THOROUGH
@given(estates())
def test_hosts_enter_the_lans_of_their_tenant_and_no_others(written: Written) -> None:
    overlay = Overlay(written.estate())
    estate = overlay.estate
    for host, site in itertools.product(enrolled(estate), estate.sites.values()):
        for prefix in site.lan_prefixes:
            prove_lan(overlay, host, site, prefix)


@THOROUGH
@given(estates())
def test_nobody_routes_a_lan_that_it_is_on_into_the_overlay(written: Written) -> None:
    estate = written.estate()
    planner = MeshPlanner(estate)
    for host in estate.hosts.values():
        if on_lan(host, host.site):
            plan = planner.host(host.name)
            routed = {route["prefix"] for interface in interfaces_of(plan) for route in interface["routes"]}
            assert not routed & set(host.site.lan_prefixes)


@THOROUGH
@given(estates())
def test_peers_are_symmetric_and_one_end_finds_the_other(written: Written) -> None:
    overlay = Overlay(written.estate())
    for name, peers in overlay.peers.items():
        assert name not in peers
        for other, peer in peers.items():
            assert name in overlay.peers[other]
            assert overlay.can_begin(name, other)
            # keepalive only where a host behind NAT must keep a path open
            behind_nat = overlay.estate.hosts[name].endpoint is None
            assert not peer["keepalive_seconds"] or (behind_nat and peer["endpoint"] is not None)


@THOROUGH
@given(estates())
def test_prefixes_have_one_peer_and_a_route_and_tenants_see_their_own_alone(written: Written) -> None:
    estate = written.estate()
    planner = MeshPlanner(estate)
    for host in estate.hosts.values():
        plan = planner.host(host.name)
        prefixes = []
        ports = {51820, 51821} | {link["listen_port"] for link in plan["links"]}
        assert len(ports) == 2 + len(plan["links"])
        assert len({link["name"] for link in plan["links"]}) == len(plan["links"])
        for interface in interfaces_of(plan):
            own = [prefix for peer in interface["peers"] for prefix in peer["allowed_ips"]]
            assert len(own) == len(set(own)) or interface is not plan
            prefixes += own
            # the module that applies the plan refuses what does not hold here
            desired_state({"listen_port": 51820, "mtu": 1420, "addresses": plan["addresses"], "name": "", **interface})
        routed = [route["prefix"] for interface in interfaces_of(plan) for route in interface["routes"]]
        for prefix in {prefix for peer in plan["peers"] for prefix in peer["allowed_ips"]}:
            network = ipaddress.ip_network(prefix)
            assert any_holds(routed, str(network.network_address))
        if host.site.tenant is None:
            continue
        foreign = [site for site in estate.sites.values() if site.tenant not in (None, host.site.tenant)]
        taken = [one for site in foreign for one in (site.prefix6, site.prefix4, *site.lan_prefixes) if one]
        for prefix in set(prefixes) - {estate.ula_prefix}:
            network = ipaddress.ip_network(prefix)
            others = (ipaddress.ip_network(one) for one in taken)
            assert not any(one.version == network.version and one.overlaps(network) for one in others)


@THOROUGH
@given(estates(), st.data())
def test_a_plan_is_the_same_whoever_else_is_planned(written: Written, data: st.DataObject) -> None:
    estate = written.estate()
    shared = MeshPlanner(estate)
    for name in data.draw(st.permutations(sorted(estate.hosts))):
        again = Written(written.sites, dict(sorted(written.hosts.items()))).estate()
        assert shared.host(name) == MeshPlanner(again).host(name)


def plans_of(estate: Estate) -> dict[str, dict[str, Any]]:
    planner = MeshPlanner(estate)
    return {host.name: planner.host(host.name) for host in enrolled(estate)}


def without(plan: dict[str, Any], name: str) -> list[Any]:
    """All peers of a host but one, on whichever interface, in the order of names."""
    peers = [peer for interface in interfaces_of(plan) for peer in interface["peers"] if peer["name"] != name]
    return sorted(peers, key=lambda peer: str(peer["name"]))


def names_of(plan: dict[str, Any]) -> set[str]:
    return {peer["name"] for interface in interfaces_of(plan) for peer in interface["peers"]}


def relayed(estate: Estate) -> dict[str, str]:
    return {site: gateway.name for site, gateway in Exits(estate).relayed.items()}


@THOROUGH
@given(estates(), st.data())
def test_a_host_that_joins_or_leaves_changes_only_its_peers(written: Written, data: st.DataObject) -> None:
    site, values = data.draw(member(written, 99, gateway=False))
    grown = Written(written.sites, dict(written.hosts))
    grown.add("newcomer", site, public_key=key_of("newcomer"), **values)
    before, after = written.estate(), grown.estate()
    old, new = plans_of(before), plans_of(after)
    met = names_of(new["newcomer"])
    for name, plan in old.items():
        assert plan["addresses"] == new[name]["addresses"]
        listed = names_of(new[name])
        assert ("newcomer" in listed) == (name in met)
        # the first host that enters a LAN through hubs makes these relay it
        if not (before.hosts[name].is_hub and relayed(before) != relayed(after)):
            assert (without(new[name], "newcomer"), new[name]["routes"]) == (without(plan, ""), plan["routes"])


@THOROUGH
@given(estates(), st.data())
def test_a_gateway_that_joins_or_leaves_moves_only_its_lan(written: Written, data: st.DataObject) -> None:
    site, values = data.draw(member(written, 99, gateway=True))
    grown = Written(written.sites, dict(written.hosts))
    grown.add("newcomer", site, public_key=key_of("newcomer"), **values)
    before, after = written.estate(), grown.estate()
    old, new = plans_of(before), plans_of(after)
    tenant, lan = before.sites[site].tenant, set(before.sites[site].lan_prefixes)
    lans = {prefix for one in before.sites.values() if one.tenant == tenant for prefix in one.lan_prefixes}
    for name, plan in old.items():
        host = before.hosts[name]
        if not host.is_hub and host.site.tenant != tenant:
            assert new[name] == plan
        # the newcomer may be the first that enters another LAN of its tenant through hubs
        moving = lan if not host.is_hub else lans
        # where it makes a single gateway one of two, this one moves to a link, and between gateways to another port
        gateways = {one.name for one in before.gateways_by_site[site]}
        stripped = [
            [
                {
                    **peer,
                    "allowed_ips": [one for one in peer["allowed_ips"] if one not in moving],
                    **({"endpoint": None} if name in gateways or peer["name"] in gateways else {}),
                }
                for peer in peers
            ]
            for peers in (without(plan, ""), without(new[name], "newcomer"))
        ]
        assert stripped[0] == stripped[1]


@THOROUGH
@given(estates(all_enrolled=True))
def test_another_hub_that_nobody_names_changes_hubs_alone(written: Written) -> None:
    grown = Written(written.sites, dict(written.hosts))
    grown.add("newcomer", "core", ["hub"], mesh_endpoint=public_address(99), public_key=key_of("newcomer"))
    before, after = written.estate(), grown.estate()
    old, new = plans_of(before), plans_of(after)
    for name, plan in old.items():
        if not before.hosts[name].is_hub:
            assert new[name] == plan
