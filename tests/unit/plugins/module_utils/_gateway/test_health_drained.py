# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway that is drained and well holds its floating addresses until another one has taken them."""

from __future__ import annotations

import pytest
from bocage_core._gateway.health import Seen, Sibling, State, judge
from bocage_core._gateway.routing import DRAINED

WELL = Sibling(heard_at=100, healthy=True, drained=False, hosts=3)


@pytest.mark.parametrize("siblings", [{"gw2": WELL}, {}])
def test_a_drained_gateway_that_is_well_only_lowers_its_priority(siblings: dict[str, Sibling]) -> None:
    seen = Seen(now=100, answered_at={"198.18.1.20": 100}, hosts=3, siblings=siblings, drained=True)
    verdict = judge(seen, State(good_since=1, healthy=True), 0.3, 2)
    assert (verdict.release, verdict.doubt, verdict.metric) == (False, True, DRAINED)


def test_one_that_is_not_well_lets_go_at_once() -> None:
    seen = Seen(now=100, answered_at={"198.18.1.20": 1}, hosts=3, siblings={"gw2": WELL}, drained=True)
    verdict = judge(seen, State(good_since=1, healthy=True), 0.3, 2)
    assert (verdict.release, verdict.doubt) == (True, False)
