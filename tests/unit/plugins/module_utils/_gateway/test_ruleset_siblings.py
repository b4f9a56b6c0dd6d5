# SPDX-License-Identifier: GPL-3.0-or-later
"""The ruleset of a gateway that others stand in for: translation by family, VRRP, untracked paths, the detour."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._gateway.ruleset import policy_from, render
from network_namespace import NetworkNamespace, need

HOSTS = ["fd7b:4c1e:90a2:1::/64", "198.19.1.0/24"]
GATEWAY: dict[str, Any] = {
    "mesh_interface": "bocage*",
    "mesh_ports": [51820],
    "management_prefixes": ["198.51.100.192/28"],
    "overlay_sources": HOSTS,
    "lan_interface": "lan0",
    "exits": {"sources": HOSTS, "destinations": ["198.18.1.0/24", "2001:db8:2::/64"]},
    "floating_addresses": ["2001:db8:2::251", "198.18.1.251", "198.18.1.252"],
    "sibling_addresses": ["198.18.1.22", "198.18.1.23", "2001:db8:2::24"],
    "sibling_interfaces": ["bocage1-1-2", "bocage0-1-2"],
    "untracked_ports": [4784],
}


def chain(name: str, **changes: Any) -> list[str]:
    text = render(policy_from({**GATEWAY, **changes}))
    if f"\tchain {name} {{\n" not in text:
        return []
    return [line.strip() for line in text.split(f"\tchain {name} {{\n")[1].split("\n\t}")[0].splitlines()]


def translated(**changes: Any) -> dict[str, str]:
    """What each family is shown as."""
    found = [rule.split(" } ")[-1] for rule in chain("postrouting", **changes)[1:]]
    return {("ip6" if "ip6" in one else "ip") if "snat" in one else "both": one for one in found}


def test_a_floating_address_is_what_the_lan_sees_of_its_family() -> None:
    assert translated(translation="floating", translation_ipv6="floating") == {
        "ip": "snat ip to 198.18.1.251",
        "ip6": "snat ip6 to 2001:db8:2::251",
    }


def test_one_family_may_be_routed_while_the_other_is_translated() -> None:
    assert chain("postrouting", translation="floating", translation_ipv6="none") == [
        "type nat hook postrouting priority srcnat; policy accept;",
        'oifname "lan0" ip saddr { 198.19.1.0/24 } ip daddr { 198.18.1.0/24 } snat ip to 198.18.1.251',
    ]
    assert chain("postrouting", translation="none", translation_ipv6="masquerade") == [
        "type nat hook postrouting priority srcnat; policy accept;",
        'oifname "lan0" ip6 saddr { fd7b:4c1e:90a2:1::/64 } ip6 daddr { 2001:db8:2::/64 } masquerade',
    ]
    assert chain("postrouting", translation="none", translation_ipv6="none") == []


def test_who_says_nothing_masquerades() -> None:
    assert [rule.rpartition(" } ")[2] for rule in chain("postrouting")[1:]] == ["masquerade", "masquerade"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"translation": "floating", "floating_addresses": ["2001:db8:2::251"]},
            "This gateway has gateway_translation floating but no IPv4 address among its gateway_floating_addresses; "
            "give it one, or choose masquerade or none.",
        ),
        (
            {"translation_ipv6": "floating", "floating_addresses": []},
            "This gateway has gateway_translation_ipv6 floating but no IPv6 address among its "
            "gateway_floating_addresses; give it one, or choose masquerade or none.",
        ),
        (
            {"floating_addresses": ["198.18.1.251/24"]},
            "The firewall cannot use an address of floating_addresses: '198.18.1.251/24' does not appear to be an IPv4 "
            "or IPv6 address; correct gateway_floating_addresses.",
        ),
        (
            {"sibling_addresses": ["gw2"]},
            "The firewall cannot use a prefix of sibling_addresses: 'gw2' does not appear to be an IPv4 or IPv6 network; "
            "correct it in the inventory.",
        ),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        policy_from({**GATEWAY, **changes})
    assert str(refused.value) == sentence


def test_attack_vrrp_of_a_machine_that_is_no_gateway() -> None:
    """Only siblings, only on the LAN; with none of them nobody."""
    rules = chain("input")
    assert rules[0].endswith("policy drop;")
    assert [rule for rule in rules if "l4proto 112" in rule] == [
        'iifname "lan0" ip saddr { 198.18.1.22/32, 198.18.1.23/32 } meta l4proto 112 accept comment "floating addresses"',
        'iifname "lan0" ip6 saddr { 2001:db8:2::24/128 } meta l4proto 112 accept comment "floating addresses"',
    ]
    assert not [rule for name in ("input", "overlay") for rule in chain(name, sibling_addresses=[]) if "112" in rule]
    assert not [rule for rule in chain("overlay") if "112" in rule]


def test_what_is_watched_often_makes_no_connection() -> None:
    for name, hook in (("untracked_in", "prerouting"), ("untracked_out", "output")):
        assert chain(name, sibling_interfaces=[]) == [
            f"type filter hook {hook} priority raw; policy accept;",
            "udp dport { 4784 } notrack",
            "meta l4proto 112 notrack",
        ]
        # a host with BFD and no siblings, and a gateway with siblings and no BFD
        assert "udp dport { 4784 } notrack" in chain(name, sibling_interfaces=[], sibling_addresses=[])
        assert chain(name, sibling_interfaces=[], untracked_ports=[])[1:] == ["meta l4proto 112 notrack"]
        assert chain(name, sibling_interfaces=[], untracked_ports=[], sibling_addresses=[]) == []


def test_answers_go_on_by_a_gateway_that_has_the_way() -> None:
    found = [rule for rule in chain("forward") if "another gateway" in rule]
    interfaces = '{ "bocage0-1-2", "bocage1-1-2" }'
    assert found == [
        f'iifname {interfaces} ip saddr {{ 198.18.1.0/24 }} ip daddr {{ 198.19.1.0/24 }} oifname "bocage*" '
        'accept comment "for another gateway"',
        f'iifname {interfaces} ip6 saddr {{ 2001:db8:2::/64 }} ip6 daddr {{ fd7b:4c1e:90a2:1::/64 }} oifname "bocage*" '
        'accept comment "for another gateway"',
    ]
    assert not [rule for rule in chain("forward", sibling_interfaces=[]) if "another gateway" in rule]


def test_answers_that_another_gateway_translated_back_are_no_connection_of_this_one() -> None:
    """Translated back, an answer would clash with the connection that this gateway shares with the other one."""
    answers = 'iifname { "bocage0-1-2", "bocage1-1-2" } ip saddr { 198.18.1.0/24 } ip daddr { 198.19.1.0/24 } notrack'
    shown = {"translation": "floating", "translation_ipv6": "none"}
    assert [rule for rule in chain("untracked_in", **shown) if "iifname" in rule] == [answers]
    assert not [rule for rule in chain("untracked_out", **shown) if "iifname" in rule]
    assert not [rule for rule in chain("untracked_in", **{**shown, "translation": "none"}) if "iifname" in rule]
    forward = chain("forward", **shown)
    last = max(place for place, rule in enumerate(forward) if "another gateway" in rule)
    assert last < forward.index("ct state invalid drop")


def test_nothing_else_of_the_lan_goes_into_the_overlay() -> None:
    """The detour is for what comes by a sibling: from the LAN itself nothing begins."""
    begins = [rule for rule in chain("forward") if 'iifname "lan0"' in rule]
    assert begins == []


def test_nothing_depends_on_the_order_of_lists() -> None:
    turned = {
        "sibling_addresses": list(reversed(GATEWAY["sibling_addresses"])),
        "sibling_interfaces": list(reversed(GATEWAY["sibling_interfaces"])),
        "untracked_ports": [4784, 3784, 4784],
    }
    assert render(policy_from({**GATEWAY, "untracked_ports": [3784, 4784]})) == render(
        policy_from({**GATEWAY, **turned})
    )


@pytest.fixture(scope="module")
def namespace() -> Iterator[NetworkNamespace]:
    need("nft")
    with NetworkNamespace() as made:
        yield made


@pytest.mark.parametrize("shown", ["masquerade", "floating", "none"])
def test_nft_takes_it(namespace: NetworkNamespace, shown: str, tmp_path: Path) -> None:
    path = tmp_path / "ruleset.nft"
    for other in ("masquerade", "floating", "none"):
        path.write_text(render(policy_from({**GATEWAY, "translation": shown, "translation_ipv6": other})))
        namespace.must("nft", "--file", str(path))
    listed = namespace.must("nft", "--stateless", "list", "table", "inet", "bocage")
    assert "notrack" in listed and "for another gateway" in listed
