# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of host tells by BGP: gateways with others of their site, hosts behind several gateways, all others."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from bocage_core._common.exits import Exits
from bocage_core._gateway.routing import (
    DRAINED,
    GATEWAY_AS,
    HEALTHY,
    HOST_AS,
    ORDER_STEP,
    UNHEALTHY,
    as_number,
    plan_routing,
    router_id,
)
from several_gateways import LYON, OSLO, estate


def plan(name: str, **changes: Any) -> dict[str, Any]:
    found = plan_routing(estate(**changes), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["hub1", "alone1"])
def test_who_has_no_choice_needs_no_routing(name: str) -> None:
    assert plan_routing(estate(), name) is None


def test_one_gateway_at_each_site_needs_none() -> None:
    single = estate(gateways=1, north2={"public_key": None})
    assert [name for name in single.hosts if plan_routing(single, name) is not None] == []


def test_a_plain_host_has_every_gateway_of_each_site_in_its_order() -> None:
    found = plan("tele1")
    assert (found["siblings"], found["lan_prefixes"], found["listen"], found["host_prefixes"]) == ([], [], [], [])
    demo = estate()
    ranked = Exits(demo).ranked(demo.hosts["tele1"])
    assert [(one["name"], one["place"]) for one in found["neighbors"]] == [
        *((gateway.name, place) for place, gateway in enumerate(ranked["lyon"])),
        *((gateway.name, place) for place, gateway in enumerate(ranked["oslo"])),
    ]
    by_name = {one["name"]: one for one in found["neighbors"]}
    assert set(by_name) == {"gw1", "gw2", "north1", "north2"}
    assert by_name["gw2"] == {
        "name": "gw2",
        "address": "fd7b:4c1e:90a2:1::2",
        "as_number": GATEWAY_AS + 1,
        "place": by_name["gw2"]["place"],
        "prefixes": list(LYON),
    }
    assert by_name["north1"]["prefixes"] == list(OSLO)


def test_a_host_without_ipv4_takes_no_ipv4_prefix() -> None:
    demo = estate()
    hosts = {**demo.hosts, "tele1": dataclasses.replace(demo.hosts["tele1"], address4=None)}
    found = plan_routing(dataclasses.replace(demo, hosts=hosts), "tele1")
    assert found is not None and found["address4"] is None
    assert {prefix for one in found["neighbors"] for prefix in one["prefixes"]} == {LYON[1], OSLO[0]}


def test_a_desktop_on_a_lan_goes_directly_there() -> None:
    assert {one["name"] for one in plan("desk1")["neighbors"]} == {"north1", "north2"}


def test_a_gateway_knows_its_siblings_and_is_a_host_of_the_other_site() -> None:
    found = plan("gw1", gateways=3)
    assert found["siblings"] == [
        {"name": f"gw{number}", "address": f"fd7b:4c1e:90a2:1::{number}", "lan_address": f"198.18.1.{20 + number}"}
        for number in (2, 3)
    ]
    assert {one["name"] for one in found["neighbors"]} == {"north1", "north2"}
    assert found["lan_prefixes"] == list(LYON)
    # hosts of its tenant alone may begin a session, and announce addresses of their own sites alone
    assert found["listen"] == [f"fd7b:4c1e:90a2:{index}::/64" for index in (1, 2, 3)]
    assert found["host_prefixes"] == sorted(found["listen"] + [f"198.19.{index}.0/24" for index in (1, 2, 3)])


def test_every_session_is_looked_after_by_one_of_its_ends() -> None:
    demo = estate(gateways=3)
    plans = {name: found for name in demo.hosts if (found := plan_routing(demo, name))}
    address = {name: demo.hosts[name].address6 for name in plans}
    sessions = {
        frozenset((address[name], one["address"]))
        for name, found in plans.items()
        for one in (*found["neighbors"], *found["siblings"])
    }
    watched = [frozenset((address[name], one)) for name, found in plans.items() for one in found["watched"]]
    assert len(watched) == len(set(watched)), "never both ends"
    assert set(watched) == sessions
    assert plans["tele1"]["watched"] == sorted(one["address"] for one in plans["tele1"]["neighbors"])
    assert plans["gw3"]["watched"] == [address["north1"], address["north2"]], "its siblings look after it"


def test_a_gateway_that_is_not_enrolled_counts_for_nobody() -> None:
    assert {one["name"] for one in plan("tele1", gw2={"public_key": None}, gateways=3)["neighbors"]} >= {"gw1", "gw3"}
    assert "gw2" not in {one["name"] for one in plan("gw1", gw2={"public_key": None}, gateways=3)["siblings"]}


def test_numbers_are_private_and_apart() -> None:
    demo = estate()
    assert as_number(demo.hosts["gw1"]) == as_number(demo.hosts["gw2"]) == GATEWAY_AS + 1
    assert as_number(demo.hosts["tele1"]) == HOST_AS + 3
    # RFC 6996: for private use up to here, and 65,535 sites fit before the hosts' numbers begin
    assert GATEWAY_AS + 65535 < HOST_AS and HOST_AS + 65535 < 4_294_967_294
    identifiers = {router_id(host) for host in demo.hosts.values()}
    assert len(identifiers) == len(demo.hosts)
    assert router_id(demo.hosts["desk1"]) == "0.1.0.240"


def test_health_comes_before_order() -> None:
    """The last in the order of a host that does well goes before the first that does not."""
    many = 500
    assert HEALTHY + many * ORDER_STEP < UNHEALTHY
    assert UNHEALTHY + many * ORDER_STEP < DRAINED


def test_the_next_hop_is_nobodys_address() -> None:
    demo = estate()
    assert plan("tele1")["next_hop"] not in {host.address6 for host in demo.hosts.values()}
