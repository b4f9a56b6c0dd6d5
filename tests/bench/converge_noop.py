# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of converging the demo estate: new, unchanged, and with one changed variable.

An unchanged run stands beside the bare limit (one multiplexed SSH exec for each host and remote call of the run, all
hosts side by side), beside an empty play on the same hosts, and beside the same run with seals ignored, in interleaved
rounds. The lab is made new for the cold figure.
"""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from figures import figure
from runs import ROOT, Sessions, changes, counted_sessions, interleaved, playbook, run, say, without_change

INVENTORY = "inventories/lab"
EMPTY = Path(__file__).resolve().parent / "empty.yml"
SSH = [
    "-F", "none", "-i", ".lab/ssh/id_ed25519", "-o", "UserKnownHostsFile=.lab/ssh/known_hosts_demo", "-o", "BatchMode=yes",
    "-o", "ControlMaster=auto", "-o", "ControlPersist=60s",
]  # fmt: skip
IGNORED = ("-e", "bocage_seals=ignore")
# What is changed for one host, and the values that a host of the lab has anyhow.
VARIABLE, CHANGED_HOST = "agent_report_jitter_seconds", "desk1"


class Converge:
    """Runs of site.yml, with the profile of the callback."""

    def __init__(self, folder: Path) -> None:
        self.profile_file = folder / "profile.json"
        self.hosts = addresses()

    def run(self, *arguments: str, inventory: str | Path = INVENTORY, **environment: str) -> tuple[Any, dict[str, Any]]:
        """One run as an operator waits for it, and its profile."""
        done = playbook(
            inventory, "playbooks/site.yml", *arguments, BOCAGE_PROFILE_PATH=str(self.profile_file),
            ANSIBLE_STDOUT_CALLBACK="bocage.fleet.progress", **environment,
        )  # fmt: skip
        return done, json.loads(self.profile_file.read_text())

    def unchanged(self, *arguments: str) -> tuple[float, dict[str, Any]]:
        done, profile = self.run(*arguments)
        return without_change(done, self.hosts, "site.yml"), profile

    def calls(self, profile: dict[str, Any]) -> dict[str, int]:
        return {host: int(profile["hosts"].get(host, {}).get("remote_calls", 0)) for host in self.hosts}


def addresses() -> dict[str, str]:
    command = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", INVENTORY, "--list"]
    listed = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
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
    playbook(INVENTORY, "playbooks/trust.yml")
    playbook(INVENTORY, "playbooks/enrol.yml", "-e", "enrol_key_holder=bench")


@contextmanager
def own_inventory() -> Iterator[Path]:
    """A copy of the lab's inventory, from which the same paths lead to the lab's keys."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lab-", dir=ROOT / "build") as name:
        folder = Path(name)
        shutil.copytree(ROOT / INVENTORY, folder, dirs_exist_ok=True)
        yield folder


def measure_cold(folder: Path) -> None:
    say("a new lab for the cold converge ...")
    new_lab()
    converge = Converge(folder)
    done, _profile = converge.run()
    changes(done.output)
    figure("converge.cold.seconds", done.seconds, "s")
    figure("converge.cold.seconds_per_host", done.seconds / len(converge.hosts), "s")


def measure_noop(folder: Path, rounds: int) -> None:
    converge = Converge(folder)
    say("site.yml until nothing changes ...")
    converge.run()
    _seconds, profile = converge.unchanged()
    calls = converge.calls(profile)
    if roles := sorted(name for name, one in profile["roles"].items() if name and one["remote_calls"]):
        say(f"NOT what seals are for: roles ran although nothing had changed: {', '.join(roles)}")

    def limit() -> float:
        return ssh_limit(converge.hosts, calls, folder)

    limit()
    found = interleaved(
        rounds,
        {
            "empty play": lambda: playbook(INVENTORY, EMPTY).seconds,
            "limit of SSH": limit,
            "site.yml": lambda: converge.unchanged()[0],
            "site.yml, seals ignored": lambda: converge.unchanged(*IGNORED)[0],
        },
    )
    seconds, bare = found["site.yml"], found["limit of SSH"]
    count = len(converge.hosts)
    figure("converge.noop.seconds", seconds, "s", baseline=bare)
    figure("converge.noop.seconds_per_host", seconds / count, "s", baseline=bare / count)
    figure("converge.noop.empty_play_seconds", found["empty play"], "s")
    figure("converge.noop.unsealed_seconds", found["site.yml, seals ignored"], "s")
    figure("converge.noop.ratio_to_empty_play", seconds / found["empty play"], "ratio")
    figure("converge.noop.ratio_to_unsealed", seconds / found["site.yml, seals ignored"], "ratio")
    figure("converge.noop.remote_calls_per_host", statistics.median(calls.values()), "calls")
    count_sessions(converge)


def count_sessions(converge: Converge) -> None:
    """In a run of its own, as counting costs a moment for each session."""
    sessions: Sessions
    with counted_sessions() as (environment, sessions):
        converge.run(**environment)
    by_host = {host: sessions.hosts[address] for host, address in converge.hosts.items()}
    say(f"sessions by host: {by_host}")
    figure("converge.noop.sessions_per_host", statistics.median(by_host.values()), "sessions")
    figure("converge.noop.sessions_of_the_busiest_host", max(by_host.values()), "sessions")
    # for the whole run: the inventory asks the registry through the hub
    figure("converge.noop.registry_forwards", sum(sessions.forwards.values()), "connections")


def measure_one_variable(folder: Path, rounds: int) -> None:
    """Each run has another value, so that each has one change to carry out."""
    converge = Converge(folder)
    values = itertools.count(6)
    with own_inventory() as inventory:
        (inventory / "host_vars").mkdir()

        def changed(*arguments: str) -> float:
            (inventory / f"host_vars/{CHANGED_HOST}.yml").write_text(f"{VARIABLE}: {next(values)}\n")
            done, _profile = converge.run(*arguments, inventory=inventory)
            found = sorted(name for name, count in changes(done.output).items() if count)
            if found != [CHANGED_HOST]:
                say(f"NOT what was to be measured: changed were {found}, not only {CHANGED_HOST}")
            return float(done.seconds)

        found = interleaved(
            rounds,
            {"one variable": changed, "one variable, seals ignored": lambda: changed(*IGNORED)},
        )
    converge.run()
    figure("converge.one_variable.seconds", found["one variable"], "s", baseline=found["one variable, seals ignored"])


def measure(rounds: int, quick: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not quick:
            measure_cold(folder)
        measure_noop(folder, rounds)
        measure_one_variable(folder, rounds)
