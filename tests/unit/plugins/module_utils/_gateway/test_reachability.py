# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gains and who loses by a change of rules, in words; read from the rules as they are rendered."""

from __future__ import annotations

import time
from typing import Any

import pytest
from bocage_core._gateway.additions import Addition
from bocage_core._gateway.reachability import LINES_AT_MOST, Names, reachability_changes, shortened
from bocage_core._gateway.rights import ALL, ANYONE, HOST, rights_of
from bocage_core._gateway.ruleset import policy_from, render

LYON, HOMES = ["fd7b:4c1e:90a2:1::/64", "198.19.1.0/24"], ["fd7b:4c1e:90a2:2::/64", "198.19.2.0/24"]
LAN = ["198.18.1.0/24", "2001:db8:2::/64"]
SITES: dict[str, Any] = {
    "core": {"index": 0},
    "lyon": {"index": 1, "tenant": "acme", "overlay_ipv4_prefix": "198.19.1.0/24"},
    "teleworkers": {"index": 2, "tenant": "acme", "overlay_ipv4_prefix": "198.19.2.0/24"},
    "oslo": {"index": 3, "tenant": "beta"},
}
NAMES = Names("fd7b:4c1e:90a2::/48", SITES)
PLAIN: dict[str, Any] = {
    "mesh_interface": "bocage*",
    "mesh_ports": [51820, 51821],
    "management_prefixes": ["198.51.100.192/28"],
    "overlay_sources": ["fd7b:4c1e:90a2::/64", *LYON, *HOMES],
}


def gateway(sources: list[str], destinations: list[str] = LAN, **more: Any) -> dict[str, Any]:
    exits = {"sources": sources, "destinations": destinations, **more}
    return {**PLAIN, "lan_interface": "lan0", "exits": exits}


def rules(parameters: dict[str, Any], *additions: Addition) -> str:
    return render(policy_from(parameters), additions)


def changes(before: dict[str, Any] | None, after: dict[str, Any], host: str = "gw1") -> list[str]:
    return reachability_changes("" if before is None else rules(before), rules(after), NAMES, host)


def test_the_words_of_a_site_that_joins_and_of_one_that_leaves() -> None:
    assert changes(gateway(LYON), gateway(LYON + HOMES)) == [
        "acme teleworkers gain 198.18.1.0/24 and 2001:db8:2::/64",
    ]
    assert changes(gateway(LYON + HOMES), gateway(HOMES)) == ["acme lyon lose 198.18.1.0/24 and 2001:db8:2::/64"]
    assert changes(gateway(LYON), gateway(HOMES)) == [
        "acme teleworkers gain 198.18.1.0/24 and 2001:db8:2::/64",
        "acme lyon lose 198.18.1.0/24 and 2001:db8:2::/64",
    ]


def test_a_lan_that_grows_is_gained_by_all_who_enter_it() -> None:
    grown = [*LAN, "198.18.4.0/24"]
    assert changes(gateway(LYON + HOMES), gateway(LYON + HOMES, grown)) == ["all of acme gain 198.18.4.0/24"]
    assert changes(gateway(LYON + HOMES, grown), gateway(LYON + HOMES)) == ["all of acme lose 198.18.4.0/24"]


def test_a_first_run_says_all_that_remains() -> None:
    assert changes(None, gateway(LYON)) == [
        "gw1 had no rules of ours: what is not named here loses its access",
        "198.51.100.192/28 gain tcp 22 (operators) on gw1",
        "acme lyon gain 198.18.1.0/24 and 2001:db8:2::/64",
        "all of acme, shared core and the LAN gain ping on gw1",
        "anyone gains udp 51820, 51821 (mesh) on gw1",
    ]


def test_services_are_told_by_who_may_reach_them() -> None:
    def with_services(*sources: str) -> dict[str, Any]:
        service = {"name": "web", "protocol": "tcp", "port": 443}
        return {**PLAIN, "services": [{**service, "source": source} for source in sources]}

    assert changes(PLAIN, with_services("overlay"), "desk1") == [
        "all of acme and shared core gain tcp 443 (web) on desk1"
    ]
    assert changes(with_services("overlay"), with_services("management"), "desk1") == [
        "198.51.100.192/28 gain tcp 443 (web) on desk1",
        "all of acme and shared core lose tcp 443 (web) on desk1",
    ]
    assert changes(PLAIN, with_services("anywhere"), "desk1") == [
        "all of acme, anyone and shared core gain tcp 443 (web) on desk1"
    ]


def test_operators_and_tenants_that_lose_their_way() -> None:
    assert changes(PLAIN, {**PLAIN, "management_prefixes": ["198.51.100.208/28"]}, "desk1") == [
        "198.51.100.208/28 gain tcp 22 (operators) on desk1",
        "198.51.100.192/28 lose tcp 22 (operators) on desk1",
    ]
    assert changes(PLAIN, {**PLAIN, "overlay_sources": [*LYON, *HOMES]}, "desk1") == ["shared core lose ping on desk1"]


def test_a_hub_that_relays_for_one_tenant_more() -> None:
    acme = {"name": "acme", "prefixes": LYON, "destinations": ["198.18.1.0/24"]}
    beta = {"name": "beta", "prefixes": ["fd7b:4c1e:90a2:3::/64"], "destinations": []}
    assert changes({**PLAIN, "relays": [acme]}, {**PLAIN, "relays": [acme, beta]}, "hub1") == [
        "beta oslo gain beta oslo"
    ]
    wider = {**acme, "prefixes": LYON + HOMES}
    assert changes({**PLAIN, "relays": [acme]}, {**PLAIN, "relays": [wider]}, "hub1") == [
        "acme lyon gain acme teleworkers",
        "acme teleworkers gain 198.18.1.0/24 and all of acme",
    ]


def test_a_shared_hub_is_told_in_short() -> None:
    hub = {**PLAIN, "overlay_sources": ["fd7b:4c1e:90a2::/48", "198.19.1.0/24", "198.19.2.0/24"]}
    opened = {**hub, "services": [{"name": "names", "protocol": "udp", "port": 53, "source": "overlay"}]}
    assert changes(hub, opened, "hub1") == ["the whole overlay gains udp 53 (names) on hub1"]


def test_a_ruleset_of_the_same_rights_in_other_words_is_no_change() -> None:
    again = gateway(list(reversed(LYON)))
    assert changes(gateway(LYON), again) == ["nobody gains or loses access"]
    masked = {**gateway(LYON), "translation": "none"}
    assert changes(gateway(LYON), masked) == ["nobody gains or loses access"]


def test_a_translated_lan_is_told_as_the_overlay_knows_it() -> None:
    translated = gateway(LYON, lan_translation={"198.18.1.0/24": "198.19.101.0/24"})
    assert changes(gateway(LYON), translated) == [
        "acme lyon gain 198.19.101.0/24 (on the LAN 198.18.1.0/24)",
        "acme lyon lose 198.18.1.0/24",
    ]
    other = gateway(LYON, lan_translation={"198.18.1.0/24": "198.19.102.0/24"})
    assert changes(translated, other) == [
        "acme lyon gain 198.19.102.0/24 (on the LAN 198.18.1.0/24)",
        "acme lyon lose 198.19.101.0/24 (on the LAN 198.18.1.0/24)",
    ]


def test_additions_are_told_rule_by_rule() -> None:
    old = Addition("10-monitoring.nft", "chain site_input {\n\ttcp dport 9100 accept\n}\n")
    new = Addition("10-monitoring.nft", "# why\nchain site_input {\n\ttcp dport 9101 accept\n}\n")
    told = reachability_changes(rules(PLAIN, old), rules(PLAIN, new), NAMES, "gw1")
    assert told == [
        "addition site.d/10-monitoring.nft gains: tcp dport 9101 accept",
        "addition site.d/10-monitoring.nft loses: tcp dport 9100 accept",
    ]
    added = reachability_changes(rules(PLAIN), rules(PLAIN, old), NAMES, "gw1")
    assert added == ["addition site.d/10-monitoring.nft gains: tcp dport 9100 accept"]
    two = Addition("a.nft", "chain site_input {\n\ttcp dport 1 accept\n\ttcp dport 1-9 drop\n}\n")
    turned = Addition("a.nft", "chain site_input {\n\ttcp dport 1-9 drop\n\ttcp dport 1 accept\n}\n")
    assert reachability_changes(rules(PLAIN, two), rules(PLAIN, turned), NAMES, "gw1") == [
        "addition site.d/a.nft has its rules in another order"
    ]


def test_a_rule_that_is_not_understood_is_told_as_it_stands() -> None:
    strange = rules(PLAIN).replace('iifname "bocage*" drop', 'meta mark 7 accept\n\t\tiifname "bocage*" drop')
    assert reachability_changes(rules(PLAIN), strange, NAMES, "gw1") == [
        "anyone gains what this rule lets in: meta mark 7 accept"
    ]


def test_rights_of_a_gateway() -> None:
    rights = rights_of(rules(gateway(LYON)))
    assert rights.by_service[ALL] == {
        "198.19.1.0/24": frozenset({"198.18.1.0/24"}),
        "fd7b:4c1e:90a2:1::/64": frozenset({"2001:db8:2::/64"}),
    }
    assert rights.by_service["tcp 22 (operators)"] == {"198.51.100.192/28": frozenset({HOST})}
    assert set(rights.by_service["ping"]) == {"the LAN", *PLAIN["overlay_sources"]}
    (mesh,) = [service for service in rights.by_service if "mesh" in service]
    assert rights.by_service[mesh] == {ANYONE: frozenset({HOST})}
    assert len(rights.by_service) == 4


@pytest.mark.parametrize("written", [{}, {"broken": 3}, {"odd": {"index": "x", "tenant": "acme"}}])
def test_names_that_cannot_be_had_cost_only_the_words(written: dict[str, Any]) -> None:
    told = reachability_changes(rules(gateway(LYON)), rules(gateway(LYON + HOMES)), Names("nonsense", written), "gw1")
    assert told == ["198.19.2.0/24 gain 198.18.1.0/24", "fd7b:4c1e:90a2:2::/64 gain 2001:db8:2::/64"]


def test_long_lists_are_cut_and_say_so() -> None:
    lines = [f"line {number}" for number in range(LINES_AT_MOST + 3)]
    assert shortened(lines)[-1] == "and 3 changes more: run with --diff"
    assert shortened(lines[:LINES_AT_MOST]) == lines[:LINES_AT_MOST]


def test_a_hub_of_five_thousand_sites_is_compared_without_pairs() -> None:
    def relays(count: int) -> dict[str, Any]:
        prefixes = [f"fd7b:4c1e:90a2:{number:x}::/64" for number in range(1, count + 1)]
        return {**PLAIN, "relays": [{"name": "acme", "prefixes": prefixes, "destinations": []}]}

    before, after = rules(relays(5000)), rules(relays(5001))
    began = time.monotonic()
    told = reachability_changes(before, after, NAMES, "hub1")
    # pairs would be 25 million
    assert time.monotonic() - began < 5
    assert len(told) == 2
