# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.bocage.fleet.plugins.filter.state_proofs import FilterModule

state_proofs = FilterModule().filters()["state_proofs"]


def test_a_fresh_host_passes() -> None:
    (result,) = state_proofs(["gw1"], {"state_fresh": ["gw1", "gw2"], "gateways": ["gw1"], "state_stale": []})
    assert (result["proof"], result["target"], result["passed"]) == ("state", "gw1", True)


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ({"state_stale": ["gw1"]}, "it is in state_stale"),
        ({"state_untrusted": ["gw1"], "state_fresh": ["gw1"]}, "it is in state_fresh, state_untrusted"),
        ({"gateways": ["gw1"]}, "the inventory has no state of it"),
    ],
)
def test_any_other_host_fails_with_the_reason(groups: dict[str, list[str]], reason: str) -> None:
    (result,) = state_proofs(["gw1"], groups)
    assert not result["passed"]
    assert result["reason"] == reason


def test_one_result_a_host_in_order() -> None:
    assert [one["target"] for one in state_proofs(["b", "a"], {})] == ["b", "a"]
