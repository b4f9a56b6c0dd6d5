# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the inventory: 25,000 hosts that report, from a local registry, cold and warm.

What is measured is `ansible-inventory --list --export`, as AWX calls it. Most of its time is Ansible's own printing,
so it stands beside a floor: the same process with the same values, made ready and only set. `plugin_seconds` is what
this plugin takes of it. The desired hosts are a JSON file in all of them. The registry is the real one, on the same
machine and over HTTP on the loopback. The peer of the ratio is a static YAML inventory that prints the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "build/src"), str(HERE)]

from figures import figure  # noqa: E402
from state_data import TOKEN, Estate, fill_registry, write_desired  # noqa: E402
from state_yaml import write_yaml  # noqa: E402

EXPRESSIONS = {
    "compose": {"place": "host_site ~ '-' ~ host_index", "even": "host_index % 2 == 0"},
    "groups": {"firsts": "host_index == 1", "evens": "even"},
    "keyed_groups": [{"key": "host_site", "prefix": "at"}],
}


@dataclass(frozen=True)
class Taken:
    seconds: float
    processor: float


def listing(folder: Path, *arguments: str, output: Path | None = None) -> Taken:
    """One process of ansible-inventory over an inventory, as an operator waits for it."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_INVENTORY_PLUGINS": str(HERE / "inventory_plugins"),
        "ANSIBLE_INVENTORY_ENABLED": "ready,bocage.fleet.estate,yaml",
    }
    command = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(folder), *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    with open(output or os.devnull, "wb") as stream:
        subprocess.run(command, cwd=ROOT, env=environment, stdout=stream, check=True)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def probe(folder: Path, *more: Path) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "state_probe.py"), str(folder), *map(str, more)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def median(rounds: list[Taken]) -> Taken:
    return Taken(statistics.median(one.seconds for one in rounds), statistics.median(one.processor for one in rounds))


def interleaved(count: int, **works: Callable[[], Taken]) -> dict[str, Taken]:
    """Medians of rounds in which each work has its turn, so that a busy moment of the machine meets all of them."""
    found: dict[str, list[Taken]] = {name: [] for name in works}
    for _round in range(count):
        for name, work in works.items():
            found[name].append(work())
    return {name: median(rounds) for name, rounds in found.items()}


@contextlib.contextmanager
def registry(settings_file: Path) -> Iterator[str]:
    """The real registry in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    listen = f"127.0.0.1:{port}"
    child = subprocess.Popen(
        [sys.executable, "-m", "bocage_registry", "serve", "--config", str(settings_file), "--listen", listen],
        env={**os.environ, "PYTHONPATH": str(ROOT / "build/src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if child.poll() is not None or time.monotonic() > until:
                raise SystemExit("state.py: the registry did not start")
            time.sleep(0.05)
        yield f"http://{listen}"
    finally:
        child.terminate()
        child.wait(30)


class Bench:
    """One estate in a folder: its inventory with the plugin, its floor, and its registry's database."""

    def __init__(self, folder: Path, hosts: int) -> None:
        self.folder = folder
        self.estate = Estate.make(hosts)
        self.inventory, self.floor, self.static = (folder / name for name in ("estate", "floor", "yaml"))
        self.cache = folder / "cache"
        self.ready = folder / "ready.json"
        write_desired(self.estate, self.inventory)
        self.settings_file = fill_registry(self.estate, folder / "registry.db")
        (self.inventory / "trust/enrolments").mkdir(parents=True)
        shutil.copy(folder / "enrolment.pub", self.inventory / "trust")
        (folder / "token").write_text(TOKEN)

    def use(self, url: str) -> None:
        options = {
            "plugin": "bocage.fleet.estate",
            "registry_url": url,
            "token_file": "../token",
            "cache_directory": "../cache",
            # Made long ago or just now, the same hosts are fresh.
            "fresh_seconds": 43200,
            "stale_seconds": 50000,
            "strict": True,
        }
        (self.inventory / "reported.estate.yml").write_text(json.dumps(options))

    def forget(self) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)

    def make_floor(self) -> None:
        shutil.copytree(self.inventory, self.floor, ignore=shutil.ignore_patterns("trust", "*.estate.yml"))
        shutil.copy(self.ready, self.floor / "values.ready")

    def make_yaml(self) -> None:
        shutil.copytree(self.inventory / "group_vars", self.static / "group_vars")
        desired = json.loads((self.inventory / "hosts.json").read_text())["all"]["children"]["managed"]["hosts"]
        write_yaml(self.static / "hosts.yml", desired, json.loads(self.ready.read_text()))

    def cold(self) -> Taken:
        self.forget()
        return listing(self.inventory, "--list", "--export")

    def warm(self) -> Taken:
        return listing(self.inventory, "--list", "--export")


def measure_size(folder: Path, hosts: int, rounds: int) -> None:
    """Cold and warm beside the floor, and the work that was done, which is the same in every run."""
    bench = Bench(folder, hosts)
    name = f"inventory.{hosts}"
    with registry(bench.settings_file) as url:
        bench.use(url)
        cold_work = probe(bench.inventory, bench.ready)
        warm_work = probe(bench.inventory)
        bench.make_floor()
        found = interleaved(
            rounds,
            cold=bench.cold,
            warm=bench.warm,
            floor=lambda: listing(bench.floor, "--list", "--export"),
            # Without printing all hosts: what every play waits for before it begins.
            load=lambda: listing(bench.inventory, "--host", bench.estate.name(0)),
            floor_load=lambda: listing(bench.floor, "--host", bench.estate.name(0)),
        )
    for what in ("cold", "warm"):
        figure(f"{name}.{what}.seconds", found[what].seconds, "seconds", found["floor"].seconds)
        figure(f"{name}.{what}.processor_seconds", found[what].processor, "seconds", found["floor"].processor)
    figure(f"{name}.warm.load.seconds", found["load"].seconds, "seconds", found["floor_load"].seconds)
    figure(f"{name}.floor.seconds", found["floor"].seconds, "seconds")
    for what, work in (("cold", cold_work), ("warm", warm_work)):
        figure(f"{name}.{what}.plugin_seconds", work["plugin_seconds"], "seconds")
        figure(f"{name}.{what}.plugin_processor_seconds", work["plugin_processor_seconds"], "seconds")
        figure(f"{name}.{what}.signatures", work["signatures"], "signatures verified")
        figure(f"{name}.{what}.requests", work["requests"], "requests")


def measure_ratio(folder: Path, hosts: int, rounds: int) -> None:
    """The warm inventory beside static YAML that prints the same."""
    bench = Bench(folder, hosts)
    name = f"inventory.{hosts}"
    with registry(bench.settings_file) as url:
        bench.use(url)
        probe(bench.inventory, bench.ready)
        bench.make_yaml()
        ours, theirs = folder / "ours.json", folder / "theirs.json"
        listing(bench.inventory, "--list", "--export", output=ours)
        listing(bench.static, "--list", "--export", output=theirs)
        if json.loads(ours.read_bytes()) != json.loads(theirs.read_bytes()):
            raise SystemExit(f"state.py: {ours} and {theirs} differ, so their times must not be compared")
        one = bench.estate.name(0)
        found = interleaved(
            rounds,
            ours=bench.warm,
            theirs=lambda: listing(bench.static, "--list", "--export"),
        )
        # YAML's minutes are the same with and without printing, so one round tells enough of reading alone.
        found |= interleaved(
            1,
            our_load=lambda: listing(bench.inventory, "--host", one),
            their_load=lambda: listing(bench.static, "--host", one),
        )
    figure(f"{name}.warm.seconds", found["ours"].seconds, "seconds", found["theirs"].seconds)
    figure(f"{name}.ratio_to_yaml", found["ours"].seconds / found["theirs"].seconds, "of the seconds of YAML")
    figure(f"{name}.load.seconds", found["our_load"].seconds, "seconds", found["their_load"].seconds)
    figure(f"{name}.load.ratio_to_yaml", found["our_load"].seconds / found["their_load"].seconds, "of those of YAML")


def measure_expressions(folder: Path, hosts: int) -> None:
    """Expressions compiled for an inventory, beside the plugin constructed over the same hosts."""
    estate = Estate.make(hosts)
    works = {}
    for plugin in ("bocage.fleet.estate", "ansible.builtin.constructed"):
        write_desired(estate, folder / plugin)
        options = {"plugin": plugin, "strict": True, **EXPRESSIONS}
        (folder / plugin / f"reported.{plugin.rpartition('.')[2]}.yml").write_text(json.dumps(options))
        works[plugin] = probe(folder / plugin)
    ours, theirs = works.values()
    name = f"inventory.{hosts}.expressions"
    figure(f"{name}.compiled", ours["compiles"], "compiles", theirs["compiles"])
    figure(f"{name}.plugin_seconds", ours["plugin_seconds"], "seconds", theirs["plugin_seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the hosts and one round")
    parser.add_argument("--only", choices=("size", "ratio", "expressions"), help="one part of the figures")
    options = parser.parse_args()
    scale, rounds = (10, 1) if options.quick else (1, 3)
    with tempfile.TemporaryDirectory(prefix="bocage-bench-") as temporary:
        folder = Path(temporary)
        parts: dict[str, Callable[[Path], None]] = {
            "size": lambda part: measure_size(part, 25_000 // scale, rounds),
            "ratio": lambda part: measure_ratio(part, 10_000 // scale, rounds),
            "expressions": lambda part: measure_expressions(part, 1_000 // scale),
        }
        for name, measure in parts.items():
            if options.only in (None, name):
                (folder / name).mkdir()
                measure(folder / name)


if __name__ == "__main__":
    main()
