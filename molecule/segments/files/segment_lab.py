# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab of this scenario, by commands in its containers: what a drill takes away must not be what carries it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable

GATEWAYS = ("segments-gw1", "segments-gw2")
HYPERVISOR, SERVER = "segments-home", "segments-server"
TARGET = "198.18.91.20"
STATUS = "/run/bocage/segments/status.json"


class Lab:
    """The hosts of the scenario."""

    def __init__(self, podman: str, prefix: str) -> None:
        self._command = [podman, "exec", "-i"]
        self._prefix = prefix

    def run(self, host: str, script: str, check: bool = True) -> str:
        done = subprocess.run(
            [*self._command, self._prefix + host, "sh", "-euc", script], capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise SystemExit(f"{host}: {script}: {done.stderr.strip()}")
        return done.stdout

    def status(self, host: str) -> dict[str, object]:
        text = self.run(host, f"if [ -e {STATUS} ]; then cat {STATUS}; fi", check=False)
        found: dict[str, object] = json.loads(text or "{}").get("office", {})
        return found

    def active(self) -> list[str]:
        """By the ports themselves, not by what anybody says. A host that is just starting has none."""
        show = "if [ -e /sys/class/net/vx1001 ]; then ip -br link show vx1001; fi"
        return [host for host in GATEWAYS if re.search(r"[<,]UP[,>]", self.run(host, show, check=False))]


def wait(what: str, ready: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.time() + seconds
    while not ready():
        if time.time() > until:
            raise SystemExit(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.2)


def steady(lab: Lab) -> bool:
    return len(lab.active()) == 1 and all(
        lab.status(host).get("fitness") == "fit" and lab.status(host).get("peers") for host in GATEWAYS
    )
