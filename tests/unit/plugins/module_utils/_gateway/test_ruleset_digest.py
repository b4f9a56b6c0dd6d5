# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._gateway.ruleset_digest import ruleset_digest

# As nft 1.0.6 prints it, with a set that packets fill (size) and one that only the operator fills.
RULES: list[dict[str, Any]] = [
    {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
    {"table": {"family": "inet", "name": "bocage", "handle": 1}},
    {"counter": {"family": "inet", "name": "total", "table": "bocage", "handle": 2, "packets": 5, "bytes": 6}},
    {"set": {"family": "inet", "name": "seen", "table": "bocage", "handle": 3, "size": 100, "elem": ["192.0.2.1"]}},
    {"set": {"family": "inet", "name": "known", "table": "bocage", "handle": 4, "elem": ["192.0.2.4"]}},
    {
        "rule": {
            "family": "inet",
            "table": "bocage",
            "chain": "forward",
            "handle": 5,
            "expr": [
                {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "bocage0"}},
                {"counter": {"packets": 0, "bytes": 0}},
                {"accept": None},
            ],
        }
    },
    {"rule": {"family": "inet", "table": "bocage", "chain": "forward", "handle": 6, "expr": [{"counter": "total"}]}},
]


def digest(rules: list[dict[str, Any]]) -> str:
    return ruleset_digest(json.dumps({"nftables": rules}))


def test_what_changes_by_itself_does_not_change_the_digest() -> None:
    later = copy.deepcopy(RULES)
    later[0]["metainfo"]["version"] = "1.1.0"
    later[2]["counter"].update(packets=70, bytes=80)
    later[3]["set"]["elem"] = ["192.0.2.9"]
    later[5]["rule"]["expr"][1]["counter"].update(packets=7)
    for entry in later[1:]:
        next(iter(entry.values()))["handle"] += 10
    assert digest(later) == digest(RULES)


@pytest.mark.parametrize("number", range(1, len(RULES)))
def test_each_missing_entry_changes_the_digest(number: int) -> None:
    assert digest(RULES[:number] + RULES[number + 1 :]) != digest(RULES)


def test_changed_rules_and_sets_change_the_digest() -> None:
    drop = copy.deepcopy(RULES)
    drop[5]["rule"]["expr"][2] = {"drop": None}
    element = copy.deepcopy(RULES)
    element[4]["set"]["elem"] = ["192.0.2.5"]
    counter = copy.deepcopy(RULES)
    counter[6]["rule"]["expr"][0]["counter"] = "other"
    assert len({digest(rules) for rules in (RULES, drop, element, counter)}) == 4


@pytest.mark.parametrize("listing", ["", "[]", "{}", '{"nftables": 1}', '{"nftables": [1]}'])
def test_what_is_no_listing_is_said(listing: str) -> None:
    with pytest.raises(BocageError, match="listing of nft cannot be read"):
        ruleset_digest(listing)
