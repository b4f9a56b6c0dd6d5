# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges that overlap, and translations that separate them: each mistake has its own sentence, and no other."""

from __future__ import annotations

import time
from typing import Any

import pytest
from bocage_core._common.estate import Estate
from bocage_core._common.estate_wide import check_estate_wide

LYON, OSLO = "estate_sites.lyon", "estate_sites.oslo"
SAME = ["2001:db8:2::/64"]
LYON_V6 = {"2001:db8:2::/64": "2001:db8:102::/64"}

MISTAKES: list[tuple[dict[str, Any], str]] = [
    (
        {f"{OSLO}.lan_prefixes": SAME},
        "The LAN prefix 2001:db8:2::/64 of site oslo (tenant beta) overlaps the LAN prefix 2001:db8:2::/64 of site "
        "lyon (tenant acme); renumber one of the two LANs, or give one of the sites a lan_translation.",
    ),
    (
        {f"{LYON}.lan_translation": ["198.18.1.0/24"]},
        "Site lyon: lan_translation must be a mapping, not ['198.18.1.0/24'].",
    ),
    (
        {f"{LYON}.lan_translation": {"198.18.1.0": "198.19.101.0/24"}},
        "Site lyon: lan_translation has 198.18.1.0/32, which is none of its lan_prefixes (198.18.1.0/24 and "
        "2001:db8:2::/64).",
    ),
    (
        {f"{LYON}.lan_translation": {"198.18.1.0/24": "198.19.101.1/24"}},
        "Site lyon: lan_translation: '198.19.101.1/24' has bits set behind its prefix length; write 198.19.101.0/24.",
    ),
    (
        {f"{LYON}.lan_translation": {"somewhere": "198.19.101.0/24"}},
        "Site lyon: lan_translation: 'somewhere' is not an address prefix such as 198.18.1.0/24 or 2001:db8:2::/64.",
    ),
    (
        {f"{LYON}.lan_translation": {"198.18.1.0/24": "198.19.101.0/25"}},
        "Site lyon: lan_translation of 198.18.1.0/24 is 198.19.101.0/25; one to one needs the same family and length.",
    ),
    (
        {f"{LYON}.lan_translation": {"198.18.1.0/24": "198.19.2.0/24"}},
        "The overlay_ipv4_prefix 198.19.2.0/24 of site remote (tenant acme) overlaps the translated LAN prefix "
        "198.19.2.0/24 of site lyon (tenant acme); all prefixes of an estate must be disjoint.",
    ),
    (
        {
            f"{OSLO}.lan_prefixes": SAME,
            f"{OSLO}.lan_translation": {SAME[0]: "2001:db8:102::/64"},
            f"{LYON}.lan_translation": LYON_V6,
        },
        "The translated LAN prefix 2001:db8:102::/64 of site oslo (tenant beta) overlaps the translated LAN prefix "
        "2001:db8:102::/64 of site lyon (tenant acme); all prefixes of an estate must be disjoint.",
    ),
    (
        # two LANs of one tenant: the gateway of the translated one reaches both
        {f"{OSLO}.tenant": "acme", f"{OSLO}.lan_prefixes": SAME, f"{LYON}.lan_translation": LYON_V6},
        "The LAN prefix 2001:db8:2::/64 of site lyon (tenant acme) is translated, yet overlaps the LAN prefix "
        "2001:db8:2::/64 of site oslo (tenant acme), which its gateways reach; translate that one, too.",
    ),
    (
        {f"{LYON}.overlay_ipv4_prefix": "198.18.1.0/24", f"{LYON}.lan_translation": {"198.18.1.0/24": "198.19.9.0/24"}},
        "The LAN prefix 198.18.1.0/24 of site lyon (tenant acme) is translated, yet overlaps the overlay_ipv4_prefix "
        "198.18.1.0/24 of site lyon (tenant acme), which its gateways reach; renumber one of them.",
    ),
    (
        {
            f"{OSLO}.lan_prefixes": ["2001:db8:2::/64", "2001:db8:2::/64"],
            f"{OSLO}.lan_translation": {SAME[0]: "2001:db8:103::/64"},
            f"{LYON}.lan_translation": LYON_V6,
        },
        "The LAN prefix 2001:db8:2::/64 of site oslo (tenant beta) overlaps the LAN prefix 2001:db8:2::/64 of site "
        "oslo (tenant beta); all prefixes of an estate must be disjoint.",
    ),
]


def of_ranges(inventory: Any) -> list[str]:
    """The findings without those about hosts of a LAN that a test has moved."""
    return [text for text in inventory.texts() if "overlaps" in text or "lan_translation" in text]


@pytest.mark.parametrize(("changes", "text"), MISTAKES, ids=[str(number) for number in range(len(MISTAKES))])
def test_a_mistake_is_said(inventory: Any, changes: dict[str, Any], text: str) -> None:
    for key, value in changes.items():
        *parents, last = key.split(".")
        target: Any = inventory.estate
        for parent in parents:
            target = target[parent]
        target[last] = value
    assert of_ranges(inventory)[0] == text
    # a prefix that is written twice and translated is told for each of its two meanings
    assert len(of_ranges(inventory)) == (2 if "of site oslo (tenant beta); all" in text else 1)


@pytest.mark.parametrize("tenant", ["acme", "beta"])
@pytest.mark.parametrize("both", [True, False])
def test_a_translation_separates_what_overlaps(inventory: Any, tenant: str, both: bool) -> None:
    inventory.estate["estate_sites"]["oslo"].update(tenant=tenant, lan_prefixes=SAME)
    inventory.estate["estate_sites"]["lyon"]["lan_translation"] = LYON_V6
    if both:
        inventory.estate["estate_sites"]["oslo"]["lan_translation"] = {SAME[0]: "2001:db8:103::/64"}
    # within a tenant both sides have to be told apart, since a gateway of the one reaches the other
    assert bool(of_ranges(inventory)) == (tenant == "acme" and not both)


def test_many_sites_with_one_range_are_checked_in_no_time() -> None:
    sites = {
        f"shop{number}": {
            "index": number,
            "tenant": "acme",
            "lan_prefixes": ["192.168.0.0/24"],
            "lan_translation": {"192.168.0.0/24": f"10.{number // 256}.{number % 256}.0/24"},
        }
        for number in range(1, 5001)
    }
    estate = {
        "estate_name": "demo",
        "estate_domain": "demo.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_tenants": {"acme": {}},
        "estate_sites": sites,
    }
    began = time.monotonic()
    _wide, findings = check_estate_wide(estate)
    assert findings == []
    # each against each would be 25 million comparisons
    assert time.monotonic() - began < 10


def test_the_overlay_sees_the_translated_prefix_and_addresses() -> None:
    estate = Estate.from_vars(
        {
            "estate_name": "demo",
            "estate_domain": "demo.internal",
            "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
            "estate_sites": {
                "lyon": {
                    "index": 1,
                    "tenant": "acme",
                    "lan_prefixes": ["198.18.1.0/24", "2001:db8:2::/64", "2001:db8:4::/64"],
                    "lan_translation": {"198.18.1.0/24": "198.19.101.0/24", "2001:db8:2::/64": "2001:db8:102::/64"},
                }
            },
        },
        {},
    )
    lyon = estate.sites["lyon"]
    assert lyon.reached_prefixes == ("198.19.101.0/24", "2001:db8:102::/64", "2001:db8:4::/64")
    assert [lyon.reached_address(one) for one in ("198.18.1.20", "2001:db8:2::20", "2001:db8:4::20")] == [
        "198.19.101.20",
        "2001:db8:102::20",
        "2001:db8:4::20",
    ]
