# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill on paper: who probes what, what the probes say, and the verdict."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import several_gateways
import two_tenants
from bocage_core._common.errors import BadInput
from bocage_core._common.exits import Exits
from bocage_core._gateway.drill import CAUSES, gaps, judge, percentile, plan_drill


def plan(site: str = "lyon", prober: str = "", causes: Any = CAUSES, takeovers: int = 9, **changes: Any) -> Any:
    return plan_drill(several_gateways.estate(**changes), site, causes, takeovers, prober)


def test_the_gateway_that_the_prober_uses_fails() -> None:
    found = plan(prober="tele1", gateways=3)
    demo = several_gateways.estate(gateways=3)
    ranked = [one.name for one in Exits(demo).ranked(demo.hosts["tele1"])["lyon"]]
    assert (found["prober"], [found["gateway"], *found["others"]]) == ("tele1", ranked)
    assert found["targets"] == ["198.18.1.20", "198.18.1.21", "2001:db8:2::20"]


def test_all_causes_take_turns() -> None:
    assert plan()["faults"] == list(CAUSES)
    assert plan(causes=["wan", "lan"], takeovers=5)["faults"] == ["wan", "lan", "wan", "lan", "wan"]


def test_without_a_name_the_first_one_that_could_notice_probes() -> None:
    assert plan()["prober"] == "north1"


def test_a_translated_lan_is_probed_by_what_the_overlay_knows() -> None:
    found = plan_drill(two_tenants.estate(gateways=2), "lyon", CAUSES, 1, "tele-lyon")
    assert found["targets"] == ["198.19.101.30", "2001:db8:101::30"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"site": "lyn"},
            "There is no site 'lyn' to drill; name one of alone, core, lyon, oslo, remote.",
        ),
        (
            {"causes": ["wan", "flood", "fire"]},
            "A drill knows no cause 'fire, flood'; choose of wireguard, routing, host, lan, wan, lan_in, lan_out, "
            "wan_in, wan_out.",
        ),
        (
            {"causes": []},
            "A drill needs a cause; choose of wireguard, routing, host, lan, wan, lan_in, lan_out, wan_in, wan_out.",
        ),
        (
            {"site": "alone"},
            "Nobody enters the LAN of site alone by several gateways, so there is nothing to take over; a drill needs "
            "two gateways and a host of the same tenant at another site.",
        ),
        (
            {"prober": "desk1"},
            "Host desk1 does not enter the LAN of site lyon by several gateways; probe from north1, north2, tele1.",
        ),
        (
            {"site": "oslo"},
            "Site oslo names nobody on its LAN who could answer; give it health_targets or names in estate_sites.",
        ),
    ],
)
def test_what_cannot_be_drilled_is_told(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        plan(**given)
    assert str(refused.value) == sentence


def test_without_a_name_the_one_site_with_several_gateways_is_drilled() -> None:
    # oslo has several as well, unless one of them is not enrolled
    estate = several_gateways.estate()
    lone = dataclasses.replace(estate.hosts["north2"], public_key=None)
    one = dataclasses.replace(estate, hosts={**estate.hosts, "north2": lone})
    assert plan_drill(one, "", CAUSES, 1)["site"] == "lyon"


def test_sites_to_choose_from_are_named() -> None:
    with pytest.raises(BadInput) as refused:
        plan(site="")
    assert (
        str(refused.value)
        == "Sites lyon and oslo have several gateways each; name the one to drill: -e drill_site=<site>."
    )


def test_an_estate_without_a_spare_gateway() -> None:
    estate = several_gateways.estate()
    none = {name: dataclasses.replace(one, public_key=None) for name, one in estate.hosts.items()}
    with pytest.raises(BadInput) as refused:
        plan_drill(dataclasses.replace(estate, hosts=none), "", CAUSES, 1)
    assert str(refused.value) == (
        "No site has several enrolled gateways, so there is nothing to take over; a drill needs two at one site."
    )


def answers(text: str, interval: float = 0.01) -> list[tuple[float, bool]]:
    """A probe for each letter: a dot was answered."""
    return [(round(number * interval, 6), letter == ".") for number, letter in enumerate(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("....", []),
        # from the last answered one before to the first one after
        ("..xx..", [(0.01, 0.03, 2)]),
        (".x.x.", [(0.0, 0.02, 1), (0.02, 0.02, 1)]),
        ("xx..x.", [(0.03, 0.02, 1)]),
        # nothing came back any more
        ("..xxx", [(0.01, 0.03, 3)]),
        # nothing ever did
        ("xxx", [(0.0, 0.02, 3)]),
    ],
)
def test_gaps(text: str, expected: list[tuple[float, float, int]]) -> None:
    found = gaps(answers(text), 0.02)
    assert [(begin, round(lasted, 6), lost) for begin, lasted, lost in found] == expected


def test_gaps_that_are_shorter_than_the_least_are_none() -> None:
    assert gaps(answers(".x."), 0.03) == []


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.99, 4), (0.25, 1), (1, 4), (0, 1)])
def test_percentiles_by_nearest_rank(share: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], share) == value
    assert percentile([], share) == 0


FAULTS = [
    {"cause": "wan", "gateway": "gw1", "started_at": 100.0, "ended_at": 103.0},
    {"cause": "lan", "gateway": "gw1", "started_at": 110.0, "ended_at": 113.0},
]
HELD = {"name": "http://198.18.1.20/large", "survived": True}


def test_the_longest_gap_of_any_target_is_the_takeover() -> None:
    probes = {
        "a": [(100.1, 0.2, 19), (100.9, 0.3, 29), (110.01, 0.25, 24)],
        "b": [(100.1, 0.35, 34), (104.0, 0.05, 4), (104.5, 0.04, 3)],
    }
    found = judge(FAULTS, probes, [HELD], 1.0)
    assert [one["seconds"] for one in found["takeovers"]] == [0.35, 0.25]
    assert found["takeovers"][0]["by_target"] == {"a": 0.3, "b": 0.35}
    assert (found["p50_seconds"], found["p99_seconds"], found["max_seconds"]) == (0.25, 0.35, 0.35)
    # what began after the fault and before the next one is the way back
    assert (found["failback_lost_probes"], found["failback_longest_seconds"]) == (7, 0.05)
    assert (found["passed"], found["problems"]) == (True, [])


def test_a_gap_that_began_just_before_belongs_to_the_fault() -> None:
    """Clocks of two hosts differ a little, and the last answered probe was sent before."""
    found = judge(FAULTS, {"a": [(99.5, 0.4, 39), (109.2, 0.3, 29)]}, [], 1.0)
    assert [one["seconds"] for one in found["takeovers"]] == [0.4, 0.3]
    assert found["failback_lost_probes"] == 0


def test_what_happens_after_the_last_fault_is_its_way_back() -> None:
    found = judge(FAULTS, {"a": [(100.1, 0.2, 19), (110.1, 0.2, 19), (500.0, 0.4, 39)]}, [], 1.0)
    assert (found["failback_lost_probes"], found["passed"]) == (39, True)


NOTICED = [(100.1, 0.2, 19), (110.1, 0.2, 19)]


def test_a_slow_takeover_and_a_broken_download_fail_the_drill() -> None:
    broken = {"name": "http://198.18.1.20/large", "survived": False}
    found = judge(FAULTS, {"a": [NOTICED[0], (110.5, 1.0, 99)]}, [broken], 1.0)
    assert not found["passed"]
    assert found["problems"] == [
        "The takeover after lan took 1.0 s, and 1.0 are allowed.",
        "The download http://198.18.1.20/large broke.",
    ]


def test_going_back_may_cost_no_more_than_a_takeover() -> None:
    found = judge(FAULTS, {"a": [*NOTICED, (114.0, 1.25, 120)]}, [], 1.0)
    assert (found["passed"], found["failback_longest_seconds"]) == (False, 1.25)
    assert found["problems"] == ["Going back to the gateway took 1.25 s, and 1.0 are allowed."]


def test_a_target_that_never_answered_proves_nothing() -> None:
    probes = {"a": gaps([(90 + number / 10, False) for number in range(300)], 0.02), "b": []}
    found = judge(FAULTS, probes, [], 1.0)
    assert not found["passed"]
    assert found["problems"] == ["a did not answer before a gateway failed, so nothing was measured."]


def test_faults_that_nobody_noticed_prove_nothing() -> None:
    """As where the prober goes by another gateway than the one that is taken away."""
    found = judge(FAULTS, {"a": [], "b": []}, [], 1.0)
    assert (found["passed"], found["unnoticed"], found["max_seconds"]) == (False, ["wan", "lan"], 0.0)
    assert found["problems"] == [
        "No probe was lost when gateway gw1 failed by wan, lan, so the probes did not go by it and nothing was measured."
    ]


def test_one_cause_that_was_never_noticed_fails_the_drill_too() -> None:
    found = judge(FAULTS, {"a": NOTICED[:1]}, [], 1.0)
    assert found["problems"] == [
        "No probe was lost when gateway gw1 failed by lan, so the probes did not go by it and nothing was measured."
    ]


def test_routing_may_go_unnoticed_and_makes_no_takeover_look_faster() -> None:
    """What the kernel has it forwards while FRR comes back."""
    silent = [
        {"cause": "routing", "gateway": "gw1", "started_at": 120.0 + number, "ended_at": 120.5 + number}
        for number in range(0, 30, 10)
    ]
    found = judge([*FAULTS, *silent], {"a": NOTICED}, [], 1.0)
    assert (found["passed"], found["unnoticed"]) == (True, ["routing"])
    assert (found["p50_seconds"], found["p99_seconds"], len(found["takeovers"])) == (0.2, 0.2, 5)
    assert judge(silent, {"a": []}, [], 1.0)["passed"]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            {"item": "host", "msg": "The fault host could not be made or put back: the gateway does not do well"},
            "The fault host of gateway gw1 could not be made or put back: the gateway does not do well.",
        ),
        ({"cause": "lan"}, "The fault lan of gateway gw1 could not be made or put back: it gave no reason."),
        (
            {"item": "host", "unreachable": True, "msg": "Failed to connect to the host via ssh: timed out."},
            "Gateway gw1 was out of Ansible's reach at the fault host, so its time is not known: Failed to connect to "
            "the host via ssh: timed out; name the interface by which Ansible comes in drill_spare_interfaces.",
        ),
    ],
)
def test_a_fault_that_was_not_made_fails_the_drill_and_the_others_count(fault: dict[str, Any], sentence: str) -> None:
    found = judge([*FAULTS, {"gateway": "gw1", **fault}], {"a": NOTICED}, [], 1.0)
    assert (found["passed"], found["problems"], len(found["takeovers"])) == (False, [sentence], 2)


def test_no_probe_at_all_is_no_success() -> None:
    found = judge(FAULTS, {}, [], 1.0)
    assert (found["passed"], found["problems"]) == (False, ["Nobody was probed, so nothing was measured."])


def test_no_takeover_is_no_success() -> None:
    found = judge([], {"a": []}, [], 1.0)
    assert (found["passed"], found["max_seconds"], found["problems"]) == (False, 0.0, ["Nothing was taken over."])
