# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with one WireGuard interface that obeys ip(8), wg(8) and systemctl(1) as far as the library uses them."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bocage_core._mesh.drift import configured_state

PRIVATE = "cHJpdmF0ZSBrZXkgb2YgdGhlIGZha2UgaG9zdCAxMjM="
PUBLIC = "cHVibGljIGtleSBvZiB0aGUgZmFrZSBob3N0IDEyMzQ="
NAME = "bocage0"
UNIT = f"bocage-mesh@{NAME}.service"
Answer = tuple[int, str, str]
GOOD: Answer = (0, "", "")


@dataclass
class Device:
    """The live interface."""

    kind: str = "wireguard"
    up: bool = False
    mtu: int = 1500
    port: int = 0
    public_key: str = "(none)"
    addresses: dict[str, None] = field(default_factory=dict)
    routes: dict[str, str | None] = field(default_factory=dict)
    peers: dict[str, dict[str, Any]] = field(default_factory=dict)


class FakeHost:
    def __init__(self, folder: Path, kernel: bool = True) -> None:
        self.folder = folder
        self.kernel = kernel
        self.device: Device | None = None
        self.others: set[str] = set()
        self.units: dict[str, set[str]] = {"active": set(), "enabled": set()}
        self.commands: list[list[str]] = []
        self.fail_at: str | None = None
        self.stale = False
        (folder / "private.key").write_text(PRIVATE + "\n")

    @property
    def parameters(self) -> dict[str, Any]:
        """Of one interface, with nothing on the interface."""
        return {
            "name": NAME,
            "private_key_file": str(self.folder / "private.key"),
            "configuration_directory": str(self.folder),
            "listen_port": 51820,
            "mtu": 1420,
            "backend": "auto",
            "addresses": [],
            "routes": [],
            "peers": [],
        }

    @property
    def changes(self) -> list[str]:
        """What was run that changes something."""
        reading = ("show", "sh")
        return [" ".join(command) for command in self.commands if not any(word in reading for word in command)]

    def __call__(self, command: list[str]) -> Answer:
        self.commands.append(command)
        if self.fail_at is not None and self.fail_at in " ".join(command):
            return 1, "", "it failed\n"
        match command:
            case ["sh", "-c", script, "sh", name] if "wg show" in script:
                assert name == NAME
                return 0, self._dump_without_secrets(), ""
            case ["sh", "-c", script, "sh", path]:
                assert "pubkey" in script
                good = Path(path).read_text().strip() == PRIVATE
                return (0, f"{PUBLIC}\n", "") if good else (1, "", "wg: Key is not the correct length or format\n")
            case ["systemctl", *words]:
                return self._systemctl(words)
            case ["wg", "set", _name, *words]:
                self._set(words)
                return GOOD
            case ["ip", *words]:
                return self._ip(words)
        raise AssertionError(command)

    def _systemctl(self, words: list[str]) -> Answer:
        verb, units = words[0], [word for word in words[1:] if not word.startswith("-")]
        match verb:
            case "show":
                return 0, "\n".join(map(self._state, units)), ""
            case "daemon-reload":
                self.stale = False
            case "enable":
                self.units["enabled"].update(units)
            case "disable":
                self.units["enabled"].difference_update(units)
            case "stop":
                # a unit that does not run takes nothing away when it is stopped
                if UNIT in self.units["active"]:
                    self.device = None
                self.units["active"].difference_update(units)
            case "restart":
                self.start()
        return GOOD

    def _state(self, unit: str) -> str:
        active = "active" if unit in self.units["active"] else "inactive"
        enabled = "enabled" if unit in self.units["enabled"] else "disabled"
        stale = "yes" if self.stale else "no"
        return f"LoadState=loaded\nActiveState={active}\nUnitFileState={enabled}\nNeedDaemonReload={stale}\n"

    def start(self) -> None:
        """What the unit does from the files."""
        desired = configured_state((self.folder / f"{NAME}.conf").read_text(), (self.folder / f"{NAME}.ip").read_text())
        userspace = (self.folder / "userspace.conf").exists()
        self.device = Device("tun" if userspace else "wireguard", True, desired.mtu, desired.listen_port, PUBLIC)
        self.device.addresses = dict.fromkeys(sorted(desired.addresses))
        self.device.routes = dict(desired.routes)
        for key, peer in desired.peers.items():
            self.device.peers[key] = {
                "endpoint": peer.endpoint,
                "keepalive": peer.keepalive_seconds,
                "allowed": set(peer.allowed_ips),
            }
        self.units["active"].add(UNIT)

    def _dump_without_secrets(self) -> str:
        assert self.device is not None
        lines = [f"{self.device.public_key}\t{self.device.port}"]
        lines += [
            f"{key}\t{peer['endpoint'] or '(none)'}\t{','.join(sorted(peer['allowed'])) or '(none)'}\t{peer['keepalive'] or 'off'}"
            for key, peer in self.device.peers.items()
        ]
        return "".join(f"{line}\n" for line in lines)

    def _set(self, words: list[str]) -> None:
        device, rest = self.device, list(words)
        assert device is not None
        peer: dict[str, Any] = {}
        while rest:
            match rest.pop(0):
                case "private-key":
                    assert Path(rest.pop(0)).read_text().strip() == PRIVATE
                    device.public_key = PUBLIC
                case "listen-port":
                    device.port = int(rest.pop(0))
                case "peer":
                    key = rest.pop(0)
                    peer = device.peers.setdefault(key, {"endpoint": None, "keepalive": 0, "allowed": set()})
                case "remove":
                    del device.peers[key]
                case "endpoint":
                    peer["endpoint"] = rest.pop(0)
                case "persistent-keepalive":
                    value = rest.pop(0)
                    peer["keepalive"] = 0 if value == "off" else int(value)
                case "allowed-ips":
                    prefixes = {one for one in rest.pop(0).split(",") if one}
                    # a prefix belongs to the last peer that it was given to
                    for other in device.peers.values():
                        other["allowed"] -= prefixes
                    peer["allowed"] = prefixes
                case word:
                    raise AssertionError(word)

    def _ip(self, words: list[str]) -> Answer:
        device = self.device
        match words:
            case ["-json", "-details", "address", "show", "dev", name]:
                if name != NAME or device is None:
                    return 1, "", f'Device "{name}" does not exist.\n'
                flags = ["POINTOPOINT", *(["UP"] if device.up else [])]
                info = {"info_kind": device.kind}
                own = [{"local": "fe80::1", "prefixlen": 64, "scope": "link"}]
                for address in device.addresses:
                    local, _slash, length = address.partition("/")
                    own.append({"local": local, "prefixlen": int(length), "scope": "global"})
                shown = {"ifname": name, "mtu": device.mtu, "flags": flags, "linkinfo": info, "addr_info": own}
                return 0, json.dumps([shown]), ""
            case ["link", "add", "dev", name, "type", "wireguard"]:
                if not self.kernel or name in self.others:
                    return 2, "", "RTNETLINK answers: Operation not supported\n"
                self.others.add(name)
                return GOOD
            case ["link", "delete", "dev", name]:
                if name == NAME:
                    self.device = None
                    return GOOD
                found = name in self.others
                self.others.discard(name)
                return GOOD if found else (1, "", "Cannot find device\n")
        assert device is not None
        match words:
            case ["-json", family, "route", "show", *_rest]:
                return 0, json.dumps(self._routes_shown(device, family)), ""
            case ["address", "replace", address, "dev", _name, *_flags]:
                device.addresses[address] = None
            case ["address", "del", address, "dev", _name]:
                del device.addresses[address]
                self._forget(device, address)
            case ["link", "set", "dev", _name, "mtu", size]:
                device.mtu = int(size)
            case ["link", "set", "dev", _name, "up"]:
                device.up = True
            case ["route", "replace", *rest]:
                if not device.up:
                    return 2, "", "Error: Device for nexthop is not up.\n"
                at = rest.index("dev")
                device.routes[" ".join(rest[:at])] = rest[at + 3] if "src" in rest else None
            case ["route", "del", *rest]:
                del device.routes[" ".join(rest[: rest.index("dev")])]
            case _:
                raise AssertionError(words)
        return GOOD

    @staticmethod
    def _forget(device: Device, address: str) -> None:
        """Routes after an address is gone: IPv6 ones lose their source, IPv4 ones go, with the last address all."""
        local = address.partition("/")[0]
        without_ipv4 = all(":" in one for one in device.addresses)
        for prefix, source in list(device.routes.items()):
            if ":" in prefix:
                device.routes[prefix] = None if source == local else source
            elif source == local or (without_ipv4 and ":" not in address):
                del device.routes[prefix]

    @staticmethod
    def _routes_shown(device: Device, family: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = []
        if family == "-6":
            shown += [{"dst": "fe80::/64", "protocol": "kernel"}, {"type": "multicast", "dst": "ff00::/8"}]
        for goal, source in device.routes.items():
            prefix, *words = goal.split()
            if (":" in prefix) == (family == "-6"):
                network = ipaddress.ip_network(prefix)
                # as ip(8) writes them
                short = "default" if not network.prefixlen else prefix
                short = str(network.network_address) if network.prefixlen == network.max_prefixlen else short
                more: dict[str, Any] = dict(zip(words[::2], words[1::2], strict=True))
                if "metric" in more:
                    more["metric"] = int(more["metric"])
                shown.append({"dst": short, "protocol": "boot", **more, **({"prefsrc": source} if source else {})})
        return shown
