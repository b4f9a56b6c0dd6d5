# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that packages are believed by are replaced by the playbooks, while one host sleeps; it comes back by itself.

Authorities, signers, holders of the root and of the top list, the publisher's own keys, the key of a delegation and of
downgrade tickets.

The last drill by name: the inventory of the lab does not declare what is made here.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import driver
import pytest
from packages_made import SECRETS, TRUST, copied, make, publish
from rollouts_made import end_earlier_ones

# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, SECOND, STOLEN, THIRD = (f"{RUN}.{number}-1" for number in range(4))
AWAKE, ASLEEP = "desk1", "tele1"
SETUP = """
def install():
    write("/opt/demo-trust/version", control["version"])
"""
UNITS = "bocage-agent-listen.service bocage-agent-upgrade.timer bocage-agent-report.timer"
NEXT: dict[str, Any] = {
    "package_authority_authorities": [
        {"name": "demo", "days": 7300, "crl_days": 365, "generation": 2},
        {"name": "demo-packages", "issuer": "demo", "generation": 2},
    ],
    "package_authority_signers": [
        {"name": name, "purpose": name, "issuer": "demo-packages", "generation": 2}
        for name in ("developer", "deployer")
    ],
    "package_root_holders": ["root-4", "root-5", "root-6"],
    "package_root_former_holders": ["root-1", "root-2", "root-3"],
    "package_root_targets_holders": ["targets-4", "targets-5", "targets-6"],
    "package_repository_keys_generation": 2,
    "package_root_ticket_holders": ["downgrades-2"],
}


def agent(host: str, words: str) -> str:
    return driver.on(host, f"{driver.AGENT} {words} --wait 60 2>&1", check=False, timeout=120)


def has(host: str) -> str:
    return driver.on(host, "cat /opt/demo-trust/version", check=False).strip()


def root_of(host: str) -> int:
    """Which root a host has followed to."""
    found: int = json.loads(driver.on(host, f"{driver.AGENT} packages --json"))["metadata"]["root"]
    return found


def online_keys() -> list[str]:
    return driver.on("hub1", "cd /etc/bocage/package-repository; ls *.key").split()


def play(name: str, *arguments: str, **extra: Any) -> driver.Run:
    run = driver.playbook(f"playbooks/{name}.yml", *arguments, extra={**NEXT, **extra})
    assert run.ok, run.failures
    return run


@pytest.fixture
def sleeping(tmp_path: Path) -> Iterator[None]:
    """Two hosts have what was signed before; one of them is not reached by anything that follows."""
    driver.serve_packages()
    end_earlier_ones()
    assert publish(make(tmp_path, "demo-trust", FIRST, SETUP)).ok
    copied()
    for host in (AWAKE, ASLEEP):
        assert f"demo-trust {FIRST}: install finished" in agent(host, "install demo-trust")
    driver.on(ASLEEP, f"systemctl stop {UNITS}")
    yield
    driver.on(ASLEEP, f"systemctl start {UNITS}")


def bundle(host: str) -> str:
    return driver.on(host, "sha256sum /etc/bocage/packages/root.json /etc/bocage/packages/authorities.pem")


@pytest.mark.long
def test_keys_are_replaced_and_a_host_that_slept_comes_back_by_itself(sleeping: None, tmp_path: Path) -> None:
    before = bundle(ASLEEP)
    stolen = make(tmp_path, "demo-trust", STOLEN, SETUP)
    # the key of a delegation has no other name: it is moved away, and made anew
    for path in (SECRETS / "tuf" / "base.key", TRUST / "keys" / "base.pub"):
        shutil.move(path, tmp_path)
    play("package_trust")
    assert json.loads((TRUST / "root.json").read_text())["signed"]["version"] == 2
    again = play("package_trust")
    assert again.changed_tasks == []
    assert online_keys() == ["snapshot-2.key", "snapshot.key", "timestamp-2.key", "timestamp.key"]
    # the next root, the top list under both, the delegation's list, and the package, in one run
    second = {"file": str(make(tmp_path, "demo-trust", SECOND, SETUP, "developer.2"))}
    play("publish_package", publish_packages=[second])
    assert driver.on("hub1", "ls /srv/bocage/packages/public/metadata | grep root").split()[-1] == "2.root.json"
    assert play("publish_package", publish_packages=[second]).changed_tasks == []
    awake = ",".join(host for host in driver.MANAGED if host != ASLEEP)
    play("packages", "--limit", awake)
    copied()
    assert f"demo-trust {SECOND}: install finished" in agent(AWAKE, "upgrade")

    assert bundle(ASLEEP) == before, "it was reached"
    driver.on(ASLEEP, f"systemctl start {UNITS}")
    agent(ASLEEP, "upgrade")
    driver.eventually(lambda: has(ASLEEP) == SECOND, 60, "the host that slept takes what new keys signed")
    assert (root_of(AWAKE), root_of(ASLEEP)) == (2, 2)

    # the developer's old key was stolen: nobody publishes what it signs, and what it signed before is refused
    revoked = [{**one, "previous": "revoked", "reason": "key_compromise"} for one in NEXT["package_authority_signers"]]
    play("package_trust", package_authority_signers=revoked)
    assert online_keys() == ["snapshot-2.key", "timestamp-2.key"], "the served root names these alone"
    run = driver.playbook("playbooks/publish_package.yml", extra={**NEXT, "publish_packages": [{"file": str(stolen)}]})
    assert [words for _host, _task, words in run.failures if "revoked" in words], run.failures
    play("publish_package")
    copied()
    driver.on("gw1", f"{driver.AGENT} update --wait 60", check=False)
    said = agent("gw1", f"install 'demo-trust(={FIRST})'")
    assert "Refused (revoked)" in said and has("gw1") == "", said
    play("publish_package", publish_packages=[{"file": str(make(tmp_path, "demo-trust", THIRD, SETUP, "developer.2"))}])
    copied()
    for host in (AWAKE, ASLEEP):
        agent(host, "upgrade")
        assert has(host) == THIRD
