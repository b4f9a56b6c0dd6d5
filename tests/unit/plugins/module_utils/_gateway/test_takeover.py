# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes over whose floating addresses and connections, and which targets a gateway is tested with."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.exits import Exits
from bocage_core._gateway.takeover import (
    FIRST_IDENTIFIER,
    FIRST_OTHER_PRIORITY,
    IDENTIFIERS,
    OWN_PRIORITY,
    PARTNER_PRIORITY,
    identifiers,
    partner,
    plan_takeover,
)
from several_gateways import estate


def plan(name: str, **changes: Any) -> dict[str, Any]:
    found = plan_takeover(estate(**changes), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["hub1", "tele1", "desk1", "alone1"])
def test_who_has_no_siblings_takes_nothing_over(name: str) -> None:
    assert plan_takeover(estate(), name) is None


def test_the_plan_of_a_gateway() -> None:
    found = plan("gw1")
    assert (found["address"], found["lan_address"]) == ("fd7b:4c1e:90a2:1::1", "198.18.1.21")
    assert found["partner"] == found["siblings"][0]
    assert found["partner"]["name"] == "gw2"
    assert found["sibling_interfaces"] == ["bocage0-1-2", "bocage1-1-2"]
    assert found["floating_addresses"] == ["198.18.1.201", "2001:db8:2::201"]
    assert found["instances"] == [
        {"gateway": "gw1", "identifier": 20, "priority": 200, "addresses": ["198.18.1.201", "2001:db8:2::201"]},
        {"gateway": "gw2", "identifier": 21, "priority": 150, "addresses": ["198.18.1.202", "2001:db8:2::202"]},
    ]


def test_a_gateway_without_floating_addresses_has_no_instance() -> None:
    found = plan("gw1", gw2={"gateway_floating_addresses": None})
    assert [one["gateway"] for one in found["instances"]] == ["gw1"]
    assert plan("north1")["instances"] == []


@pytest.mark.parametrize(
    ("gateways", "pairs"),
    [
        (2, {"gw1": "gw2", "gw2": "gw1"}),
        (3, {"gw1": "gw2", "gw2": "gw1", "gw3": None}),
        (4, {"gw1": "gw2", "gw2": "gw1", "gw3": "gw4", "gw4": "gw3"}),
    ],
)
def test_connections_are_shared_in_pairs(gateways: int, pairs: dict[str, str | None]) -> None:
    demo = estate(gateways)
    found = {name: partner(Exits(demo), demo.hosts[name]) for name in pairs}
    assert {name: one and one.name for name, one in found.items()} == pairs
    odd = plan_takeover(demo, "gw3") if gateways == 3 else None
    assert odd is None or odd["partner"] is None


def test_the_partner_is_the_first_to_take_addresses_over() -> None:
    plans = {f"gw{number}": plan(f"gw{number}", gateways=5) for number in range(1, 6)}
    for owner, mate in (("gw1", "gw2"), ("gw4", "gw3"), ("gw5", None)):
        priorities = {
            name: next(one["priority"] for one in found["instances"] if one["gateway"] == owner)
            for name, found in plans.items()
        }
        assert priorities.pop(owner) == OWN_PRIORITY
        if mate is not None:
            assert priorities.pop(mate) == PARTNER_PRIORITY
        # the others each have a place of their own behind it
        assert len(set(priorities.values())) == len(priorities)
        assert max(priorities.values()) == FIRST_OTHER_PRIORITY < PARTNER_PRIORITY


def test_one_in_doubt_is_below_every_other_that_does_well() -> None:
    from bocage_agent.gateway_health import DOUBT_PENALTY

    lowest = FIRST_OTHER_PRIORITY - 39
    assert lowest > OWN_PRIORITY + DOUBT_PENALTY


def test_identifiers_are_apart_and_stay() -> None:
    far = {"host_index": 1 + IDENTIFIERS}
    demo = estate(gateways=3, gw3=far)
    gateways = [demo.hosts[name] for name in ("gw1", "gw2", "gw3")]
    found = identifiers(gateways)
    assert found == {"gw1": FIRST_IDENTIFIER, "gw2": FIRST_IDENTIFIER + 1, "gw3": FIRST_IDENTIFIER + 2}
    # all gateways of the site agree, and who was there before keeps its own
    assert identifiers(reversed(gateways)) == found
    assert identifiers(gateways[:2]) == {"gw1": FIRST_IDENTIFIER, "gw2": FIRST_IDENTIFIER + 1}
    assert {
        tuple((one["gateway"], one["identifier"]) for one in plan(name, gateways=3, gw3=far)["instances"])
        for name in ("gw1", "gw2", "gw3")
    } == {(("gw1", 20), ("gw2", 21), ("gw3", 22))}
    # RFC 5798: one byte, and not 0
    last = estate(gateways=1, gw1={"host_index": IDENTIFIERS}).hosts["gw1"]
    assert 0 < identifiers([last])["gw1"] < 256


def test_targets_are_declared_or_what_the_site_names() -> None:
    assert plan("gw1")["targets"] == ["198.18.1.20", "198.18.1.21", "2001:db8:2::20"]
    assert plan("gw1", targets=["198.18.1.99"])["targets"] == ["198.18.1.99"]
    assert plan("north1")["targets"] == []


@pytest.mark.parametrize("own", [["198.18.1.202"], None])
def test_gateways_that_cannot_agree_on_floating_addresses_have_no_plan(own: list[str] | None) -> None:
    changes = {"mesh_lan_endpoint": None, "gateway_floating_addresses": own}
    with pytest.raises(BadInput) as refused:
        plan("gw2", gw2=changes)
    assert str(refused.value) == (
        "Gateway gw2 has no mesh_lan_endpoint, by which the gateways of its site agree on floating addresses; give it one, "
        "or take gateway_floating_addresses away."
    )
    # where nobody has any, there is nothing to agree on
    none = {"gateway_floating_addresses": None}
    assert plan("gw2", gw1=none, gw2={**changes, **none})["instances"] == []
