# SPDX-License-Identifier: GPL-3.0-or-later
"""The ruleset of a host of each kind, read by people here and by nft(8) where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._gateway.ruleset import policy_from, render
from network_namespace import NetworkNamespace, need

TENANT = ["fd7b:4c1e:90a2:1::/64", "198.19.1.0/24"]
PARAMETERS: dict[str, Any] = {
    "mesh_interface": "bocage0",
    "mesh_ports": [51820],
    "management_prefixes": ["198.51.100.192/28"],
    "overlay_sources": ["fd7b:4c1e:90a2::/64", *TENANT],
}
GATEWAY: dict[str, Any] = {
    "lan_interface": "lan0",
    "exits": {"sources": TENANT, "destinations": ["198.18.1.0/24", "2001:db8:2::/64"]},
    "translation": "masquerade",
}
TRANSLATED: dict[str, Any] = {
    "lan_interface": "lan0",
    "exits": {
        "sources": TENANT,
        "destinations": ["198.18.1.0/24", "2001:db8:2::/64", "2001:db8:4::/64"],
        "lan_translation": {"198.18.1.0/24": "198.19.101.0/24", "2001:db8:2::/64": "2001:db8:102::/64"},
    },
    "translation": "none",
}
SERVICES = [
    {"name": "names", "protocol": "udp", "port": 53, "source": "overlay"},
    {"name": "console", "protocol": "tcp", "port": 8443, "source": "management"},
    {"name": "boot", "protocol": "udp", "port": 69, "source": "lan"},
    {"name": "web", "protocol": "tcp", "port": 443, "source": "anywhere"},
]


def rendered(**changes: Any) -> str:
    return render(policy_from({**PARAMETERS, **changes}))


def chains(text: str) -> dict[str, list[str]]:
    """Rules by chain."""
    found: dict[str, list[str]] = {}
    rules: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("chain "):
            rules = found.setdefault(line.split()[1], [])
        elif line != "}":
            rules.append(line)
    return found


def rules(chain: str, **changes: Any) -> list[str]:
    return chains(rendered(**changes))[chain]


def test_our_table_is_replaced_and_no_other_is_named() -> None:
    lines = rendered().splitlines()
    assert lines[:4] == [
        "# Managed by Bocage.",
        "table inet bocage",
        "delete table inet bocage",
        "table inet bocage {",
    ]
    assert "flush" not in rendered()
    assert [line for line in lines if "table" in line and "bocage" not in line] == []


def test_a_plain_host_lets_in_the_mesh_and_its_operators() -> None:
    found = chains(rendered())
    assert set(found) == {"input", "overlay", "forward", "site_input", "site_forward"}
    assert found["input"][0] == "type filter hook input priority filter; policy drop;"
    assert found["input"][-7:] == [
        'udp dport { 51820 } accept comment "mesh"',
        'iifname "bocage0" ip saddr { 198.19.1.0/24 } jump overlay',
        'iifname "bocage0" ip6 saddr { fd7b:4c1e:90a2:1::/64, fd7b:4c1e:90a2::/64 } jump overlay',
        'iifname "bocage0" drop',
        "ip daddr { 198.19.1.0/24 } drop",
        "ip6 daddr { fd7b:4c1e:90a2:1::/64, fd7b:4c1e:90a2::/64 } drop",
        'ip saddr { 198.51.100.192/28 } tcp dport 22 accept comment "operators"',
    ]
    assert found["overlay"] == ["icmp type echo-request accept", "icmpv6 type echo-request accept", "drop"]
    assert found["forward"][0] == "type filter hook forward priority filter; policy drop;"
    assert not [rule for rule in found["forward"] if "saddr" in rule]


def test_each_service_is_open_where_it_was_declared() -> None:
    found = chains(rendered(services=SERVICES, **GATEWAY))
    assert 'udp dport 53 accept comment "names"' in found["overlay"]
    assert not [rule for rule in found["input"] if "dport 53 " in rule]
    assert 'ip saddr { 198.51.100.192/28 } tcp dport 8443 accept comment "console"' in found["input"]
    assert not [rule for rule in found["overlay"] if "8443" in rule]
    assert 'iifname "lan0" udp dport 69 accept comment "boot"' in found["input"]
    assert not [rule for rule in found["overlay"] if "69" in rule]
    # anywhere means the overlay, too
    assert 'tcp dport 443 accept comment "web"' in found["input"]
    assert 'tcp dport 443 accept comment "web"' in found["overlay"]
    assert found["overlay"][-1] == "drop"


def test_operators_inside_the_overlay_come_by_the_overlay_alone() -> None:
    found = chains(rendered(management_prefixes=["198.51.100.192/28", "fd7b:4c1e:90a2::a/128"]))
    assert 'ip6 saddr { fd7b:4c1e:90a2::a/128 } tcp dport 22 accept comment "operators"' in found["overlay"]
    assert not [rule for rule in found["input"] if "90a2::a" in rule]
    assert not [rule for rule in found["overlay"] if "198.51.100" in rule]
    everywhere = chains(rendered(management_prefixes=["::/0"]))
    assert all(
        'ip6 saddr { ::/0 } tcp dport 22 accept comment "operators"' in everywhere[one] for one in ("input", "overlay")
    )


def test_a_gateway_forwards_from_its_tenant_into_its_lan_and_nothing_else() -> None:
    forwarded = [rule for rule in rules("forward", **GATEWAY) if "saddr" in rule]
    assert forwarded == [
        'iifname "bocage0" oifname "lan0" ip saddr { 198.19.1.0/24 } ip daddr { 198.18.1.0/24 } '
        'accept comment "into the LAN"',
        'iifname "bocage0" oifname "lan0" ip6 saddr { fd7b:4c1e:90a2:1::/64 } ip6 daddr { 2001:db8:2::/64 } '
        'accept comment "into the LAN"',
    ]
    assert rules("postrouting", **GATEWAY) == [
        "type nat hook postrouting priority srcnat; policy accept;",
        'oifname "lan0" ip saddr { 198.19.1.0/24 } ip daddr { 198.18.1.0/24 } masquerade',
        'oifname "lan0" ip6 saddr { fd7b:4c1e:90a2:1::/64 } ip6 daddr { 2001:db8:2::/64 } masquerade',
    ]


def test_without_translation_there_is_no_nat() -> None:
    assert "postrouting" not in chains(rendered(**{**GATEWAY, "translation": "none", "translation_ipv6": "none"}))


def test_a_family_that_one_side_lacks_is_not_forwarded() -> None:
    exits = {"sources": TENANT, "destinations": ["2001:db8:2::/64"]}
    text = rendered(**{**GATEWAY, "exits": exits})
    assert 'oifname "lan0" ip saddr' not in text
    assert 'oifname "lan0" ip6 saddr' in text


def test_a_hub_forwards_within_a_tenant_and_to_its_destinations() -> None:
    relays = [
        {"name": "acme", "prefixes": TENANT, "destinations": ["2001:db8:2::/64"]},
        {"name": "beta", "prefixes": ["fd7b:4c1e:90a2:3::/64"]},
    ]
    assert [rule for rule in rules("forward", relays=relays) if "saddr" in rule] == [
        'iifname "bocage0" oifname "bocage0" ip saddr { 198.19.1.0/24 } ip daddr { 198.19.1.0/24 } '
        'accept comment "tenant acme"',
        'iifname "bocage0" oifname "bocage0" ip6 saddr { fd7b:4c1e:90a2:1::/64 } '
        'ip6 daddr { 2001:db8:2::/64, fd7b:4c1e:90a2:1::/64 } accept comment "tenant acme"',
        'iifname "bocage0" oifname "bocage0" ip6 saddr { fd7b:4c1e:90a2:3::/64 } '
        'ip6 daddr { fd7b:4c1e:90a2:3::/64 } accept comment "tenant beta"',
    ]


def test_the_text_does_not_depend_on_the_order_of_lists() -> None:
    turned = {
        "services": list(reversed(SERVICES)),
        "overlay_sources": list(reversed(PARAMETERS["overlay_sources"])),
        "exits": {name: list(reversed(value)) for name, value in GATEWAY["exits"].items()},
    }
    assert rendered(services=SERVICES, **GATEWAY) == rendered(**{**GATEWAY, **turned})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"management_prefixes": ["198.51.100.1/28"]},
            "The firewall cannot use a prefix of management_prefixes: 198.51.100.1/28 has host bits set; "
            "correct it in the inventory.",
        ),
        (
            {"overlay_sources": ["lyon"]},
            "The firewall cannot use a prefix of overlay_sources: 'lyon' does not appear to be an IPv4 or IPv6 "
            "network; correct it in the inventory.",
        ),
        (
            {"relays": [{"name": "acme", "prefixes": ["x"]}]},
            "The firewall cannot use a prefix of relays.prefixes: 'x' does not appear",
        ),
        (
            {**GATEWAY, "exits": {"sources": TENANT, "destinations": ["y"]}},
            "The firewall cannot use a prefix of exits.destinations: 'y' does not appear",
        ),
        (
            {"services": [{"name": "web", "protocol": "tcp", "port": 65536, "source": "lan"}]},
            "Service web has port 65536; give it a port between 1 and 65535.",
        ),
        (
            {**GATEWAY, "lan_interface": None},
            "This gateway has no gateway_lan_interface; name the interface that is on the site's LAN.",
        ),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        policy_from({**PARAMETERS, **changes})
    assert str(refused.value).startswith(sentence)


@pytest.fixture(scope="module")
def namespace() -> Iterator[NetworkNamespace]:
    need("nft")
    with NetworkNamespace() as made:
        yield made


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"services": SERVICES},
        {"services": SERVICES, **GATEWAY},
        {**GATEWAY, "translation": "none"},
        {**TRANSLATED, "helpers": ["sip", "h323"]},
        {**TRANSLATED, "translation": "masquerade"},
        {"relays": [{"name": "acme", "prefixes": TENANT, "destinations": ["2001:db8:2::/64"]}]},
        {"management_prefixes": ["::/0", "0.0.0.0/0", "fd7b:4c1e:90a2::a/128", "198.51.100.0/24", "198.51.100.0/28"]},
        {"overlay_sources": []},
    ],
)
def test_nft_takes_it_and_shows_it_again_the_same(
    namespace: NetworkNamespace, changes: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "ruleset.nft"
    path.write_text(rendered(**changes))
    shown = []
    # once without our table, or with that of another case, and once in its own place
    for _unused in range(2):
        namespace.must("nft", "--check", "--file", str(path))
        namespace.must("nft", "--file", str(path))
        shown.append(namespace.must("nft", "--stateless", "list", "table", "inet", "bocage"))
    assert shown[0] == shown[1]
    assert namespace.must("nft", "list", "tables") == "table inet bocage\n"


def test_a_declared_translation_maps_address_by_address_for_the_tenant_alone() -> None:
    assert rules("prerouting", **TRANSLATED) == [
        "type nat hook prerouting priority dstnat; policy accept;",
        'iifname "bocage0" ip saddr { 198.19.1.0/24 } dnat ip prefix to ip daddr map { 198.19.101.0/24 : 198.18.1.0/24 }',
        'iifname "bocage0" ip6 saddr { fd7b:4c1e:90a2:1::/64 } dnat ip6 prefix to ip6 daddr map '
        "{ 2001:db8:102::/64 : 2001:db8:2::/64 }",
    ]
    # what is forwarded has the LAN's own address by then
    assert not [rule for rule in rules("forward", **TRANSLATED) if "198.19.101" in rule]
    assert "prerouting" not in chains(rendered(**GATEWAY))


def test_helpers_follow_what_goes_into_the_lan() -> None:
    text = rendered(**TRANSLATED, helpers=["sip", "h323", "sip"])
    assert text.count('\tct helper sip-udp { type "sip" protocol udp; }') == 1
    assert [rule for rule in chains(text)["forward"] if "ct helper" in rule] == [
        'iifname "bocage0" oifname "lan0" udp dport 1719 ct helper set "h323-udp"',
        'iifname "bocage0" oifname "lan0" tcp dport 1720 ct helper set "h323-tcp"',
        'iifname "bocage0" oifname "lan0" udp dport 5060 ct helper set "sip-udp"',
        'iifname "bocage0" oifname "lan0" tcp dport 5060 ct helper set "sip-tcp"',
    ]
    assert "ct helper" not in rendered(**TRANSLATED)


@pytest.mark.parametrize(
    ("translation", "sentence"),
    [
        (
            {"198.18.1.0/24": "198.19.101.0/25"},
            "The firewall cannot translate 198.18.1.0/24 to 198.19.101.0/25: one to one needs the same family and length.",
        ),
        (
            {"198.18.1.0/24": "somewhere"},
            "The firewall cannot use a prefix of exits.lan_translation: 'somewhere' does not appear to be an IPv4 or "
            "IPv6 network; correct it in the inventory.",
        ),
    ],
)
def test_a_translation_that_is_none_is_refused(translation: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        rendered(**{**TRANSLATED, "exits": {**TRANSLATED["exits"], "lan_translation": translation}})
    assert str(refused.value) == sentence
