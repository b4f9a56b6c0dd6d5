# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of a drain: refusals before anything changes, the wait, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.action.gateway_drain import MODULE, STATUS, ActionModule

HEALTHY = {"healthy": True, "drained": False, "wan": True, "targets": {"198.18.1.20": True}}
DRAINED_HEALTH = {**HEALTHY, "drained": True}


def status(drained: bool = False, health: dict[str, Any] | None = HEALTHY, **more: Any) -> dict[str, Any]:
    serves = not drained and health is not None and health["healthy"]
    return {"changed": False, "drained": drained, "health": health, "serves": serves, "excuse": "", **more}


def other(name: str = "gw2", **changes: Any) -> dict[str, Any]:
    return {"item": name, **status(**changes)}


class Clock:
    """Goes on by a second with each look at what passes."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def drain(make_action: Any, make_remote: Any) -> Any:
    """``drain(answers, **arguments)`` runs the action on gw1 and gives result, questions and what was said."""

    def run(
        *answers: Any,
        connections: int = 0,
        check: bool = False,
        resources: Any = None,
        sites: tuple[str, ...] = ("lyon", "lyon", "oslo"),
        **arguments: Any,
    ) -> Any:
        clock = Clock()
        remote = make_remote(*answers)
        execute = remote.execute

        def timed(name: str, module_args: dict[str, Any], **more: Any) -> dict[str, Any]:
            clock.now += float(module_args.get("watch_seconds", 0))
            return execute(name, module_args, **more)

        remote.execute = timed
        action = make_action(ActionModule, remote, check=check, **arguments)
        action.clock, action.sleep = clock, clock.sleep
        hostvars: dict[str, dict[str, Any]] = {
            f"gw{number}": {"host_site": site, "gateway_resources": resources}
            for number, site in enumerate(sites, start=1)
        }
        for values in hostvars.values():
            values["estate_sites"] = {"lyon": {"index": 1, "connections": connections}, "oslo": {"index": 2}}
        task_vars = {"inventory_hostname": "gw1", "hostvars": hostvars, "groups": {"gateways": list(hostvars)}}
        if arguments.get("host"):
            task_vars["inventory_hostname"] = arguments.pop("host")
        result = action.run(task_vars=task_vars)
        said = [call.args[0] for call in action._display.display.call_args_list]
        return result, remote.asked, said

    return run


QUIET = status(drained=True, health=DRAINED_HEALTH, packets=0, flows=0)
BUSY = status(drained=True, health=DRAINED_HEALTH, packets=900, flows=7)


def test_a_gateway_is_drained_and_waited_for(drain: Any) -> None:
    result, asked, said = drain(
        status(), {"changed": True}, status(True), status(True, DRAINED_HEALTH), BUSY, BUSY, QUIET, QUIET, QUIET,
        others=[other()], reason="New memory",
    )  # fmt: skip
    assert not result.get("failed"), result
    assert (result["changed"], result["quiet"], result["flows"]) == (True, True, 0)
    assert [one["module"] for one in asked[:3]] == [STATUS, MODULE, STATUS]
    assert asked[1]["reason"] == "New memory"
    assert said == ["gw1: 7 flows still pass; waited 1 s of at most 120", "gw1: nothing passes any more, after 5 s"]
    assert "warnings" not in result


def test_one_that_is_drained_already_is_only_waited_for(drain: Any) -> None:
    # nobody need serve in its place now: it does not serve either
    result, asked, _said = drain(status(True), {"changed": False}, QUIET, QUIET, QUIET, QUIET, others=[])
    assert (result["changed"], result["quiet"]) == (False, True)
    assert len(asked) == 6


def test_a_few_flows_may_be_few_enough(drain: Any) -> None:
    result, _asked, said = drain(
        status(True), {"changed": False}, BUSY, BUSY, BUSY, BUSY, others=[], threshold_flows="7"
    )
    assert (result["quiet"], result["flows"]) == (True, 7)
    assert said == ["gw1: quiet, with 7 flows, after 3 s"]


@pytest.mark.parametrize("after", ["continue", "fail"])
def test_the_deadline(drain: Any, after: str) -> None:
    result, _asked, _said = drain(
        status(True), {"changed": False}, BUSY, BUSY, BUSY, BUSY, others=[], deadline_seconds=3, after_deadline=after
    )
    if after == "fail":
        assert result["failed"]
        assert result["msg"] == (
            "Gateway gw1 is drained, but 7 flows still pass through it after 3 seconds; undrain it, or drain it again "
            "with a longer deadline_seconds."
        )
    else:
        assert (result.get("failed"), result["quiet"]) == (None, False)
        assert result["warnings"] == [
            "Gateway gw1 is drained, but 7 flows still pass through it after 3 seconds; they are cut by whatever is "
            "done to it now."
        ]


REFUSALS: list[tuple[list[dict[str, Any]], str]] = [
    (
        [],
        "Gateway gw1 cannot be drained: it is the last of site lyon that serves, as gw2 does not answer; bring that one "
        "back first.",
    ),
    (
        [{"item": "gw2", "unreachable": True}],
        "Gateway gw1 cannot be drained: it is the last of site lyon that serves, as gw2 does not answer; bring that one "
        "back first.",
    ),
    (
        [other(drained=True)],
        "Gateway gw1 cannot be drained: it is the last of site lyon that serves, as gw2 is drained; bring that one back "
        "first.",
    ),
    (
        [other(health=None)],
        "Gateway gw1 cannot be drained: it is the last of site lyon that serves, as gw2 does not say how it is; bring "
        "that one back first.",
    ),
    (
        [other(health={**HEALTHY, "healthy": False, "targets": {"198.18.1.20": False}})],
        "Gateway gw1 cannot be drained: it is the last of site lyon that serves, as gw2 gets no answer from 198.18.1.20 "
        "on its LAN; bring that one back first.",
    ),
]


@pytest.mark.parametrize(("others", "sentence"), REFUSALS, ids=[one[1][85:120] for one in REFUSALS])
@pytest.mark.parametrize("check", [False, True])
def test_the_last_one_is_never_drained(drain: Any, others: Any, sentence: str, check: bool) -> None:
    result, asked, _said = drain(status(), others=others, check=check)
    assert (result["failed"], result["msg"]) == (True, sentence)
    assert [one["module"] for one in asked] == [STATUS], "nothing was changed"


THREE = ("lyon", "lyon", "lyon")


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("third", "excuse"),
    [
        (other("gw3", drained=True), "is drained"),
        (other("gw3", health={**HEALTHY, "healthy": False, "targets": {}}), "is not healthy"),
        ({"item": "gw3", "unreachable": True}, "does not answer"),
    ],
)
def test_of_three_one_may_be_away_at_a_time(drain: Any, third: dict[str, Any], excuse: str, check: bool) -> None:
    result, asked, _said = drain(status(), others=[other(), third], sites=THREE, check=check)
    assert (result["failed"], result["msg"]) == (
        True,
        f"Gateway gw1 cannot be drained: gw3 {excuse}, and one gateway of site lyon may be away at a time; bring that one "
        "back first, or allow fewer with -e drain_allow_fewer=true.",
    )
    assert [one["module"] for one in asked] == [STATUS], "nothing was changed"


def test_of_three_that_serve_one_may_go(drain: Any) -> None:
    result, _asked, _said = drain(status(), {"changed": True}, others=[other(), other("gw3")], sites=THREE, check=True)
    assert result["changed"] and not result.get("failed")


@pytest.mark.parametrize("word", [True, "true", "yes"])
def test_fewer_may_serve_where_the_operator_says_so(drain: Any, word: Any) -> None:
    away = [other(), other("gw3", drained=True)]
    result, _asked, _said = drain(status(), {"changed": True}, others=away, sites=THREE, allow_fewer=word, check=True)
    assert result["changed"] and not result.get("failed")


def test_no_word_of_the_operator_lets_the_last_one_go_or_the_rest_carry_too_much(drain: Any) -> None:
    away = [other(drained=True), other("gw3", drained=True)]
    result, _asked, _said = drain(status(), others=away, sites=THREE, allow_fewer=True)
    assert result["msg"] == (
        "Gateway gw1 cannot be drained: it is the last of site lyon that serves, as gw2 is drained and gw3 is drained; "
        "bring one of those back first."
    )
    result, _asked, _said = drain(
        status(), others=[other(), away[1]], sites=THREE, allow_fewer=True, connections=301, resources={"cpu_count": 3}
    )
    assert result["msg"] == (
        "Gateway gw1 cannot be drained: site lyon cannot do without gw1 and gw3: gw2 would carry all 301 connections, for "
        "which it needs 4 vCPU and has 3."
    )


@pytest.mark.parametrize("word", [False, "false", "perhaps", None])
def test_other_words_allow_nothing(drain: Any, word: Any) -> None:
    away = [other(), other("gw3", drained=True)]
    result, _asked, _said = drain(status(), others=away, sites=THREE, allow_fewer=word)
    assert "may be away at a time" in result["msg"]


def test_of_four_two_that_are_away_are_both_named(drain: Any) -> None:
    away = [other("gw2", drained=True), other("gw3", health=None), other("gw4")]
    result, _asked, _said = drain(status(), others=away, sites=("lyon",) * 4)
    assert result["msg"] == (
        "Gateway gw1 cannot be drained: gw2 is drained and gw3 does not say how it is, and one gateway of site lyon may be "
        "away at a time; bring those back first, or allow fewer with -e drain_allow_fewer=true."
    )


def test_the_rest_must_carry_the_site(drain: Any) -> None:
    result, asked, _said = drain(status(), others=[other()], connections=301, resources={"cpu_count": 3})
    assert result["msg"] == (
        "Gateway gw1 cannot be drained: site lyon cannot do without gw1: gw2 would carry all 301 connections, for which "
        "it needs 4 vCPU and has 3."
    )
    assert len(asked) == 1
    fine, _asked, _said = drain(
        status(), {"changed": True}, others=[other()], connections=300, resources={"cpu_count": 3}, check=True
    )
    assert fine["changed"] and not fine.get("failed")


def test_the_one_gateway_of_a_site(drain: Any) -> None:
    result, _asked, _said = drain(status(), host="gw3", others=[])
    assert result["msg"] == "Gateway gw3 cannot be drained: site oslo has no other gateway; add one first."


def test_a_host_that_is_no_gateway(drain: Any) -> None:
    result, _asked, _said = drain(status(), host="desk1", others=[])
    assert result["msg"] == "Host desk1 is no gateway of a site in estate_sites, so there is nothing to drain."


@pytest.mark.parametrize(("health", "words"), [(None, "does not run there"), (HEALTHY, "does not see the drain there")])
def test_a_drain_that_nobody_takes_up_is_taken_back(drain: Any, health: Any, words: str) -> None:
    looks = [status(True, health)] * 6
    result, asked, _said = drain(
        status(), {"changed": True}, *looks, {"changed": True}, others=[other()], acknowledge_seconds=1
    )
    assert result["msg"] == (
        f"Gateway gw1 was not withdrawn within 1 seconds: bocage-gateway-health {words}, and the drain was taken back; "
        "run playbooks/gateways.yml for it first."
    )
    assert (asked[-1]["module"], asked[-1]["state"]) == (MODULE, "serving")


def test_a_gateway_serves_again(drain: Any) -> None:
    result, asked, said = drain(
        status(True, DRAINED_HEALTH), {"changed": True}, status(health=DRAINED_HEALTH), status(), state="serving"
    )
    assert (result["changed"], result.get("failed")) == (True, None)
    assert [one["module"] for one in asked] == [STATUS, MODULE, STATUS, STATUS]
    assert said == ["gw1: serves again, after 0 s"]


def test_a_gateway_that_does_not_come_back(drain: Any) -> None:
    sick = {**HEALTHY, "healthy": False, "targets": {"198.18.1.20": False}}
    looks = [{**status(health=sick), "excuse": "gets no answer from 198.18.1.20 on its LAN"}] * 3
    result, _asked, _said = drain(status(True), {"changed": True}, *looks, state="serving", deadline_seconds=1)
    assert result["msg"] == (
        "Gateway gw1 may serve again but gets no answer from 198.18.1.20 on its LAN after 1 seconds; the other gateways "
        "go on carrying the site."
    )


def test_a_gateway_that_says_nothing(drain: Any) -> None:
    result, _asked, _said = drain({"failed": True, "msg": "The file x cannot be read: denied."})
    assert result["msg"] == "Gateway gw1 does not say how it is: The file x cannot be read: denied."
