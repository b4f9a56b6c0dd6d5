# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of converging the demo estate, beside the bare limit of SSH on the same hosts.

The lab is made new for the cold figure. The limit is one multiplexed SSH exec
for each host and remote call of the same run, all hosts side by side, in
rounds interleaved with the converges.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from figures import figure

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = "inventories/lab"
SSH = [
    "-F", "none", "-i", ".lab/ssh/id_ed25519", "-o", "UserKnownHostsFile=.lab/ssh/known_hosts_demo", "-o", "BatchMode=yes",
    "-o", "ControlMaster=auto", "-o", "ControlPersist=60s",
]  # fmt: skip


def run(*command: str, **environment: str) -> float:
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def playbook(name: str, *arguments: str, **environment: str) -> float:
    return run("ansible-playbook", "-i", INVENTORY, f"playbooks/{name}.yml", *arguments, **environment)


def converge(folder: Path) -> tuple[float, dict[str, Any]]:
    """Seconds of one converge as an operator waits for it, and the profile of the callback."""
    profile = folder / "profile.json"
    seconds = playbook("site", BOCAGE_PROFILE_PATH=str(profile), ANSIBLE_STDOUT_CALLBACK="bocage.fleet.progress")
    return seconds, json.loads(profile.read_text())


def addresses() -> dict[str, str]:
    listed = json.loads(
        subprocess.run(
            ["ansible-inventory", "-i", INVENTORY, "--list"], cwd=ROOT, capture_output=True, check=True
        ).stdout
    )
    hosts = [host for group in ("hubs", "gateways", "caches", "hypervisors") for host in listed[group]["hosts"]]
    return {host: listed["_meta"]["hostvars"][host]["ansible_host"] for host in hosts}


def ssh_limit(hosts: dict[str, str], calls: dict[str, int], sockets: Path) -> float:
    """Seconds for as many multiplexed execs on each host as the converge made remote calls."""

    def one(host: str) -> None:
        for _unused in range(calls[host]):
            subprocess.run(
                ["ssh", *SSH, "-o", f"ControlPath={sockets}/{host}", f"root@{hosts[host]}", "true"],
                cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip

    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        list(pool.map(one, hosts))
    return time.monotonic() - started


def new_lab() -> None:
    lab = ("ansible-playbook", "-i", "localhost,", "-e", "@lab/estates/demo.yml")
    run(*lab, "lab/down.yml")
    run(*lab, "lab/up.yml")
    playbook("trust")
    playbook("enrol", "-e", "enrol_key_holder=bench")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help="one round, on the lab that stands, without the cold figure"
    )
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not options.quick:
            print("a new lab for the cold converge ...", file=sys.stderr)
            new_lab()
            cold, profile = converge(folder)
            figure("converge.cold.seconds", cold, "s")
            figure("converge.cold.seconds_per_host", cold / len(profile["hosts"]), "s")
        converge(folder)
        hosts = addresses()
        taken, limits = [], []
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} ...", file=sys.stderr)
            seconds, profile = converge(folder)
            calls = {host: int(profile["hosts"].get(host, {}).get("remote_calls", 0)) for host in hosts}
            taken.append(seconds)
            limits.append(ssh_limit(hosts, calls, folder))
        limit = statistics.median(limits)
        figure("converge.noop.seconds", statistics.median(taken), "s", baseline=limit)
        figure(
            "converge.noop.seconds_per_host", statistics.median(taken) / len(hosts), "s", baseline=limit / len(hosts)
        )
        figure("converge.noop.remote_calls_per_host", statistics.median(calls.values()), "calls")


if __name__ == "__main__":
    main()
