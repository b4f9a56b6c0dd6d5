# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway that a teleworker uses is taken away in every way that matters, and nobody waits for a second."""

from __future__ import annotations

import json
from typing import Any

import driver
import pytest
from evidence import keep

# Each way once; with --long twice and more.
SHORT, LONG = 9, 21


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
