# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converge costs when little or nothing changed, and seals that do not hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import driver
import pytest
import yaml

SEALS = "/var/lib/bocage/seals"
ROLES = {"host", "mesh", "names", "firewall", "agent"}


def seals(host: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(driver.on(host, f"{driver.AGENT} seals verify --json", check=False))
    return found


def broken(host: str) -> set[str]:
    return {role for role, seal in seals(host).items() if seal["status"] != "intact"}


@pytest.fixture(scope="module", autouse=True)
def sealed() -> None:
    run = driver.playbook("playbooks/site.yml")
    assert run.ok, run.failures
    for host in driver.MANAGED:
        found = seals(host)
        assert set(found) >= ROLES, host
        assert not broken(host), f"{host}: {found}"


@pytest.fixture
def with_jitter() -> Iterator[Path]:
    """An inventory in which one variable of one host is another."""
    copy = driver.inventory_copy("jitter")
    (copy / "host_vars").mkdir()
    (copy / "host_vars" / "gw1.yml").write_text(yaml.safe_dump({"agent_report_jitter_seconds": 7}))
    yield copy
    run = driver.playbook("playbooks/site.yml", "--limit gw1")
    assert run.ok, run.failures
    assert not broken("gw1")


def test_a_run_without_changes_asks_each_host_once() -> None:
    run = driver.playbook("playbooks/site.yml")
    assert run.ok, run.failures
    assert run.changed() == {}
    assert run.asked() == set(driver.MANAGED)
    assert run.warnings == []
    # the first host also stands for what runs once on the controller
    assert all(run.stats["ok"][host] == 1 for host in driver.MANAGED if host != "hub1")


def test_one_changed_variable_runs_one_role_on_one_host_and_says_why(with_jitter: Path) -> None:
    check = driver.playbook("playbooks/site.yml", "--check --diff", inventory=with_jitter)
    assert check.ok, check.failures
    assert check.changed().keys() == {"gw1"}
    assert not broken("gw1"), "a run in check mode drops no seal"
    run = driver.playbook("playbooks/site.yml", inventory=with_jitter)
    assert run.ok, run.failures
    assert "gw1: agent: variable agent_report_jitter_seconds changed" in run.stdout
    assert run.changed().keys() == {"gw1"}
    assert all(run.stats["ok"][host] == 1 for host in driver.MANAGED if host not in ("gw1", "hub1"))
    assert "RandomizedDelaySec=7" in driver.on("gw1", "cat /etc/systemd/system/bocage-agent-report.timer")
    assert "7s" in driver.on("gw1", "systemctl show -p RandomizedDelayUSec bocage-agent-report.timer")


def test_what_was_altered_on_a_host_is_named_and_repaired() -> None:
    driver.on("wrs1", "echo '# by hand' >> /etc/systemd/resolved.conf.d/bocage.conf")
    driver.on("desk1", "nft add rule inet bocage input tcp dport 8080 accept; chmod 666 /etc/bocage/agent.json")
    run = driver.playbook("playbooks/site.yml")
    assert run.ok, run.failures
    assert "wrs1: names: /etc/systemd/resolved.conf.d/bocage.conf was altered on the host." in run.stdout
    assert "desk1: agent: /etc/bocage/agent.json has the mode 0666 instead of 0644." in run.stdout
    assert run.changed().keys() == {"wrs1", "desk1"}
    assert "8080" not in driver.on("desk1", "nft list table inet bocage")
    assert not broken("wrs1") and not broken("desk1")


def test_drift_is_reported_and_repaired_by_a_run_that_contacts_no_other_host() -> None:
    driver.on("desk1", "systemctl disable --quiet bocage-nftables.service")
    for host in driver.MANAGED:
        driver.on(host, "systemctl start bocage-agent-report")
    driver.eventually(
        lambda: driver.inventory_list()[0].get("drift_config", {}).get("hosts") == ["desk1"],
        40,
        "desk1 in drift_config",
    )
    listed = driver.inventory_list()[0]
    assert listed["drift_firewall"]["hosts"] == ["desk1"]
    seal = listed["_meta"]["hostvars"]["desk1"]["reported"]["seals"]["firewall"]
    # texts of a host are marked, so that no template in them is ever resolved
    assert '"broken"' in json.dumps(seal["status"]) and "bocage-nftables.service" in json.dumps(seal["findings"])
    run = driver.playbook("playbooks/site.yml", extra={"bocage_converge": "changed"})
    assert run.ok, run.failures
    assert run.asked() == {"desk1"}
    assert run.changed().keys() == {"desk1"}
    driver.on("desk1", "systemctl start bocage-agent-report")
    driver.eventually(
        lambda: not driver.inventory_list()[0].get("drift_config", {}).get("hosts"), 40, "nobody in drift_config"
    )
    run = driver.playbook("playbooks/site.yml", extra={"bocage_converge": "changed"})
    assert run.ok, run.failures
    assert run.asked() == set()


def test_a_role_that_fails_leaves_no_seal_and_the_next_run_completes_it(with_jitter: Path) -> None:
    driver.on("gw1", "mv /etc/bocage/agent.json /root/; mkdir -p /etc/bocage/agent.json/in-the-way")
    try:
        run = driver.playbook("playbooks/site.yml", inventory=with_jitter)
        assert not run.ok
        assert {host for host, _task, _message in run.failures} == {"gw1"}
    finally:
        driver.on("gw1", "rm -r /etc/bocage/agent.json; mv /root/agent.json /etc/bocage/")
    assert "agent" not in seals("gw1")
    assert not broken("gw1"), "roles that did not run keep theirs"
    run = driver.playbook("playbooks/site.yml", inventory=with_jitter)
    assert run.ok, run.failures
    assert "gw1: agent: the seal is missing" in run.stdout
    assert seals("gw1")["agent"]["status"] == "intact"


def test_a_reboot_leaves_seals_whole() -> None:
    driver.restart("wrs1")
    driver.eventually(lambda: not broken("wrs1"), 30, f"the seals of wrs1 hold again: {seals('wrs1')}")


def refused(host: str, role: str, text: str) -> None:
    seal = seals(host)[role]
    assert seal["status"] == "refused", seal
    run = driver.playbook("playbooks/site.yml", f"--limit {host}")
    assert run.ok, run.failures
    assert text in run.stdout
    assert not broken(host)


def test_attack_seal_of_another_host(tmp_path: Path) -> None:
    seal = driver.on("desk1", f"cat {SEALS}/host.json")
    driver.on("wrs1", f"cat > {SEALS}/host.json <<'S'\n{seal}\nS\n")
    refused("wrs1", "host", "wrs1: host: ")


def test_attack_edited_seal() -> None:
    """root alters a file and writes the new digest into the seal, without a key."""
    driver.on(
        "wrs1",
        f"""/usr/bin/python3 - <<'P'
import base64, json
path = "{SEALS}/agent.json"
seal = json.load(open(path))
payload = json.loads(base64.b64decode(seal["observed"]["payload"]))
payload["observations"] = payload["observations"][1:]
seal["observed"]["payload"] = base64.b64encode(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()).decode()
json.dump(seal, open(path, "w"))
P
""",
    )
    refused("wrs1", "agent", "wrs1: agent: ")


def test_attack_old_seal_put_back(with_jitter: Path) -> None:
    """A seal that was good once, for what is desired again: the host has counted on since."""
    driver.on("gw1", f"cp -a {SEALS}/agent.json /root/old-seal.json")
    run = driver.playbook("playbooks/site.yml", "--limit gw1", inventory=with_jitter)
    assert run.ok, run.failures
    driver.on("gw1", f"cp -a /root/old-seal.json {SEALS}/agent.json; rm /root/old-seal.json")
    refused("gw1", "agent", "gw1: agent: ")


def test_without_the_key_everything_runs_and_nothing_is_sealed() -> None:
    copy = driver.inventory_copy("no-key")
    secret = driver.ROOT / "build" / "no-seal-key"
    shutil.rmtree(secret, ignore_errors=True)
    shutil.copytree(driver.ROOT / ".lab" / "trust", secret)
    (secret / "seal.key").unlink()
    run = driver.playbook(
        "playbooks/site.yml", "--limit desk1", inventory=copy, extra={"trust_secret_directory": str(secret)}
    )
    shutil.rmtree(secret)
    assert run.ok, run.failures
    assert "desk1: all roles: there is no seal key" in run.stdout
    assert run.changed() == {}
    assert run.stats["ok"]["desk1"] > 15
