# SPDX-License-Identifier: GPL-3.0-or-later
"""From a bare lab to a proved estate, with an interruption on the way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import driver
import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.proof_text import TITLES

KEYS = {
    "/etc/bocage/mesh/private.key": driver.MANAGED,
    "/etc/bocage/report.key": driver.MANAGED,
    "/etc/bocage/registry-tls/registry.key": ("hub1",),
}


class ProcessWatch(threading.Thread):
    """Collects the command lines of all processes of the machine, those in containers, too."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.1):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        self.seen.add((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                    except OSError:
                        continue


@pytest.fixture(scope="session")
def process_watch() -> ProcessWatch:
    watch = ProcessWatch()
    watch.start()
    return watch


def test_trust_is_made_once() -> None:
    first = driver.playbook("playbooks/trust.yml")
    assert first.ok, first.failures
    before = (driver.INVENTORY / "trust" / "enrolment.pub").read_bytes()
    second = driver.playbook("playbooks/trust.yml")
    assert second.ok
    assert not second.changed()
    assert (driver.INVENTORY / "trust" / "enrolment.pub").read_bytes() == before


def test_an_unenrolled_host_is_refused_in_one_sentence() -> None:
    run = driver.playbook("playbooks/mesh.yml", "--limit gw1")
    assert not run.ok
    assert any(
        "Host gw1 is not enrolled; run playbooks/enrol.yml for it first." in message for _h, _t, message in run.failures
    )


def test_enrolment_needs_a_named_key_holder() -> None:
    run = driver.playbook("playbooks/enrol.yml")
    assert not run.ok
    assert "Nobody is named as key holder" in run.failures[0][2]


def test_enrolment(process_watch: ProcessWatch) -> None:
    run = driver.playbook("playbooks/enrol.yml", extra={"enrol_key_holder": "lab"}, verbosity=3)
    assert run.ok, run.failures
    again = driver.playbook("playbooks/enrol.yml", extra={"enrol_key_holder": "lab"})
    assert again.ok
    assert not again.changed()


def test_check_before_the_first_converge() -> None:
    """Of a hub, a gateway and a host at home, which have all roles between them."""
    run = driver.playbook("playbooks/site.yml", "--check --diff --limit hub1,gw1,tele1")
    assert run.ok, run.failures
    assert driver.on("gw1", "ls /etc/bocage/mesh/bocage0.conf /opt/bocage 2>/dev/null || true") == ""


def test_an_interrupted_converge_is_completed_by_the_next(process_watch: ProcessWatch) -> None:
    log = driver.ROOT / "build" / "test-artifacts" / "interrupted.log"
    with log.open("w") as kept:
        process = subprocess.Popen(
            ["ansible-playbook", "-i", str(driver.INVENTORY), "playbooks/site.yml", "-vvv", "--diff"],
            cwd=driver.ROOT, env={**os.environ, **driver.environment(), "ANSIBLE_STDOUT_CALLBACK": "default"},
            stdout=kept, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        driver.eventually(lambda: b"Apply the interface" in log.read_bytes(), 900, "the interface is applied")
        assert _interrupted(process) != 0, "the run ended before it was interrupted"
    finally:
        process.kill()
    run = driver.playbook("playbooks/site.yml", "--diff", verbosity=3)
    assert run.ok, run.failures
    assert run.changed()


def _interrupted(process: subprocess.Popen[bytes]) -> int:
    """With Ctrl+C, and once more where Ansible waits for workers that the first one ended (2.19 does, now and then)."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        return process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        print("the first interrupt did not end the run within 60 s")
        os.killpg(process.pid, signal.SIGINT)
        return process.wait(timeout=60)


def test_a_second_converge_changes_nothing_and_warns_of_nothing() -> None:
    """Of every task of every role: seals would skip them. All of them are left whole."""
    run = driver.playbook("playbooks/site.yml", "--diff", extra={"bocage_seals": "ignore"})
    assert run.ok, run.failures
    assert run.changed_tasks == []
    assert run.warnings == []
    assert all(run.stats["ok"][host] > 15 for host in driver.MANAGED)
    assert "gw1: all roles: seals are ignored" in run.stdout
    for host in driver.MANAGED:
        driver.on(host, f"{driver.AGENT} seals verify")


def test_the_estate_is_proved() -> None:
    run = driver.playbook("playbooks/prove.yml")
    assert run.ok, run.failures
    for title in TITLES.values():
        assert re.search(rf"proved  {re.escape(title)}", run.stdout), title
    assert "FAILED" not in run.stdout


def test_attack_private_keys_are_nowhere_but_on_their_host(process_watch: ProcessWatch) -> None:
    """Searches logs, diffs, process lists, registry, controller and the other hosts for each private key."""
    process_watch.done.set()
    secrets: dict[str, str] = {}
    for path, hosts in KEYS.items():
        for host in hosts:
            text = driver.on(host, f"cat {path}")
            # the longest line is the key itself, without PEM's frame
            secrets[f"{host}:{path}"] = max((line for line in text.splitlines() if "-----" not in line), key=len)
    assert len(secrets) == 13
    assert len(set(secrets.values())) == len(secrets)
    commands = "\n".join(process_watch.seen)
    assert "wg pubkey" in commands or "wg show" in commands, "the watch saw no run"
    places = [driver.ROOT / "build", driver.ROOT / ".lab", driver.ROOT / "inventories", Path("~/.ansible").expanduser()]
    texts = {
        str(path): path.read_bytes()
        for place in places
        for path in place.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 50_000_000
    }
    assert any("runner-" in name for name in texts)
    for name, secret in secrets.items():
        assert secret not in commands, f"{name} was on a command line"
        for place, content in texts.items():
            assert secret.encode() not in content, f"{name} is in {place}"
    for host in driver.MANAGED:
        # fixed strings from standard input, so that the search itself shows nothing; grep fails where a file goes away
        # meanwhile, and where it has searched nothing the host's own keys are missing below
        found = driver.on(
            host,
            "cd /; journalctl --no-pager -o cat > /tmp/journal.txt; "
            "grep -raoHF --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev -f /dev/stdin "
            "etc var opt root tmp run 2>/dev/null <<'SECRETS' || true\n" + "\n".join(secrets.values()) + "\nSECRETS\n"
            "rm -f /tmp/journal.txt",
            timeout=120,
        ).split()
        expected = {f"{path.lstrip('/')}:{secrets[f'{host}:{path}']}" for path, hosts in KEYS.items() if host in hosts}
        # which key, and never the key itself, is told where this fails
        assert {line.rpartition(":")[0] for line in found} == {line.rpartition(":")[0] for line in expected}, host
        alike = set(found) == expected
        assert alike, f"a file of {host} has another key than its own"
