# SPDX-License-Identifier: GPL-3.0-or-later
"""Rings of several hosts: how many of them may fail, how many in all, and what a person decides meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import driver
import pytest
from packages_made import make, serve
from rollouts_made import Rollout, end_earlier_ones, upgrade

# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, SECOND, THIRD, FOURTH, FIFTH = (f"{RUN}.{number}-1" for number in range(5))
HAVE_IT = ("desk1", "tele1", "wrs1")
# On a host with this file it cannot be installed.
FULL = "/opt/demo-shared-is-full"
SETUP = f"""
def install():
    run(["test", "!", "-e", "{FULL}"])
    write("/opt/demo-shared/version", control["version"])

def audit():
    return "OK"
"""
RINGS = [
    {"name": "two", "hosts": ["desk1", "tele1"]},
    {"name": "half", "share_percent": 50},
    {"name": "rest", "share_percent": 50},
]
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decisions")


@pytest.fixture(scope="module", autouse=True)
def installed(folder: Path) -> Iterator[None]:
    driver.serve_packages()
    end_earlier_ones()
    serve(made(folder, FIRST))
    for host in HAVE_IT:
        said = driver.on(host, f"{driver.AGENT} install demo-shared --wait 60 2>&1", timeout=120)
        assert f"demo-shared {FIRST}: install finished" in said, said
    yield
    end_earlier_ones()
    for host in HAVE_IT:
        driver.on(host, f"rm -f {FULL}; {driver.AGENT} remove demo-shared --ensure --wait 60", check=False)


def made(folder: Path, version: str) -> Path:
    return make(folder, "demo-shared", version, SETUP)


def has() -> list[str]:
    return [driver.on(host, "cat /opt/demo-shared/version").strip() for host in HAVE_IT]


def full(*hosts: str) -> None:
    for host in HAVE_IT:
        driver.on(host, f"touch {FULL}" if host in hosts else f"rm -f {FULL}")


def rollout(name: str, budget: int, percent: float = 50, rings: Any = RINGS) -> Rollout:
    gates = {"soak_seconds": 1, "failed_percent": percent}
    return Rollout(f"{name}-{RUN}", {"rings": rings, "gates": gates, "error_budget_hosts": budget})


def test_one_of_two_may_fail_and_the_rings_after_it_are_shares_of_hosts(folder: Path) -> None:
    full("tele1")
    one = rollout("tolerant", budget=1)
    run = one.run("start", file=made(folder, SECOND), rounds=20)
    assert run.ok, run.failures
    found = one.state()
    assert found["phase"] == "done", found
    assert has() == [SECOND, FIRST, SECOND]
    opened = {
        line.split(" ring ")[1].split()[0]: int(line.split()[-2]) for line in found["history"] if "opened" in line
    }
    assert opened.pop("two") == 2
    assert sum(opened.values()) == len(driver.MANAGED) - 2 and set(opened) <= {"half", "rest"}, opened
    driver.on("tele1", "systemctl start bocage-agent-report")
    assert "tele1" in driver.inventory_list()[0]["packages_error"]["hosts"]
    assert one.run("end").ok


def test_more_than_the_error_budget_ends_it(folder: Path) -> None:
    """Each ring by itself may have them."""
    full()
    upgrade("tele1")
    assert has() == [SECOND] * 3
    full("desk1", "tele1")
    one = rollout("poor", budget=1, percent=100)
    run = one.run("start", file=made(folder, THIRD), rounds=10)
    assert run.ok, run.failures
    found = one.state()
    assert found["phase"] == "rolled_back", found
    assert "2 hosts failed in all, and the error budget is 1" in found["reason"], found
    assert has() == [SECOND] * 3
    full()
    assert one.run("end").ok


def test_a_person_takes_it_back(folder: Path) -> None:
    one = rollout("complaints", budget=0)
    run = one.run("start", file=made(folder, FOURTH))
    assert run.ok, run.failures
    assert has()[:2] == [FOURTH, FOURTH] and has()[2] == SECOND
    run = one.run("roll_back", rounds=5, rollout_reason="users complain")
    assert run.ok, run.failures
    found = one.state()
    assert (found["phase"], found["ring"]) == ("rolled_back", 0), found
    assert "users complain" in found["reason"]
    assert has() == [SECOND] * 3
    assert one.run("end").ok


def test_a_person_ends_it_where_it_stands_and_takes_it_back_later(folder: Path) -> None:
    one = rollout("aborted", budget=0)
    run = one.run("start", file=made(folder, FIFTH))
    assert run.ok, run.failures
    run = one.run("abort", rollout_reason="a newer one comes")
    assert run.ok, run.failures
    for command in ("step", "step"):
        assert one.run(command).ok
    upgrade("wrs1")
    upgrade("desk1")
    assert has() == [FIFTH, FIFTH, SECOND], "who has it keeps it, and nobody else takes it"
    found = one.state()
    assert (found["phase"], found["ring"]) == ("aborted", 0), found
    run = one.run("roll_back", rounds=5)
    assert run.ok, run.failures
    assert one.state()["phase"] == "rolled_back"
    assert has() == [SECOND] * 3
    assert one.run("end").ok
