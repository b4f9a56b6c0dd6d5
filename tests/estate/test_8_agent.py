# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent of a real host: updated by a package, put back by itself, its folder watched, upgrades at shutdown."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import driver
import pytest
from agents_made import ANOTHER, SILENT, package, remade, version_of
from packages_made import make, serve

HOST = "desk1"
ROOT = "/opt/bocage/agent"
TRIAL_SECONDS = 20
# Of this run: a host takes no version below one that it had, also where the lab was kept.
GOOD, BROKEN, EARLY, LATE = (f"{int(time.time()) // 60}.{number}-1" for number in range(4))
LATE_SETUP = """
def install():
    write("/opt/demo-late/version", control["version"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest.fixture(scope="module", autouse=True)
def estate() -> Iterator[None]:
    """Packages are trusted and served; on the host of these tests a trial is short, and shutdown is an occasion."""
    driver.serve_packages()
    short = {"packages_agent_trial_seconds": TRIAL_SECONDS, "packages_upgrade_at_shutdown": True}
    run = driver.playbook("playbooks/packages.yml", "--limit", HOST, extra=short)
    assert run.ok, run.failures
    yield
    agent("remove bocage-agent --ensure", check=False)
    agent("remove demo-late --ensure", check=False)
    run = driver.playbook("playbooks/packages.yml", "--limit", HOST)
    assert run.ok, run.failures


@pytest.fixture(scope="module")
def role_version() -> str:
    """Of the agent that the role put there; its archive is on the controller."""
    return current()


def agent(words: str, check: bool = True) -> str:
    return driver.on(HOST, f"{driver.AGENT} {words} 2>&1", check=check, timeout=120)


def current() -> str:
    return driver.on(HOST, f"readlink {ROOT}/current").strip()


def state() -> dict[str, Any]:
    """Of the agent as a package, as the host knows it."""
    found: dict[str, Any] = json.loads(agent("packages"))["packages"].get("bocage-agent", {})
    return found


def reported() -> tuple[dict[str, Any], dict[str, Any]]:
    """What the host says of itself, and the groups of the inventory."""
    driver.on(HOST, "systemctl start bocage-agent-report")
    found = driver.inventory_list()[0]
    return found["_meta"]["hostvars"][HOST]["reported"], found


def plain(value: Any) -> Any:
    """What a host says is marked, so that nobody takes it for a template."""
    return value["__ansible_unsafe"] if isinstance(value, dict) and "__ansible_unsafe" in value else value


def in_group(inventory: dict[str, Any], group: str) -> bool:
    return HOST in inventory.get(group, {}).get("hosts", [])


@pytest.fixture(scope="module")
def good(folder: Path, role_version: str) -> str:
    archive = remade(folder, role_version, ANOTHER)
    serve(package(folder, archive, GOOD))
    return version_of(archive)


@pytest.fixture(scope="module")
def broken(folder: Path, role_version: str, good: str) -> str:
    """It starts, and ends before it has made a report."""
    assert good
    archive = remade(folder, role_version, SILENT)
    serve(package(folder, archive, BROKEN))
    return version_of(archive)


def put_back(good: str) -> None:
    driver.eventually(lambda: state().get("state") == "ERROR", 3 * TRIAL_SECONDS, "the package is in error")
    assert current() == good
    assert state()["reason"].endswith(f"because it made no report in {TRIAL_SECONDS} seconds"), state()
    assert state()["version"] == GOOD


def test_a_package_brings_a_new_agent(good: str, role_version: str) -> None:
    said = agent("install bocage-agent")
    assert f"The agent {good} is on trial when this run is over" in said, said
    driver.eventually(lambda: state().get("state") == "OK", 30, "the new agent has proven itself")
    assert (current(), state()["version"]) == (good, GOOD)
    assert driver.on(HOST, "systemctl is-active bocage-agent-listen").strip() == "active"
    found, inventory = reported()
    assert plain(found["packages"]["bocage-agent"]) == GOOD
    assert plain(found["sections"]["agent"]["version"]) == good
    assert found["sections"]["agent"]["managed"] is True
    assert not found["drift"].get("agent")
    assert not in_group(inventory, "drift_agent")
    assert not in_group(inventory, "drift_config")
    assert role_version != good


def test_the_role_leaves_it_alone(good: str) -> None:
    """By its seal, and where the role runs in spite of that."""
    for more in ({}, {"bocage_seals": "ignore"}):
        short = {"packages_agent_trial_seconds": TRIAL_SECONDS, "packages_upgrade_at_shutdown": True}
        run = driver.playbook("playbooks/packages.yml", "--limit", HOST, extra={**short, **more})
        assert run.ok, run.failures
        assert not [task for _host, task in run.changed_tasks if task == "Put it on the host"]
        assert current() == good


def test_one_that_does_not_report_goes_back_by_itself(good: str, broken: str) -> None:
    said = agent("upgrade")
    assert f"The agent {broken} is on trial when this run is over; {good} comes back" in said, said
    driver.eventually(lambda: current() == broken, 15, "the new agent is tried")
    put_back(good)
    _found, inventory = reported()
    assert in_group(inventory, "packages_error")
    assert driver.on(HOST, f"ls -d {ROOT}/{broken}", check=False) == ""
    # and is not tried again
    assert "it is not tried again" in agent("upgrade")
    assert current() == good


def test_who_watches_may_be_killed(good: str, broken: str) -> None:
    agent("upgrade --again")
    driver.eventually(lambda: current() == broken, 15, "the new agent is tried")
    driver.on(HOST, "systemctl kill --signal=KILL bocage-agent-update.service")
    put_back(good)


def test_a_host_may_be_restarted_meanwhile(good: str, broken: str) -> None:
    agent("upgrade --again")
    driver.eventually(lambda: current() == broken, 15, "the new agent is tried")
    driver.restart(HOST)
    put_back(good)


def test_an_altered_file_shows_as_drift_and_the_role_puts_it_right(good: str, role_version: str) -> None:
    file = f"{ROOT}/{good}/lib/bocage_agent/spool.py"
    driver.on(HOST, f"echo '# evil' >> {file}; chmod 666 {ROOT}/{good}/lib/bocage_agent/chain.py")
    found, inventory = reported()
    said = [plain(one) for one in found["drift"]["agent"]]
    assert f"{file} was altered on the host." in said, said
    assert f"{ROOT}/{good}/lib/bocage_agent/chain.py is writable by others (mode 0666)." in said, said
    assert in_group(inventory, "drift_agent")
    short = {"packages_agent_trial_seconds": TRIAL_SECONDS, "packages_upgrade_at_shutdown": True}
    run = driver.playbook("playbooks/packages.yml", "--limit", HOST, extra=short)
    assert run.ok, run.failures
    assert current() == role_version
    found, inventory = reported()
    assert not found["drift"].get("agent")
    assert not in_group(inventory, "drift_agent")


def test_what_waits_is_installed_while_the_host_goes_down(folder: Path) -> None:
    """Before the next start, and not by the timer of it."""
    # it would be begun by the timer otherwise; the next start begins the timer again
    driver.no_upgrade_by_itself(HOST)
    for version in (EARLY, LATE):
        serve(make(folder, "demo-late", version, LATE_SETUP))
        if version == EARLY:
            agent("install demo-late")
    assert driver.on(HOST, "cat /opt/demo-late/version") == EARLY
    driver.restart(HOST, 60)
    assert driver.on(HOST, "cat /opt/demo-late/version") == LATE
    installed = json.loads(agent("packages"))["packages"]["demo-late"]["installed_at"]
    times = driver.on(
        HOST,
        f'date -d {installed} +%s; date -d "$(systemctl show --property=UserspaceTimestamp --value)" +%s',
    ).split()
    assert int(times[0]) <= int(times[1]), "it was installed after the start"
