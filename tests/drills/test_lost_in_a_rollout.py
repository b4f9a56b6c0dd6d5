# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that comes to its end while it takes a change: the rollout hears of its beginning, misses it, and goes back."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import driver
import pytest
from packages_made import make, serve
from rollouts_made import Rollout

# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, DEADLY = (f"{RUN}.{number}-1" for number in range(2))
HOST = "desk1"
SETUP = """
def install():
    run({command})
    write("/opt/demo-lost/version", control["version"])
"""
ROLLOUT = Rollout(
    f"deadly-{RUN}",
    {
        "rings": [{"name": "pilots", "hosts": [HOST]}, {"name": "rest", "share_percent": 100}],
        # of one host a ring waited for ever, and with a small sample the next one opened
        "gates": {"soak_seconds": 1, "silence_seconds": 60, "sample_percent": 1},
    },
    {"rollout_pause_seconds": 10, "rollout_patience_seconds": 5, "rollout_busy_seconds": 5},
)
HANG = '["sh", "-c", "mkdir -p /opt/demo-lost; touch /opt/demo-lost/dying; sleep 600"]'


def cut_power() -> None:
    """As soon as the package is at it, the machine is gone."""
    driver.eventually(lambda: driver.on(HOST, "ls /opt/demo-lost/dying", check=False) != "", 120, "it is at it")
    subprocess.run([str(driver.PODMAN), "kill", f"bocage-demo-{HOST}"], check=True, capture_output=True)


@pytest.fixture
def lost() -> Iterator[None]:
    yield
    driver.restart(HOST)
    driver.on(HOST, f"{driver.AGENT} remove demo-lost --ensure --wait 60; rm -rf /opt/demo-lost", check=False)


@pytest.mark.long
def test_a_host_that_ends_over_a_change_ends_the_rollout(lost: None, tmp_path: Path) -> None:
    driver.serve_packages()
    serve(make(tmp_path, "demo-lost", FIRST, SETUP.replace("{command}", '["true"]')))
    said = driver.on(HOST, f"{driver.AGENT} install demo-lost --wait 60 2>&1", timeout=120)
    assert f"demo-lost {FIRST}: install finished" in said, said
    killer = threading.Thread(target=cut_power)
    killer.start()
    run = ROLLOUT.run("start", file=make(tmp_path, "demo-lost", DEADLY, SETUP.replace("{command}", HANG)))
    killer.join()
    assert run.ok, run.failures
    assert ROLLOUT.state()["phase"] == "running", ROLLOUT.state()
    listed = driver.inventory_list()[0]["_meta"]["hostvars"][HOST]["reported"]["sections"]["packages"]["rollouts"]
    assert listed[ROLLOUT.name]["begun"] is True and listed[ROLLOUT.name]["taken"] is True, listed
    run = ROLLOUT.run("step", rounds=12)
    assert run.ok, run.failures
    found = ROLLOUT.state()
    assert found["phase"] == "rolled_back" and found["ring"] == 0, found
    assert f"{HOST}: it began to take the change and does not report any more" in found["reason"]
    assert found["history"][-1].endswith(f"rolled back: hosts took it back; no report of {HOST}")
    # it comes back, and has what it had before
    subprocess.run(
        [str(driver.PODMAN), "restart", "--time", "1", f"bocage-demo-{HOST}"], check=True, capture_output=True
    )
    driver.eventually(lambda: driver.answers_ssh(HOST), 60, f"{HOST} answers again")
    driver.on(HOST, f"{driver.AGENT} upgrade --wait 60 2>&1", check=False, timeout=120)
    assert driver.on(HOST, "cat /opt/demo-lost/version") == FIRST
    assert ROLLOUT.run("end").ok
