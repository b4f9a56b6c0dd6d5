# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a full mesh written as files of WireGuard, beside wg-meshconf and beside writing the same bytes.

Ours begins with the variables of the inventory: it plans, renders and writes. wg-meshconf begins with its database.
Neither counts the start of its interpreter.
"""

from __future__ import annotations

import csv
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bocage_core._common.estate import Estate
from bocage_core._mesh.peers import MeshPlanner
from bocage_core._mesh.rendering import Renderer
from figures import figure, missing
from mesh_plan import key_of
from runs import ROOT, BenchError, say

NODES = 300
PEER_PYTHON = ROOT / ".venv-bench/bin/python"
# prints the seconds of its work alone
PEER_PROGRAM = """
import pathlib, sys, time
from wg_meshconf.database_manager import DatabaseManager
started = time.perf_counter()
DatabaseManager(pathlib.Path(sys.argv[1])).genconfig(None, pathlib.Path(sys.argv[2]))
print(time.perf_counter() - started)
"""


def variables(nodes: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """One site whose hosts all find each other on its LAN, so that each has all others as peers."""
    estate = {
        "estate_name": "bench", "estate_domain": "bench.internal", "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": {
            "core": {"index": 0},
            "site": {"index": 1, "tenant": "tenant", "lan_prefixes": ["10.1.0.0/16"], "overlay_ipv4_prefix": "10.2.0.0/16"},
        },
    }  # fmt: skip
    hosts: dict[str, dict[str, Any]] = {
        "hub": {"host_site": "core", "host_index": 1, "roles": ["hubs"], "mesh_endpoint": "203.0.113.1"}
    }
    for number in range(1, nodes):
        hosts[f"node{number}"] = {
            "host_site": "site", "host_index": number, "roles": ["hypervisors"],
            "mesh_lan_endpoint": f"10.1.{number // 250}.{number % 250 + 1}",
        }  # fmt: skip
    for name, values in hosts.items():
        values["public_key"] = key_of(name)
    return estate, hosts


def database(nodes: int, path: Path) -> None:
    """As many nodes with as much to say of each, as `wg-meshconf addpeer` would have written them."""
    empty = dict.fromkeys(
        ("FwMark", "DNS", "MTU", "Table", "PreUp", "PostUp", "PreDown", "PostDown", "SaveConfig", "AllowedIPs",
         "PersistentKeepalive"), ""
    )  # fmt: skip
    rows = [
        {
            "Name": f"node{number}", "Address": f"fd7b:4c1e:90a2:1::{number:x}/128,10.2.{number // 250}.{number % 250 + 1}/32",
            "Endpoint": f"10.1.{number // 250}.{number % 250 + 1}", "ListenPort": "51820", "PrivateKey": key_of(f"private{number}"),
            **empty,
        }
        for number in range(nodes)
    ]  # fmt: skip
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)


def write_all(files: dict[str, bytes], folder: Path) -> None:
    """Plain files, as wg-meshconf writes them, too: nothing waits for the disk."""
    folder.mkdir()
    for name, content in files.items():
        with open(folder / f"{name}.conf", "wb") as stream:
            stream.write(content)


def measure(rounds: int, nodes: int = NODES) -> None:
    estate_vars, hosts = variables(nodes)

    def made() -> dict[str, bytes]:
        renderer = Renderer(MeshPlanner(Estate.from_vars(estate_vars, hosts)))
        return {name: renderer.configuration(name).encode() for name in hosts}

    ready = made()
    blocks = sum(content.count(b"[Peer]") for content in ready.values())
    with tempfile.TemporaryDirectory(prefix="bocage-bench-") as name:
        folder = Path(name)
        database(nodes, folder / "database.csv")

        def timed(work: Callable[[Path], None]) -> Callable[[Path], float]:
            def seconds(target: Path) -> float:
                started = time.perf_counter()
                work(target)
                return time.perf_counter() - started

            return seconds

        def peer(target: Path) -> float:
            done = subprocess.run(
                [PEER_PYTHON, "-c", PEER_PROGRAM, str(folder / "database.csv"), str(target)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                raise BenchError(f"wg-meshconf failed: {done.stderr}")
            theirs = sum(path.read_bytes().count(b"[Peer]") for path in target.iterdir())
            if theirs < blocks:
                raise BenchError(f"wg-meshconf wrote {theirs} blocks of peers where {blocks} are ours")
            return float(done.stdout)

        works = {
            "ours": timed(lambda target: write_all(made(), target)),
            "raw write": timed(lambda target: write_all(ready, target)),
            "wg-meshconf": peer,
        }
        if not PEER_PYTHON.exists():
            del works["wg-meshconf"]
        found: dict[str, list[float]] = {work: [] for work in works}
        for number in range(rounds):
            # the first to write after a pause of the disk is another one each time
            order = [*works][number % len(works) :] + [*works][: number % len(works)]
            for work, seconds in ((one, works[one]) for one in order):
                found[work].append(seconds(folder / f"{work}{number}"))
                say(f"round {number + 1} of {rounds}: {work}: {found[work][-1]:.3f} s")
            # what the system writes behind our back belongs to nobody's next turn
            os.sync()
    median = {work: statistics.median(taken) for work, taken in found.items()}
    label = "mesh.render"
    figure(f"{label}.seconds", median["ours"], "s", baseline=median.get("wg-meshconf"))
    figure(f"{label}.bytes", sum(map(len, ready.values())), "bytes")
    if "wg-meshconf" in median:
        figure(f"{label}.ratio_to_meshconf", median["ours"] / median["wg-meshconf"], "ratio")
    else:
        missing(f"{label}.ratio_to_meshconf", "ratio", "wg-meshconf is not installed in .venv-bench")
    figure(f"{label}.ratio_to_raw_write", median["ours"] / median["raw write"], "ratio")
