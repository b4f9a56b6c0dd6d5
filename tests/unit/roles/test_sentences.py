# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles refuse before they change anything, and what they take."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spoken import refusal

LAN = ["198.18.1.0/24", "2001:db8:2::/64"]


def on_lan(addresses: list[str], status: int = 0) -> str | None:
    """What the role gateway says to the addresses of its interface."""
    shown = json.dumps([{"ifname": "lan0", "addr_info": [{"local": one} for one in addresses]}])
    return refusal(
        "roles/gateway/tasks/main.yml",
        "Check that the gateway is on the LAN of its site",
        inventory_hostname="gw1",
        gateway_lan_interface="lan0",
        gateway_lan_prefixes=LAN,
        __gateway_lan={"rc": status, "stdout": "" if status else shown},
    )


@pytest.mark.parametrize("addresses", [["198.18.1.21"], ["fe80::1", "2001:db8:2::21"], ["198.18.3.21", "198.18.1.21"]])
def test_a_gateway_on_the_lan_of_its_site(addresses: list[str]) -> None:
    assert on_lan(addresses) is None


@pytest.mark.parametrize("given", [{"addresses": []}, {"addresses": ["198.18.3.21"]}, {"addresses": [], "status": 1}])
def test_a_gateway_elsewhere(given: dict[str, Any]) -> None:
    assert on_lan(**given) == (
        "Gateway gw1 has no address of 198.18.1.0/24, 2001:db8:2::/64 on interface 'lan0'; correct "
        "gateway_lan_interface, or lan_prefixes of its site."
    )


def beats(beat: int, dead: int) -> str | None:
    return refusal(
        "roles/segments/tasks/main.yml",
        "Check what segments need",
        inventory_hostname="gw1",
        segments_beat_milliseconds=beat,
        segments_dead_milliseconds=dead,
    )


@pytest.mark.parametrize(("beat", "dead"), [(100, 300), (20, 60), (100, 1000)])
def test_beats_of_segments(beat: int, dead: int) -> None:
    assert beats(beat, dead) is None


@pytest.mark.parametrize(("beat", "dead"), [(100, 299), (19, 300), (0, 0), (100, 0)])
def test_beats_that_would_call_a_gateway_dead_too_soon(beat: int, dead: int) -> None:
    assert beats(beat, dead) == (
        "Host gw1 would take a gateway for dead after less than three beats, or beat more often than every 20 "
        "milliseconds; set segments_dead_milliseconds to three times segments_beat_milliseconds or more."
    )


def timers(interval: int, multiplier: int, plan: dict[str, Any]) -> str | None:
    return refusal(
        "roles/routing/tasks/main.yml",
        "Check what routing needs",
        inventory_hostname="gw1",
        routing_plan=plan,
        routing_bfd_interval_milliseconds=interval,
        routing_bfd_multiplier=multiplier,
    )


@pytest.mark.parametrize(("interval", "multiplier"), [(100, 3), (10, 2)])
def test_timers_of_routing(interval: int, multiplier: int) -> None:
    assert timers(interval, multiplier, {"as_number": 4200000001}) is None


@pytest.mark.parametrize(
    ("interval", "multiplier", "plan"),
    [(9, 3, {"as_number": 4200000001}), (100, 1, {"as_number": 4200000001}), (100, 3, {})],
)
def test_timers_that_no_path_would_survive_and_no_plan(interval: int, multiplier: int, plan: dict[str, Any]) -> None:
    assert timers(interval, multiplier, plan) == (
        "Host gw1 has no routing plan, or looks after its paths more often than every 10 milliseconds or only once; run "
        "playbooks/mesh.yml, which plans, and correct routing_bfd_interval_milliseconds and routing_bfd_multiplier."
    )


def who_may_ask(roles: dict[str, list[str]]) -> str | None:
    return refusal(
        "roles/agent/tasks/main.yml",
        "Check who may ask this host for what",
        inventory_hostname="desk7",
        agent_action_key_roles=roles,
        agent_action_roles={"operator": ["upgrade"]},
    )


def test_roles_of_action_keys() -> None:
    assert who_may_ask({"estate": ["operator"], "anna": []}) is None
    assert who_may_ask({"estate": ["operator", "king"]}) == (
        "Host desk7 has in agent_action_key_roles a role that agent_action_roles does not know: king; correct one of them."
    )
