# SPDX-License-Identifier: GPL-3.0-or-later
"""What no attacker does to a host: a full disk, a clock that is a year off, two agents at once, software that breaks.

Each is told in a sentence, changes nothing, and the next run goes on as if it had not been.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import driver
import pytest
from bocage_core._packages import repository_layout as layout
from driver import AGENT
from packages_made import copied, make, publish, serve

# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, SECOND, THIRD = (f"{RUN}.{number}-1" for number in range(3))
SETUP = """
def install():
    run(["sleep", "3"])
    write("/opt/demo-fault/version", control["version"])

def audit():
    return "OK" if run_notfatal(["cat", "/opt/demo-fault/version"]).strip() == control["version"] else "ERROR"
"""


@pytest.fixture(scope="module", autouse=True)
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("faults")
    driver.serve_packages()
    driver.no_upgrade_by_itself("desk1")
    serve(make(folder, "demo-fault", FIRST, SETUP))
    yield folder
    driver.on("desk1", f"{AGENT} remove demo-fault --wait 60; systemctl start bocage-agent-upgrade.timer")


def agent(words: str, days: int = 0) -> str:
    """What the agent of desk1 says, with its clock so many days ahead."""
    clock = f"faketime '{days:+d} days' " if days else ""
    said = driver.on("desk1", f"{clock}{AGENT} {words} 2>&1", check=False, timeout=300)
    assert "Traceback" not in said, said
    return said


def installed() -> str:
    return driver.on("desk1", "cat /opt/demo-fault/version 2>/dev/null || echo none").strip()


def state() -> Any:
    return json.loads(driver.on("desk1", f"{AGENT} packages"))


@contextmanager
def full(folder: str) -> Iterator[None]:
    """One page is left of the file system where the agent keeps this."""
    driver.on("desk1", f"mkdir -p {folder} && mount -t tmpfs -o size=4k,mode=0700 tmpfs {folder}")
    try:
        yield
    finally:
        driver.on("desk1", f"umount {folder}")


@pytest.mark.parametrize("folder", ["/var/cache/bocage/packages", "/var/lib/bocage/packages/work"])
def test_a_full_disk_is_told_and_nothing_is_changed(folder: str) -> None:
    agent("remove demo-fault")
    with full(folder):
        said = agent("install demo-fault")
        assert "room" in said or "No space" in said, said
        assert installed() == "none"
        assert state()["packages"]["demo-fault"]["state"] != "OK"
    said = agent("upgrade")
    assert f"demo-fault {FIRST}: install finished" in said, said
    assert installed() == FIRST


@pytest.mark.parametrize("days", [-365, 365])
def test_a_clock_that_is_a_year_off_is_told_and_nothing_is_changed(published: Path, days: int) -> None:
    if days < 0:
        serve(make(published, "demo-fault", SECOND, SETUP))
    said = agent("upgrade", days)
    assert "clock" in said, said
    assert installed() == FIRST
    assert "clock" in state()["last_problem"]


def test_of_two_agents_at_once_the_second_says_who_is_at_work() -> None:
    said = agent(f"upgrade 2>&1 & sleep 1; {AGENT} upgrade 2>&1; wait")
    assert f"demo-fault {SECOND}: install finished" in said, said
    assert "Another agent works with packages on this host (process" in said, said
    assert installed() == SECOND
    assert state()["last_problem"] == ""


def test_what_breaks_later_is_found_by_the_audit_that_the_package_asks_for(published: Path) -> None:
    """No sooner than it asks for; the report says so, and so does the inventory."""

    def looked() -> dict[str, Any]:
        agent("upgrade")
        found: dict[str, Any] = state()["packages"]["demo-fault"]
        return found

    serve(make(published, "demo-fault", THIRD, SETUP, audit_schedule="1m"))
    assert looked()["audit"] == "OK", "a schedule that has no audit yet is due"
    driver.on("desk1", "echo broken > /opt/demo-fault/version")
    assert looked()["audit"] == "OK", "it is not due again"
    time.sleep(61)
    found = looked()
    assert found["audit"] == "ERROR", found
    driver.on("desk1", "systemctl start bocage-agent-report")
    assert "The audit of demo-fault says ERROR" in driver.package_drift("desk1")
    driver.on("desk1", f"echo {THIRD} > /opt/demo-fault/version")
    agent("audit")
    assert state()["packages"]["demo-fault"]["audit"] == "OK"


# Ends the publisher's program as soon as this path is there, as a power cut would do it.
KILLER = """
import os, signal, sys
from pathlib import Path
def publishers():
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(bytes(1))
        except OSError:
            continue
        if b"commit" in words and any(word.endswith(b"/bocage-package") for word in words):
            yield int(place.parent.name)
while not (found := list(publishers())):
    pass
while not os.path.exists(sys.argv[1]):
    pass
for process in found:
    os.kill(process, signal.SIGKILL)
"""
# While a change is gathered it has not happened; from the next name on it will.
MOMENTS = (f"/srv/bocage/packages/.{layout.PENDING}", f"/srv/bocage/packages/{layout.PENDING}")


def test_a_publisher_that_is_killed_leaves_what_was_served_and_is_begun_again(published: Path) -> None:
    killed = 0
    for number, moment in enumerate(MOMENTS):
        version = f"{RUN}.{10 + number}-1"
        file = make(published, "demo-fault", version, SETUP)
        driver.on(
            "hub1",
            f"cat > /run/demo-killer.py <<'P'\n{KILLER}\nP\n"
            f"systemd-run --quiet --collect --unit=demo-killer --nice=-20 python3 /run/demo-killer.py {moment}",
        )
        run = publish(file)
        driver.on("hub1", "systemctl stop demo-killer; rm /run/demo-killer.py", check=False)
        killed += not run.ok
        assert not any("Traceback" in words for _host, _task, words in run.failures), run.failures
        copied()
        agent("update")
        assert state()["last_problem"] == "", "what is served is whole"
        again = publish(file)
        assert again.ok, again.failures
        copied()
        said = agent("upgrade")
        assert installed() == version, said
    assert killed, "it was never ended in its work"
