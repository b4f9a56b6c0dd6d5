# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds a rollout up beside errors: a window of the site that is not open yet, a figure that is worse than elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import driver
import pytest
from bocage_core._common import timestamps
from packages_made import make, serve
from rollouts_made import Rollout, end_earlier_ones, upgrade

# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, GOOD, SLOW = (f"{RUN}.{number}-1" for number in range(3))
HOST = "desk1"
SETUP = '''
UNIT = """[Unit]
Description=A demonstration
[Service]
Type=oneshot
ExecStart=/bin/sleep {seconds}
[Install]
WantedBy=multi-user.target
"""

def install():
    write("/etc/systemd/system/demo-boot.service", UNIT)
    write("/opt/demo-boot/version", control["version"])
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "enable", "--quiet", "demo-boot"])

def audit():
    return "OK"
'''
RINGS = [{"name": "pilots", "hosts": [HOST]}, {"name": "rest", "share_percent": 100}]
pytestmark = pytest.mark.long


def signed(folder: Path, version: str, seconds: int = 0) -> Path:
    return make(folder, "demo-boot", version, SETUP.replace("{seconds}", str(seconds)))


def has() -> str:
    return driver.on(HOST, "cat /opt/demo-boot/version").strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gates")


@pytest.fixture(scope="module", autouse=True)
def installed(folder: Path) -> None:
    driver.serve_packages()
    end_earlier_ones()
    serve(signed(folder, FIRST))
    said = driver.on(HOST, f"{driver.AGENT} install demo-boot --wait 60 2>&1", timeout=120)
    assert f"demo-boot {FIRST}: install finished" in said, said


def test_a_site_is_changed_in_its_window(folder: Path) -> None:
    """Before it no host is asked, and one that looks by itself takes nothing; within it the rollout goes on by itself."""
    file = signed(folder, GOOD)
    opens = (timestamps.now() + timedelta(seconds=180)).replace(second=0, microsecond=0)
    window = {
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "from": f"{opens:%H:%M}",
        "until": f"{opens + timedelta(hours=2):%H:%M}",
    }
    rollout = Rollout(f"window-{RUN}", {"rings": RINGS, "gates": {"soak_seconds": 1}, "windows": {"lyon": [window]}})
    run = rollout.run("start", file=file)
    assert run.ok, run.failures
    upgrade(HOST)
    assert timestamps.now() < opens, "this machine was too slow to look before the window"
    assert has() == FIRST
    found = rollout.state()
    assert (found["phase"], found["ring"]) == ("running", 0), found
    time.sleep(max(0.0, (opens - timestamps.now()).total_seconds()) + 1)
    run = rollout.run("step", rounds=8)
    assert run.ok, run.failures
    assert has() == GOOD
    assert rollout.state()["phase"] == "done", rollout.state()
    assert rollout.run("end").ok


def test_a_ring_that_boots_longer_than_the_others_goes_back(folder: Path) -> None:
    """Nothing fails, and its audit is well: what the hosts' reports say of their boots stops it in the first ring."""
    before = has()
    metric = {"name": "system.boot.userspace_milliseconds", "most_ratio": 2}
    rollout = Rollout(f"slow-{RUN}", {"rings": RINGS, "gates": {"soak_seconds": 1, "metrics": [metric]}})
    run = rollout.run("start", file=signed(folder, SLOW, seconds=20))
    assert run.ok, run.failures
    assert has() == SLOW
    assert rollout.state()["phase"] == "running"
    driver.restart(HOST)
    driver.on(HOST, "systemctl start bocage-agent-report")
    run = rollout.run("step", rounds=8)
    assert run.ok, run.failures
    found = rollout.state()
    assert (found["phase"], found["ring"]) == ("rolled_back", 0), found
    assert "system.boot.userspace_milliseconds" in found["reason"], found
    assert has() == before
    assert driver.on("tele1", "ls /opt/demo-boot 2>/dev/null", check=False) == ""
    assert rollout.run("end").ok
