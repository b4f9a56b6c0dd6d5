# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent itself goes through its rings as any package, and one that cannot report ends in the first of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import driver
import pytest
from agents_made import ANOTHER, SILENT, package, remade, version_of
from packages_made import serve
from rollouts_made import Rollout, end_earlier_ones

HOSTS = ("desk1", "tele1")
TRIAL = {"packages_agent_trial_seconds": 20}
# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, GOOD, BROKEN = (f"{RUN}.{number}-1" for number in range(3))
RINGS = [{"name": "pilots", "hosts": ["desk1"]}, {"name": "homes", "hosts": ["tele1"]}]
OPTIONS = {"rollout_pause_seconds": 5}


def current(host: str) -> str:
    return driver.on(host, "readlink /opt/bocage/agent/current").strip()


def known(host: str) -> dict[str, Any]:
    """The agent as a package, as the host knows it."""
    found: dict[str, Any] = json.loads(driver.on(host, f"{driver.AGENT} packages"))["packages"]["bocage-agent"]
    return found


def ever_had(host: str, version: str) -> bool:
    told = json.loads(driver.on(host, f"{driver.AGENT} packages"))
    return version in [one["version"] for one in told["history"] if one["package"] == "bocage-agent"]


@pytest.fixture
def short_trials() -> Iterator[None]:
    driver.serve_packages()
    end_earlier_ones()
    run = driver.playbook("playbooks/packages.yml", "--limit desk1,tele1", extra=TRIAL)
    assert run.ok, run.failures
    yield
    end_earlier_ones()
    for host in HOSTS:
        driver.on(host, f"{driver.AGENT} remove bocage-agent --ensure --wait 60 2>&1", timeout=120)
    run = driver.playbook("playbooks/packages.yml", "--limit desk1,tele1")
    assert run.ok, run.failures


@pytest.mark.long
def test_a_good_agent_goes_through_its_rings_and_a_broken_one_ends_in_the_first(
    short_trials: None, tmp_path: Path
) -> None:
    role_version = current("desk1")
    archives = [remade(tmp_path, role_version, one) for one in (ANOTHER, ANOTHER, SILENT)]
    first, good, broken = (
        package(tmp_path, archive, version) for archive, version in zip(archives, (FIRST, GOOD, BROKEN), strict=True)
    )
    serve(first)
    for host in HOSTS:
        driver.on(host, f"{driver.AGENT} install bocage-agent --wait 60 2>&1", timeout=120)
    for host in HOSTS:
        driver.eventually(lambda host=host: known(host)["state"] == "OK", 60, f"{host} keeps its first agent")

    rollout = Rollout(f"agent-{RUN}", {"rings": RINGS, "gates": {"soak_seconds": 1}}, OPTIONS)
    run = rollout.run("start", file=good, rounds=20)
    assert run.ok, run.failures
    assert rollout.state()["phase"] == "done", rollout.state()
    for host in HOSTS:
        assert (current(host), known(host)["state"], known(host)["version"]) == (version_of(archives[1]), "OK", GOOD)

    rollout = Rollout(f"silent-{RUN}", {"rings": RINGS, "gates": {"soak_seconds": 1}}, OPTIONS)
    run = rollout.run("start", file=broken, rounds=20)
    assert run.ok, run.failures
    found = rollout.state()
    assert (found["phase"], found["ring"]) == ("rolled_back", 0), found
    assert f"desk1: bocage-agent {BROKEN}: The agent {version_of(archives[2])} was put back" in found["reason"], found
    assert [ever_had(host, BROKEN) for host in HOSTS] == [True, False]
    for host in HOSTS:
        # the one that came back is well: nothing is left that somebody has to mend
        assert (current(host), known(host)["state"], known(host)["version"]) == (version_of(archives[1]), "OK", GOOD)
        driver.on(host, "systemctl start bocage-agent-report")
        assert "bocage-agent" not in driver.package_drift(host)
