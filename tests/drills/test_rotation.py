# SPDX-License-Identifier: GPL-3.0-or-later
"""New mesh keys for the whole estate while its users work: no probe lost, no connection broken, and a way back."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import driver
import pytest
from evidence import keep

ROOT = Path(driver.__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bench"))

from figures import figure  # noqa: E402

ROTATE = "playbooks/rotate_keys.yml"
TRUST = ROOT / "inventories/lab/trust"
# hosts over the overlay, and a server of the LAN through the gateways, routed and translated
TARGETS = {
    "tele1": "fd7b:4c1e:90a2::1 fd7b:4c1e:90a2:1::14 2001:db8:2::20 198.18.1.20",
    "desk1": "fd7b:4c1e:90a2:2::1 198.19.1.1",
}


def state() -> dict:
    return json.loads((TRUST / "rotation.json").read_text())


def watch() -> None:
    script = (ROOT / "molecule/rotation/files/watch.py").read_text()
    for host, targets in TARGETS.items():
        driver.on(host, f"cat > /root/watch.py <<'SCRIPT'\n{script}\nSCRIPT\nrm -f /root/seen-*.json")
        driver.on(
            host,
            f"systemd-run -q --unit=watch-probe python3 /root/watch.py --output /root/seen-probe.json probe {targets}",
        )


def seen() -> dict[str, dict]:
    found = {}
    for host in TARGETS:
        driver.on(host, "systemctl stop watch-probe")
        for target, result in json.loads(driver.on(host, "cat /root/seen-probe.json"))["probes"].items():
            found[f"{host} -> {target}"] = result
    return found


def test_a_whole_rotation_loses_nothing() -> None:
    # who has not spoken with a host since it rebooted needs some seconds to notice (WireGuard, section 6)
    for host, targets in TARGETS.items():
        for target in targets.split():
            driver.eventually(
                lambda host=host, target=target: driver.reaches(host, target), 30, f"{target} answers {host}"
            )
    watch()
    time.sleep(2)
    run = driver.playbook(ROTATE, "-e rotation=start")
    found = seen()
    assert run.ok, run.failures
    assert state()["phase"] == "settled"
    keep("rotation", {"probes": found})
    lost = sum(result["lost"] for result in found.values())
    figure("mesh.rotation.lost_probes", lost, "probes", baseline=sum(result["sent"] for result in found.values()))
    assert lost == 0, found
    for host in driver.MANAGED:
        names = driver.on(host, "wg show interfaces").split()
        assert all(name.startswith(f"bocage{state()['new'] % 2}") for name in names), (host, names)


def test_afterwards_everything_is_right_and_nothing_changes() -> None:
    driver.nothing_is_left_to_do()


@pytest.mark.long
def test_with_a_sleeper_it_waits_and_is_given_up() -> None:
    before = state()["new"]
    run = driver.playbook(ROTATE, "-e rotation=start", "--limit '!tele1'")
    assert run.ok, run.failures
    assert state()["phase"] == "rotating"
    assert "%" in driver.on("tele1", "ping -n -c3 -W2 fd7b:4c1e:90a2::1")
    run = driver.playbook(ROTATE, "-e rotation=abort")
    assert run.ok, run.failures
    assert (state()["phase"], state()["new"]) == ("settled", before)
