# SPDX-License-Identifier: GPL-3.0-or-later
"""What gateways that take over from one another need is missed before any host is touched."""

from __future__ import annotations

from typing import Any

import pytest

FLOATING = ["198.18.1.251", "2001:db8:2::251"]


@pytest.fixture
def pair(inventory: Any) -> Any:
    """Two gateways of one site, each with floating addresses that are shown to the LAN."""
    inventory.hosts["gw1"].update(gateway_floating_addresses=FLOATING, gateway_translation="floating")
    inventory.hosts["gw3"] = {
        **inventory.hosts["gw1"],
        "host_index": 3,
        "mesh_endpoint": "198.51.100.3",
        "mesh_lan_endpoint": "198.18.1.4",
        "gateway_floating_addresses": ["198.18.1.252"],
    }
    inventory.groups["managed"].append("gw3")
    inventory.groups["gateways"].append("gw3")
    return inventory


def lacking(name: str) -> str:
    return (
        f"Gateway {name} has no mesh_lan_endpoint, by which the gateways of its site agree on floating addresses; give it "
        "one, or take gateway_floating_addresses away."
    )


def test_a_pair_that_has_all_it_needs(pair: Any) -> None:
    assert pair.texts() == []


def test_without_an_address_on_the_lan_they_cannot_agree(pair: Any) -> None:
    del pair.hosts["gw3"]["mesh_lan_endpoint"]
    assert pair.texts() == [lacking("gw3")]
    # one that has none of its own stands by for those of the other one
    del pair.hosts["gw3"]["gateway_floating_addresses"], pair.hosts["gw3"]["gateway_translation"]
    assert pair.texts() == [lacking("gw3")]


def test_where_nobody_has_floating_addresses_nobody_need_agree(pair: Any) -> None:
    for name in ("gw1", "gw3"):
        for key in ("mesh_lan_endpoint", "gateway_floating_addresses", "gateway_translation"):
            del pair.hosts[name][key]
    assert pair.texts() == []


@pytest.mark.parametrize(
    ("option", "addresses", "version"),
    [
        ("gateway_translation", None, 4),
        ("gateway_translation", [], 4),
        ("gateway_translation", ["2001:db8:2::252"], 4),
        ("gateway_translation_ipv6", ["198.18.1.252"], 6),
    ],
)
def test_what_is_shown_is_there(pair: Any, option: str, addresses: list[str] | None, version: int) -> None:
    pair.hosts["gw3"].pop("gateway_translation")
    pair.hosts["gw3"][option] = "floating"
    pair.hosts["gw3"]["gateway_floating_addresses"] = addresses or []
    if addresses is None:
        del pair.hosts["gw3"]["gateway_floating_addresses"]
    assert pair.texts() == [
        f"Gateway gw3 has {option} floating but no IPv{version} address among its gateway_floating_addresses; give it "
        "one, or choose masquerade or none."
    ]


@pytest.mark.parametrize("other", [None, "masquerade", "none"])
def test_the_other_family_needs_no_address(pair: Any, other: str | None) -> None:
    """By default it is masqueraded."""
    if other is not None:
        pair.hosts["gw3"]["gateway_translation_ipv6"] = other
    assert pair.texts() == []


def test_a_gateway_alone_shows_no_floating_address(inventory: Any) -> None:
    """Nobody would hold it: the role takes nothing over where there is no other gateway."""
    inventory.hosts["gw1"]["gateway_floating_addresses"] = FLOATING
    assert inventory.texts() == []
    inventory.hosts["gw1"]["gateway_translation"] = "floating"
    assert inventory.texts() == [
        "Gateway gw1 has gateway_translation floating, but nobody could take its address over, as it is the only gateway of "
        "site lyon; choose masquerade or none."
    ]


def test_a_gateway_that_is_a_hub_shows_none_either(pair: Any) -> None:
    pair.groups["hubs"].append("gw3")
    assert pair.texts() == [
        f"Gateway {name} has gateway_translation floating, but nobody could take its address over, as {why}; choose "
        "masquerade or none."
        for name, why in (("gw1", "it is the only gateway of site lyon"), ("gw3", "it is a hub"))
    ]


@pytest.mark.parametrize("given", ["198.18.1.252", ["gw3"]])
def test_addresses_that_are_none_have_one_finding(pair: Any, given: Any) -> None:
    pair.hosts["gw3"]["gateway_floating_addresses"] = given
    (text,) = pair.texts()
    assert "gateway_floating_addresses" in text and "gateway_translation" not in text
