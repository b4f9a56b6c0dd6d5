# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway that a teleworker uses is taken away in every way that matters, and nobody waits for a second."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import driver
import pytest
from evidence import keep

# Each way once; with --long twice and more.
SHORT, LONG = 9, 21
PROBER, GATEWAY = "fd7b:4c1e:90a2:2::1", "fd7b:4c1e:90a2:1::1"


@pytest.fixture(scope="module")
def takeovers(pytestconfig: pytest.Config) -> int:
    return LONG if pytestconfig.getoption("--long") else SHORT


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory, takeovers: int) -> dict[str, Any]:
    """What the drill showed, by the evidence that it kept; the playbook itself fails where it is too slow."""
    folder = tmp_path_factory.mktemp("drill")
    run = driver.playbook(
        "playbooks/drill_failover.yml",
        extra={"drill_site": "lyon", "drill_takeovers": takeovers, "drill_directory": str(folder)},
    )
    kept = sorted(folder.glob("*.json"))
    assert kept, run.failures
    assert kept[0].with_suffix(".svg").read_bytes().startswith(b"<?xml")
    found: dict[str, Any] = json.loads(kept[0].read_text())
    keep("failover", found)
    figures = {
        "mesh.failover.p50_seconds": found["p50_seconds"],
        "mesh.failover.p99_seconds": found["p99_seconds"],
        "mesh.failover.max_seconds": found["max_seconds"],
        "mesh.failback.lost_probes": found["failback_lost_probes"],
        "takeovers": len(found["takeovers"]),
    }
    print(json.dumps(figures))
    for one in found["takeovers"]:
        print(f"  {one['cause']:<10} {one['seconds']:.3f} s")
    return found


def test_every_takeover_takes_less_than_a_second(verdict: dict[str, Any], takeovers: int) -> None:
    assert len(verdict["takeovers"]) == takeovers
    assert {one["cause"] for one in verdict["takeovers"]} >= {"wireguard", "routing", "host", "lan", "wan"}
    assert verdict["max_seconds"] < 1.0, verdict["takeovers"]


def test_what_is_cut_was_really_cut(verdict: dict[str, Any]) -> None:
    # a drill that takes nothing away would show no gap at all
    cut = [one for one in verdict["takeovers"] if one["cause"] in ("host", "lan", "wan")]
    assert cut and all(one["seconds"] > 0.05 for one in cut), verdict["takeovers"]


def test_nothing_but_routing_goes_unnoticed(verdict: dict[str, Any]) -> None:
    assert set(verdict["unnoticed"]) <= {"routing"}
    assert verdict["passed"], verdict["problems"]


def test_going_back_costs_no_more(verdict: dict[str, Any]) -> None:
    assert verdict["failback_longest_seconds"] <= max(verdict["max_seconds"], 0.1)


def test_downloads_are_held_on_routed_and_on_translated_connections(verdict: dict[str, Any]) -> None:
    held = {one["name"]: one for one in verdict["downloads"]}
    assert len(held) == 2
    for one in held.values():
        assert one["survived"] and one["bytes"] > 1_000_000, one


def test_a_drill_that_nobody_could_notice_is_refused() -> None:
    run = driver.playbook("playbooks/drill_failover.yml", extra={"drill_site": "remote"})
    assert not run.ok
    assert "Nobody enters the LAN of site remote by several gateways" in run.failures[0][2]


def test_the_estate_is_as_before(verdict: dict[str, Any]) -> None:
    for gateway in ("gw1", "gw2"):
        health = json.loads(driver.on(gateway, "cat /run/bocage/gateway/health.json"))
        assert health["healthy"] and not health["released"], health
        assert "bocage_drill" not in driver.on(gateway, "nft list tables")
    assert driver.on("tele1", "ls /run").find("bocage-drill-stop") == -1


@pytest.fixture
def no_bfd_from_the_teleworker() -> Iterator[None]:
    """gw1 hears nothing of tele1 by which BFD knows that the path lives; everything else passes."""
    driver.on(
        "gw1", "nft 'add table inet drill_bfd; add chain inet drill_bfd in { type filter hook input priority -300; }'"
    )
    driver.on("gw1", f"nft add rule inet drill_bfd in ip6 saddr {PROBER} udp dport 4784 drop")
    yield
    driver.on("gw1", "nft delete table inet drill_bfd")


def path_and_session() -> tuple[str, str, int]:
    """What BFD and BGP of tele1 say of gw1, and how often the session ended."""
    (path,) = [
        one["status"]
        for one in json.loads(driver.on("tele1", "vtysh -c 'show bfd peers brief json'"))
        if one["peer"] == GATEWAY
    ]
    summary = json.loads(driver.on("tele1", "vtysh -c 'show bgp ipv6 unicast summary json'"))["peers"][GATEWAY]
    return path, summary["state"], summary["connectionsDropped"]


def test_a_session_that_stands_on_a_dead_path_begins_again(no_bfd_from_the_teleworker: None) -> None:
    """As where the gateway has forgotten it: it is not left so, and afterwards the path lives again."""
    driver.eventually(lambda: path_and_session()[:2] == ("down", "Established"), 30, "BGP stands without BFD")
    before = path_and_session()[2]
    driver.eventually(lambda: path_and_session()[2] > before, 30, "the session begins again")
    journal = driver.on("tele1", "journalctl -q --no-pager -o cat --since -1min -u bocage-routing-watch")
    assert f"The session with {GATEWAY} stands, and its path has been dead for 10 seconds" in journal
    driver.on("gw1", "nft flush chain inet drill_bfd in")
    driver.eventually(lambda: path_and_session()[:2] == ("up", "Established"), 30, "the path lives again")
    driver.eventually(
        lambda: driver.gateway_health("gw1")["healthy"] and not driver.gateway_health("gw1")["released"],
        30,
        "gw1 serves again",
    )
