# SPDX-License-Identifier: GPL-3.0-or-later
"""A good package goes through three rings, and a bad one ends in the first and is taken back; no person decides."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

import driver
import evidence
import pytest
from bocage_core._common import timestamps
from packages_made import make, serve
from rollouts_made import Rollout, end_earlier_ones, upgrade

# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, GOOD, BAD = (f"{RUN}.{number}-1" for number in range(3))
HAVE_IT = ("desk1", "tele1", "wrs1")
SETUP = '''
UNIT = """[Unit]
Description=A demonstration
[Service]
ExecStart={program}
[Install]
WantedBy=multi-user.target
"""

def install():
    write("/etc/systemd/system/demo-clock.service", UNIT)
    write("/opt/demo-clock/version", control["version"])
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "enable", "--quiet", "demo-clock"])
    run(["systemctl", "restart", "demo-clock"])

def audit():
    return "OK" if run_notfatal(["systemctl", "is-active", "demo-clock"]).strip() == "active" else "ERROR"
'''
RINGS = [
    {"name": "pilots", "hosts": ["desk1"]},
    {"name": "homes", "hosts": ["tele1"]},
    {"name": "rest", "share_percent": 100},
]
GATES = {"soak_seconds": 1}
GOOD_ONE, BAD_ONE = (Rollout(f"{name}-{RUN}", {"rings": RINGS, "gates": GATES}) for name in ("good", "bad"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rollouts")


def signed(folder: Path, version: str, program: str = "/bin/sleep infinity") -> Path:
    return make(folder, "demo-clock", version, SETUP.replace("{program}", program))


def has(host: str) -> str:
    return driver.on(host, "systemctl is-active demo-clock; cat /opt/demo-clock/version", check=False).split()[-1]


def ever_had(host: str, version: str) -> bool:
    told = json.loads(driver.on(host, f"{driver.AGENT} packages"))
    return version in [one["version"] for one in told["history"] if one["package"] == "demo-clock"]


def moment(history: list[str], words: str) -> datetime:
    """When a rollout came to what these words say first."""
    (first, *_later) = [line for line in history if words in line]
    return timestamps.parse(first.split()[0], "a line of the history")


@pytest.fixture(scope="module", autouse=True)
def installed(folder: Path) -> None:
    """Three hosts have the first version of a service."""
    driver.serve_packages()
    end_earlier_ones()
    serve(signed(folder, FIRST))
    for host in HAVE_IT:
        said = driver.on(host, f"{driver.AGENT} install demo-clock --wait 60 2>&1", timeout=120)
        assert f"demo-clock {FIRST}: install finished" in said, said


def test_nobody_takes_what_the_ring_has_not(folder: Path) -> None:
    """The first ring has it at once, and no other host, however often it looks."""
    run = GOOD_ONE.run("start", file=signed(folder, GOOD))
    assert run.ok, run.failures
    assert has("desk1") == GOOD
    for host in ("tele1", "wrs1"):
        upgrade(host)
        assert has(host) == FIRST
    assert GOOD_ONE.state()["phase"] == "running" and GOOD_ONE.state()["ring"] == 0
    driver.on("tele1", "systemctl start bocage-agent-report")
    assert "tele1" in driver.inventory_list()[0]["ring_2_pending"]["hosts"]


def test_it_stands_still_while_it_is_paused() -> None:
    for command, phase in (("pause", "paused"), ("step", "paused"), ("resume", "running")):
        run = GOOD_ONE.run(command)
        assert run.ok, run.failures
        assert (GOOD_ONE.state()["phase"], GOOD_ONE.state()["ring"]) == (phase, 0), command


def test_two_rings_are_compared() -> None:
    run = GOOD_ONE.run("diff", rollout_rings="pilots,rest")
    assert run.ok, run.failures
    assert f'"pilots": "{GOOD}"' in run.stdout and f'"rest": "{FIRST}"' in run.stdout
    run = GOOD_ONE.run("diff", rollout_rings="pilots,tenth")
    assert [
        words for _host, _task, words in run.failures if "has no ring tenth; there are: pilots, homes, rest." in words
    ]


def test_a_good_package_goes_through_three_rings() -> None:
    run = GOOD_ONE.run("step", rounds=10)
    assert run.ok, run.failures
    found = GOOD_ONE.state()
    assert found["phase"] == "done", found
    opened = [line.split(" ring ")[1].split()[0] for line in found["history"] if " opened" in line]
    assert opened == ["pilots", "homes", "rest"]
    assert [has(host) for host in HAVE_IT] == [GOOD] * 3


def test_a_bad_package_ends_in_the_first_ring_and_is_taken_back(folder: Path) -> None:
    """It installs well, and then its service dies: the audit says so, the gate stops it, the tickets bring it back."""
    run = BAD_ONE.run("start", rounds=10, file=signed(folder, BAD, "/bin/false"))
    assert run.ok, run.failures
    found = BAD_ONE.state()
    assert found["phase"] == "rolled_back", found
    assert found["ring"] == 0 and "desk1: its audit fails" in found["reason"], found
    assert driver.on("desk1", "systemctl is-active demo-clock").strip() == "active"
    assert [has(host) for host in HAVE_IT] == [GOOD] * 3
    broken = [host for host in HAVE_IT if ever_had(host, BAD)]
    assert broken == ["desk1"]
    opened, stopped = (moment(found["history"], words) for words in (" running: ring pilots", " rolling back: "))
    evidence.keep(
        "rollout",
        {"hosts": len(HAVE_IT), "hosts_broken": len(broken), "seconds_to_stop": (stopped - opened).total_seconds()},
    )


def test_after_its_end_nobody_takes_it_either() -> None:
    run = BAD_ONE.run("end")
    assert run.ok, run.failures
    upgrade("desk1")
    assert has("desk1") == GOOD
    offered = driver.on("desk1", f"{driver.AGENT} search demo-clock")
    assert GOOD in offered and BAD not in offered, offered
    run = BAD_ONE.run("end")
    assert [words for _host, _task, words in run.failures if "has no rollout" in words]
