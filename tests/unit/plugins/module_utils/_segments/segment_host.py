# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for segments: the real tools in a namespace of their own, systemd as far as it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bocage_core._segments.apply import ELECTOR, UNIT, ensure
from network_namespace import Answer, NetworkNamespace

SCRIPT = str(Path(__file__).parents[5] / "roles/segments/files/lan-bridge")
GW1, GW2, HOME, OTHER = (f"fd7b:4c1e:90a2:{place}" for place in ("1::1", "1::2", "2::1", "2::2"))


def of_hypervisor(**values: Any) -> dict[str, Any]:
    return {
        "name": "office", "id": 1001, "kind": "hypervisor", "bridge": "seg1001", "port": "vx1001", "local": HOME,
        "ends": [GW1, GW2], "mtu": 1350, "storm_frames_per_second": 500, "peers": {}, **values,
    }  # fmt: skip


def of_gateway(**values: Any) -> dict[str, Any]:
    return {
        "name": "office", "id": 1001, "kind": "gateway", "port": "vx1001", "lan_port": "lan1001", "local": GW1,
        "ends": [HOME], "mtu": 1350, "port_mtu": 1500, "storm_frames_per_second": 500, "peers": {"gw2": GW2},
        "largest_tcp": {"ip": 1310, "ip6": 1290}, **values,
    }  # fmt: skip


class SegmentHost:
    """``systemctl start`` does what the unit's lines say, in the order in which they stand."""

    def __init__(self, namespace: NetworkNamespace, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        self.active = self.enabled = self.elector = False
        self.timers: list[list[str]] = []
        self.commands: list[list[str]] = []

    def run(self, command: list[str]) -> Answer:
        self.commands.append(command)
        if command[0] == "systemctl":
            return self._systemctl(command)
        if command[0] == "systemd-run":
            self.timers.append(command)
            return 0, "", ""
        if command[0] == "/etc/bocage/segments/lan-bridge":
            command = [SCRIPT, *command[1:]]
        return self.namespace.run(command)

    def _systemctl(self, command: list[str]) -> Answer:
        if command[1] == "show":
            state, enabled = ("active" if self.active else "inactive"), ("enabled" if self.enabled else "disabled")
            text = f"LoadState=loaded\nActiveState={state}\nSubState=exited\nUnitFileState={enabled}\nNeedDaemonReload=no\n"
            elector = "active" if self.elector else "inactive"
            more = f"LoadState=loaded\nActiveState={elector}\nSubState=running\nUnitFileState=disabled\nNeedDaemonReload=no\n"
            return 0, f"{text}\n{more}", ""
        if command[1:] == ["stop", ELECTOR]:
            self.elector = False
        elif command[1] == "stop" and command[2] != UNIT:
            self.timers.clear()
        elif command[1] in ("enable", "disable"):
            self.enabled = command[1] == "enable"
        elif command[1] == "stop":
            self.active = False
        elif command[1] == "restart":
            self.boot()
        return 0, "", ""

    def boot(self) -> None:
        """What the unit does."""
        lans = (self.folder / "lan.list").read_text() if (self.folder / "lan.list").exists() else ""
        for line in lans.splitlines():
            self.namespace.must(SCRIPT, "up", *line.split())
        filters = "for one in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $one ] || echo 0 > $one; done"
        self.namespace.must("sh", "-c", filters)
        self.namespace.must("nft", "-f", str(self.folder / "rules.nft"))
        self.namespace.must("ip", "-batch", str(self.folder / "links.ip"))
        if (self.folder / "links.bridge").exists():
            self.namespace.must("bridge", "-batch", str(self.folder / "links.bridge"))
        self.active = True

    def ensure(self, *segments: dict[str, Any], check: bool = False, **values: Any) -> dict[str, Any]:
        parameters = {
            "segments": list(segments), "lan_interface": "lan0", "elector_port": 14789, "directory": str(self.folder),
            "confirm_seconds": 0, "phase": "apply", **values,
        }  # fmt: skip
        return ensure(parameters, self.run, check)
