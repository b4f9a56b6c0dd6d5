# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of one changed peer among a thousand on one host: our difference beside `wg syncconf` and `wg setconf`.

A real wireguard-go device in a network namespace of its own, with some peers that are really there behind a cable
and have a session. What is ours reads the live device, works out the difference, applies it and writes the files;
the others are handed a file that is written already. A session is lost where the device began to count anew.
This program enters the namespace by starting itself again in it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "build/src"), str(HERE.parents[0] / "unit/plugins/module_utils")]

from bocage_core._mesh import apply  # noqa: E402
from bocage_core._mesh.interface import desired_state, render_configuration  # noqa: E402
from figures import figure, missing  # noqa: E402
from mesh_plan import key_of  # noqa: E402
from network_namespace import NetworkNamespace  # noqa: E402
from runs import BenchError, say  # noqa: E402

NAME, PEERS, HELD = "bocage0", 1000, 8
NEAR, FAR = "10.99.0.1", "10.99.0.2"
FIGURES = (("ratio_to_syncconf", "ratio"), ("sessions_lost", "sessions"))


# seconds of each command of ours that changed the live device
CHANGING: list[float] = []


def run(command: list[str]) -> tuple[int, str, str]:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if command[:2] == ["wg", "set"]:
        CHANGING.append(time.perf_counter() - started)
    if command[0] == "systemctl":
        # asked as on a host, and answered for it, since this machine has no such unit
        if command[1] != "show":
            return 0, "", ""
        units = len(command) - command.index("--") - 1
        state = "LoadState=loaded\nActiveState=active\nSubState=exited\nUnitFileState=enabled\nNeedDaemonReload=no\n"
        return 0, "\n".join([state] * units), ""
    return done.returncode, done.stdout, done.stderr


def must(*command: str) -> str:
    status, output, error = run(list(command))
    if status:
        raise BenchError(f"{' '.join(command)} failed: {error}")
    return output


class Bench:
    """The host with its thousand peers, and the few that answer."""

    def __init__(self, folder: Path, far: NetworkNamespace) -> None:
        self.folder, self.far = folder, far
        self.variant = 0
        self.private = must("wg", "genkey").strip()
        (folder / "private.key").write_text(self.private + "\n")
        apply._drop_in = lambda name: folder / f"{name}.drop-in"
        self.keys: list[str] = []
        self.device: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        must("mount", "-t", "tmpfs", "tmpfs", "/run")
        must("ip", "link", "set", "dev", "lo", "up")
        must("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.far.pid))
        must("ip", "address", "add", f"{NEAR}/30", "dev", "near")
        must("ip", "link", "set", "dev", "near", "up")
        self.far.must("ip", "address", "add", f"{FAR}/30", "dev", "far")
        self.far.must("ip", "link", "set", "dev", "far", "up")
        public = subprocess.run(
            ["wg", "pubkey"], input=self.private, capture_output=True, text=True, check=True
        ).stdout.strip()
        for number in range(HELD):
            self._far_end(number, public)
        self.device = subprocess.Popen(
            ["wireguard-go", "-f", NAME], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: run(["wg", "show", NAME])[0] == 0, "wireguard-go did not come")
        self.far.start(
            sys.executable, str(HERE / "udp_probes.py"), "answer", *(f"10.98.1.{at + 1}" for at in range(HELD))
        )
        must("wg", "set", NAME, "private-key", str(self.folder / "private.key"))
        self.ours()

    def _far_end(self, number: int, public: str) -> None:
        name, path = f"far{number}", self.folder / f"far{number}.key"
        self.far.start("wireguard-go", "-f", name)
        wait_for(lambda: self.far.run(["wg", "show", name])[0] == 0, "wireguard-go did not come")
        path.write_text(self.far.must("wg", "genkey"))
        self.far.must(
            "wg", "set", name, "listen-port", str(52000 + number), "private-key", str(path),
            "peer", public, "allowed-ips", f"10.98.0.{number + 1}/32", "endpoint", f"{NEAR}:51820",
        )  # fmt: skip
        self.far.must("ip", "address", "add", f"10.98.1.{number + 1}/32", "dev", name)
        self.far.must("ip", "link", "set", "dev", name, "up")
        self.far.must("ip", "route", "add", f"10.98.0.{number + 1}/32", "dev", name)
        self.keys.append(self.far.must("wg", "show", name, "public-key").strip())

    def parameters(self) -> dict[str, Any]:
        """The plan, in which each time another prefix belongs to the last peer."""
        self.variant += 1
        peers = [
            {
                "name": f"held{number}", "public_key": key, "endpoint": f"{FAR}:{52000 + number}",
                "allowed_ips": [f"10.98.1.{number + 1}/32"], "keepalive_seconds": 0,
            }
            for number, key in enumerate(self.keys)
        ]  # fmt: skip
        for number in range(PEERS - len(peers)):
            more = [f"10.97.{self.variant // 250}.{self.variant % 250}/32"] if number == PEERS - HELD - 1 else []
            peers.append(
                {
                    "name": f"host{number}", "public_key": key_of(f"host{number}"), "endpoint": None,
                    "allowed_ips": [f"fd7b:4c1e:90a2:1::{number + 1:x}/128", f"10.96.{number // 250}.{number % 250}/32", *more],
                    "keepalive_seconds": 0,
                }
            )  # fmt: skip
        return {
            "name": NAME, "listen_port": 51820, "mtu": 1420, "backend": "userspace", "peers": peers,
            "addresses": [f"10.98.0.{number + 1}/32" for number in range(HELD)],
            "routes": [{"prefix": "10.98.1.0/24", "source": None}, {"prefix": "fd7b:4c1e:90a2::/48", "source": None}],
            "private_key_file": str(self.folder / "private.key"), "configuration_directory": str(self.folder),
        }  # fmt: skip

    def ours(self) -> float:
        parameters = self.parameters()
        started = time.perf_counter()
        done = apply.ensure_present(parameters, run, False)
        seconds = time.perf_counter() - started
        if not done["changed"]:
            raise BenchError("nothing was changed, so nothing was measured")
        return seconds

    def by_file(self, how: str) -> float:
        path = self.folder / "whole.conf"
        text = render_configuration(desired_state(self.parameters()))
        path.write_text(text.replace("[Interface]\n", f"[Interface]\nPrivateKey = {self.private}\n", 1))
        started = time.perf_counter()
        must("wg", how, NAME, str(path))
        return time.perf_counter() - started

    def received(self) -> dict[str, int]:
        """Bytes from each of the peers that are there; a session that was lost counts from nothing again."""
        found = (line.split("\t") for line in must("wg", "show", NAME, "transfer").splitlines())
        return {key: int(received) for key, received, _sent in found if key in self.keys}

    def meet(self) -> None:
        """A session with each of the peers that are there."""
        for number in range(HELD):
            wait_for(lambda at=number: self.probe(at, 1).wait() == 0, f"peer {number} does not answer")

    @staticmethod
    def probe(number: int, count: int) -> subprocess.Popen[str]:
        """Probes through a session; the exit status is how many were lost."""
        return subprocess.Popen(
            [sys.executable, str(HERE / "udp_probes.py"), "ask", f"10.98.0.{number + 1}", f"10.98.1.{number + 1}", str(count)],
            text=True,
        )  # fmt: skip

    def watched(self, work: Callable[[], float]) -> tuple[float, int, int]:
        """Seconds of the work, sessions that it cost, and probes that were lost through one of them meanwhile."""
        self.meet()
        before = self.received()
        probes = self.probe(0, 150)
        time.sleep(0.5)
        seconds = work()
        after = self.received()
        lost = probes.wait()
        return seconds, sum(after.get(key, 0) < count for key, count in before.items()), lost

    def rounds(self, rounds: int) -> dict[str, list[tuple[float, int, int]]]:
        works: dict[str, Callable[[], float]] = {
            "ours": self.ours,
            "wg syncconf": lambda: self.by_file("syncconf"),
            "wg setconf": lambda: self.by_file("setconf"),
        }
        found: dict[str, list[tuple[float, int, int]]] = {name: [] for name in works}
        for number in range(rounds):
            for name, work in works.items():
                one = self.watched(work)
                found[name].append(one)
                say(
                    f"round {number + 1} of {rounds}: {name}: {one[0]:.4f} s, {one[1]} sessions and {one[2]} probes lost"
                )
        return found

    def close(self) -> None:
        if self.device is not None:
            self.device.terminate()
            self.device.wait(10)


def wait_for(what: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 20
    while not what():
        if time.monotonic() > deadline:
            raise BenchError(otherwise)
        time.sleep(0.02)


def inside(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bocage-bench-") as name, NetworkNamespace() as far:
        bench = Bench(Path(name), far)
        try:
            bench.prepare()
            found = bench.rounds(rounds)
        finally:
            bench.close()
        seconds = {name: statistics.median(one[0] for one in many) for name, many in found.items()}
        sessions = {name: sum(one[1] for one in many) for name, many in found.items()}
        probes = {name: sum(one[2] for one in many) for name, many in found.items()}
    label = "mesh.one_peer"
    figure(f"{label}.seconds", seconds["ours"], "s", baseline=seconds["wg setconf"])
    figure(f"{label}.ratio_to_syncconf", seconds["ours"] / seconds["wg syncconf"], "ratio")
    # of what is ours, the command that changes the device; the rest reads, compares, and writes files
    figure(f"{label}.change_only_ratio_to_syncconf", statistics.median(CHANGING) / seconds["wg syncconf"], "ratio")
    figure(f"{label}.ratio_to_setconf", seconds["ours"] / seconds["wg setconf"], "ratio")
    figure(f"{label}.sessions_lost", sessions["ours"], "sessions", baseline=sessions["wg setconf"])
    figure(f"{label}.lost_probes", probes["ours"], "probes", baseline=probes["wg setconf"])


def measure(rounds: int) -> None:
    """Where the machine has no namespaces or no wireguard-go, the figures are told as missing."""
    if not os.access("/dev/net/tun", os.W_OK):
        for name, unit in FIGURES:
            missing(f"mesh.one_peer.{name}", unit, "the device /dev/net/tun of this machine cannot be opened")
        return
    command = ["unshare", "--net", "--mount", sys.executable, str(Path(__file__)), "--rounds", str(rounds)]
    if subprocess.run(command, check=False).returncode:
        raise BenchError("The figures of one changed peer could not be had; what failed is said above.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    inside(parser.parse_args().rounds)
