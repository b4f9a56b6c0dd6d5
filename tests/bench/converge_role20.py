# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a role of twenty small resources on ten hosts where nothing has to change.

The same resources as plain tasks with Ansible as installed and with this project's settings, under mitogen, with
pyinfra, and as a sealed role; in interleaved rounds, each run with connections of its own.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bench_lab import FOLDER, INVENTORY, hosts
from figures import figure, missing
from runs import ROOT, BenchError, Done, interleaved, new_connections, playbook, run, say, without_change

PEERS = ROOT / ".venv-bench"
HOSTS_FILE = INVENTORY / "hosts.yml"
RECORDER = {"ANSIBLE_CALLBACKS_ENABLED": "bocage.fleet.seal_recorder"}
_RESOURCES = 20
_GRAND_TOTAL = re.compile(r"^\s+Grand total\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)", re.MULTILINE)


class Role20:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts = hosts()
        (folder / "empty.cfg").touch()
        self.as_installed = {"ANSIBLE_CONFIG": str(folder / "empty.cfg")}

    def tasks(self) -> float:
        return self._plain(lambda more: playbook(HOSTS_FILE, FOLDER / "tasks.yml", **self.as_installed, **more))

    def tasks_tuned(self) -> float:
        return self._plain(lambda more: playbook(HOSTS_FILE, FOLDER / "tasks.yml", **more))

    def mitogen(self) -> float:
        """With as many forks as this project has; mitogen opens its own connections."""
        environment = {
            **self.as_installed,
            "ANSIBLE_STRATEGY": "mitogen_linear",
            "ANSIBLE_STRATEGY_PLUGINS": str(mitogen_plugins()),
            "ANSIBLE_FORKS": "20",
        }
        command: list[str | Path] = [PEERS / "bin/ansible-playbook", "-i", HOSTS_FILE, FOLDER / "tasks.yml"]
        return self._plain(lambda more: run(*command, **environment, **more))

    def pyinfra(self) -> float:
        done = run(PEERS / "bin/pyinfra", "-y", FOLDER / "hosts.py", FOLDER / "deploy.py")
        total = _GRAND_TOTAL.search(done.output)
        every = str(_RESOURCES * len(self.hosts))
        if total is None or total.groups() != (every, "-", "-", every):
            raise BenchError(f"pyinfra: not what was to be measured:\n{done.output[-3000:]}")
        return done.seconds

    def seal(self) -> Done:
        return playbook(INVENTORY, FOLDER / "sealed.yml", **RECORDER)

    def sealed(self) -> float:
        return self._plain(self._sealed_once)

    def sealed_connected(self) -> float:
        """Over connections that the run before has left open, as one has them that runs again within two minutes."""
        with new_connections() as environment:
            self._sealed_once(environment)
            return without_change(self._sealed_once(environment), self.hosts, "twenty resources")

    def _sealed_once(self, more: Mapping[str, str]) -> Done:
        profile = self.folder / "profile.json"
        done = playbook(INVENTORY, FOLDER / "sealed.yml", BOCAGE_PROFILE_PATH=str(profile), **RECORDER, **more)
        if ran := [one["name"] for one in json.loads(profile.read_text())["tasks"] if one["role"]]:
            raise BenchError(f"The sealed role was not skipped; it ran {', '.join(ran)}.")
        return done

    def _plain(self, once: Callable[[Mapping[str, str]], Done]) -> float:
        with new_connections() as environment:
            return without_change(once(environment), self.hosts, "twenty resources")


def mitogen_plugins() -> Path | None:
    return next(PEERS.glob("lib/python*/site-packages/ansible_mitogen/plugins/strategy"), None)


def peers(bench: Role20) -> tuple[dict[str, Callable[[], float]], dict[str, str]]:
    """The peers that work here, each tried once, and why the others do not."""
    install = "make bench installs it into .venv-bench"
    works: dict[str, Callable[[], float]] = {}
    absent: dict[str, str] = {}
    for name, there, work in (
        ("mitogen", mitogen_plugins() is not None, bench.mitogen),
        ("pyinfra", (PEERS / "bin/pyinfra").exists(), bench.pyinfra),
    ):
        if not there:
            absent[name] = f"{name} is not installed; {install}."
            continue
        try:
            work()
            works[name] = work
        except BenchError as error:
            say(str(error))
            absent[name] = f"{name} did not do the work: {str(error).splitlines()[-1].strip()}"
    return works, absent


def measure(rounds: int, quick: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="bocage-bench-") as name:
        bench = Role20(Path(name))
        say("the role is sealed, the peers are tried ...")
        bench.seal()
        found_peers, absent = peers(bench)
        works = {
            "tasks": bench.tasks,
            "tasks_tuned": bench.tasks_tuned,
            **found_peers,
            "sealed": bench.sealed,
            "sealed_connected": bench.sealed_connected,
        }
        if quick:
            say("quick: without plain tasks as installed")
            del works["tasks"]
            absent["tasks"] = "Left out by --quick."
        report(interleaved(rounds, works), absent)


def report(found: dict[str, float], absent: dict[str, str]) -> None:
    sealed = found["sealed"]
    for name in ("tasks", "tasks_tuned", "mitogen", "pyinfra", "sealed", "sealed_connected"):
        if name in found:
            figure(f"converge.role20.{name}.seconds", found[name], "s", baseline=found.get("tasks"))
        else:
            missing(f"converge.role20.{name}.seconds", "s", absent[name])
    for name in ("tasks", "tasks_tuned", "mitogen", "pyinfra"):
        if name in found:
            figure(f"converge.role20.ratio_to_{name}", sealed / found[name], "ratio")
        else:
            missing(f"converge.role20.ratio_to_{name}", "ratio", absent[name])
    if "pyinfra" in found:
        connected = found["sealed_connected"] / found["pyinfra"]
        figure("converge.role20.ratio_to_pyinfra_connected", connected, "ratio")
