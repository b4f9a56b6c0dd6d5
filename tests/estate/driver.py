# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks as an operator does, through ansible-runner, and looks into the lab's hosts."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner
import yaml

ROOT = Path(__file__).resolve().parents[2]
PODMAN = ROOT / "lab" / "bin" / "podman"
INVENTORY = ROOT / "inventories" / "lab"
# The agent's program on each managed host.
AGENT = "/opt/bocage/agent/current/bin/bocage-agent"
# Whether tests of this session made the lab that stands; tests of another folder go on with it.
MANAGED = ("hub1", "gw1", "gw2", "wrs1", "desk1", "tele1")


@dataclass
class Run:
    """What a playbook did, from the events of ansible-runner."""

    status: str
    stdout: str
    stats: Mapping[str, Mapping[str, int]]
    changed_tasks: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    tasks: list[tuple[str, str]] = field(default_factory=list)
    """Host and name of all that ran and did not fail."""
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.status == "successful"

    def asked(self) -> set[str]:
        """Hosts that were asked whether their seals hold: the one contact of a run without changes."""
        return {host for host, task in self.tasks if task == "Ask the host once"}

    def changed(self) -> dict[str, int]:
        return {host: count for host, count in self.stats.get("changed", {}).items() if count}


def environment(**extra: str) -> dict[str, str]:
    return {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_DEPRECATION_WARNINGS": "True",
        "ANSIBLE_SYSTEM_WARNINGS": "True",
        "LC_ALL": "C.UTF-8",
        "PATH": os.environ["PATH"],
        **extra,
    }


def _collect(runner: Any) -> Run:
    stdout = runner.stdout.read()
    # the runner makes no event of a warning; it is only printed
    warnings = re.findall(r"^.*\[(?:DEPRECATION )?WARNING\].*$", stdout, re.MULTILINE)
    run = Run(status=runner.status, stdout=stdout, stats=runner.stats or {}, warnings=warnings)
    for event in runner.events:
        data = event.get("event_data", {})
        result = data.get("res", {})
        if event["event"] == "runner_on_ok":
            run.tasks.append((data["host"], data["task"]))
        if event["event"] == "runner_on_ok" and result.get("changed"):
            run.changed_tasks.append((data["host"], data["task"]))
        elif event["event"] in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors"):
            run.failures.append((data["host"], data["task"], str(result.get("msg"))))
    return run


def playbook(
    name: str, *arguments: str, inventory: Path = INVENTORY, extra: Mapping[str, Any] | None = None, verbosity: int = 0
) -> Run:
    """Run a playbook of the project; the artifacts are kept for the search for secrets."""
    artifacts = ROOT / "build" / "test-artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    data = tempfile.mkdtemp(prefix="runner-", dir=artifacts)
    runner = ansible_runner.run(
        private_data_dir=data,
        project_dir=str(ROOT),
        playbook=name,
        inventory=str(inventory),
        envvars=environment(),
        extravars=dict(extra or {}),
        cmdline=" ".join(arguments) or None,
        verbosity=verbosity or None,
        quiet=True,
        timeout=1500,
    )
    run = _collect(runner)
    print(f"{name} {' '.join(arguments)}: {run.status}; changed {run.changed()}")
    for failure in run.failures:
        print("  failed:", *failure)
    return run


def no_upgrade_by_itself(host: str) -> None:
    """From now on nothing is installed there but what a test asks for; what is under way comes to its end."""
    on(
        host,
        "systemctl stop bocage-agent-upgrade.timer; "
        "while [ $(systemctl show -P ActiveState bocage-agent-upgrade) = activating ]; do sleep 1; done",
    )


def package_drift(host: str) -> str:
    """What the inventory finds wrong with packages of a host; a unit that a test has stopped is there, too."""
    reported = inventory_list()[0]["_meta"]["hostvars"][host]["reported"]
    return json.dumps(reported.get("drift", {}).get("packages", []))


packages_served = False


def serve_packages() -> None:
    """Packages are trusted, and hub and cache serve them; once for all tests of a session."""
    global packages_served
    if packages_served:
        return
    for name in ("package_trust", "packages", "publish_package"):
        run = playbook(f"playbooks/{name}.yml")
        assert run.ok, run.failures
    packages_served = True


def lab(action: str, *arguments: str) -> None:
    """Bring the demo's lab up or down by its own playbooks."""
    command = ["ansible-playbook", "-i", "localhost,", f"lab/{action}.yml", "-e", "@lab/estates/demo.yml", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment()}, check=True, timeout=900)


def on(host: str, script: str, check: bool = True, timeout: int = 60) -> str:
    """Run a script on a host of the lab, beside Ansible."""
    done = subprocess.run(
        [str(PODMAN), "exec", "-i", f"bocage-demo-{host}", "bash", "-s"],
        input=script, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise AssertionError(f"on {host}: {script!r} gave {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


REGISTRY_SOCKET = "curl -sf --unix-socket /run/bocage-registry/registry.sock"


def ask_registry(path: str) -> dict[str, Any]:
    """Ask the registry on the hub as a reader; the token goes by standard input."""
    token = (ROOT / ".lab" / "trust" / "reader.token").read_text().strip()
    answer = on(
        "hub1", f"{REGISTRY_SOCKET} -H @/dev/stdin 'http://registry{path}' <<'H'\nAuthorization: Bearer {token}\nH\n"
    )
    found: dict[str, Any] = json.loads(answer)
    return found


def registry_answers() -> None:
    """Wait until the registry on the hub answers."""
    on("hub1", f"for try in $(seq 50); do {REGISTRY_SOCKET} http://registry/healthz && exit 0; sleep 0.2; done; exit 1")


def restart(host: str, seconds: int = 5) -> None:
    """Reboot a host, which has so many seconds to go down, and wait until all of it runs.

    The controller may know its old hardware address for some time.
    """
    command = [str(PODMAN), "restart", "--time", str(seconds), f"bocage-demo-{host}"]
    subprocess.run(command, check=True, capture_output=True, timeout=85 + seconds)
    eventually(lambda: answers_ssh(host), 60, f"{host} answers the controller again")
    eventually(
        lambda: on(host, "systemctl is-system-running", check=False).strip() == "running", 60, f"{host} runs again"
    )


def reaches(host: str, target: str) -> bool:
    return " 0% packet loss" in on(host, f"ping -n -c1 -W1 {target}", check=False)


def gateway_health(host: str) -> dict[str, Any]:
    """What the gateway finds of itself; nothing while it starts."""
    found = json.loads(on(host, "cat /run/bocage/gateway/health.json", check=False) or "{}")
    assert isinstance(found, dict)
    return found


def reboot(host: str) -> None:
    """Reboot a host and wait until it is what it was before, without a play."""
    restart(host)
    # an old session is given up 15 seconds after its first packet without an answer (WireGuard, section 6)
    for other in MANAGED:
        eventually(lambda other=other: reaches(other, f"{host}.demo.internal"), 60, f"{other} reaches {host} again")
    if host.startswith("gw"):
        eventually(
            lambda: gateway_health(host).get("healthy", False) and not gateway_health(host)["released"],
            60,
            f"{host} carries the LAN's traffic again",
        )


def nothing_is_left_to_do() -> None:
    """Every host has reported, the estate proves itself, and a play finds nothing to change."""
    registry_answers()
    for host in MANAGED:
        on(host, "systemctl start bocage-agent-report")
    run = playbook("playbooks/prove.yml")
    assert run.ok, run.failures
    run = playbook("playbooks/site.yml")
    assert run.ok, run.failures
    assert run.changed_tasks == []


def answers_ssh(host: str) -> bool:
    address = yaml.safe_load((ROOT / "lab/estates/demo.yml").read_text())["lab_hosts"][host]["management"]
    try:
        with socket.create_connection((address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def inventory_list(inventory: Path = INVENTORY, **extra: str) -> tuple[dict[str, Any], str]:
    """``ansible-inventory --list`` as data, and what it said on standard error."""
    done = subprocess.run(
        ["ansible-inventory", "-i", str(inventory), "--list"],
        cwd=ROOT, env={**os.environ, **environment(**extra)}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return json.loads(done.stdout), done.stderr


def eventually(condition: Callable[[], bool], seconds: float, about: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {about}")
        time.sleep(1)


def inventory_copy(name: str) -> Path:
    """A copy of the lab's inventory that a test may alter; relative paths still lead to the lab."""
    base = ROOT / "build" / "test-inventories"
    shutil.rmtree(base / name, ignore_errors=True)
    base.mkdir(parents=True, exist_ok=True)
    for link in (".lab", "lab"):
        target = ROOT / "build" / link
        if not target.is_symlink():
            target.symlink_to(ROOT / link)
    shutil.copytree(INVENTORY, base / name)
    return base / name
