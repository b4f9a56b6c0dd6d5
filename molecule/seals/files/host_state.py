# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a host as anybody can see it: files, packages, units, accounts, network.

Knows nothing of seals. What it leaves out is written down here with its reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

State = dict[str, dict[str, Any]]

LEFT_OUT = {
    "/proc": "the kernel's",
    "/sys": "the kernel's",
    "/dev": "the kernel's",
    "/run": "gone with the next boot; what runs is looked at as units and network",
    "/tmp": "anybody's",  # noqa: S108
    "/var/tmp": "anybody's",  # noqa: S108
    "/var/log": "grows by itself",
    "/var/cache": "made anew by whoever needs it",
    "/var/lib/apt": "lists of packages, made anew",
    "/var/lib/dpkg": "looked at as packages",
    "/var/lib/systemd": "systemd's memory of timers",
    "/var/lib/bocage/agent": "the agent's memory: counter, spool, status",
    "/var/lib/bocage/seals": "the seals themselves",
    "/var/lib/bocage-registry": "what the registry was told; made anew from the next reports",
    "/etc/lab": "the lab's",
    "/root": "this scenario's",
    "/etc/passwd": "looked at as accounts",
    "/etc/group": "looked at as accounts",
    "/etc/shadow": "looked at as accounts",
    "/etc/gshadow": "looked at as accounts",
    "/etc/subuid": "looked at as accounts",
    "/etc/subgid": "looked at as accounts",
    "/etc/.pwd.lock": "a lock",
    "/etc/ld.so.cache": "made anew by ldconfig",
    "/etc/machine-id": "systemd's",
    "/usr/share/doc": "for people",
    "/usr/share/man": "for people",
    "/usr/share/locale": "for people",
}
_BACKUPS = tuple(f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid"))


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    return done.stdout


def read() -> State:
    return {
        "file": _files(),
        "package": _packages(),
        "enabled": _enabled(),
        "active": _active(),
        "account": _accounts(),
        "link": {one["ifname"]: [one["mtu"], "UP" in one["flags"]] for one in _json("ip", "-json", "link")},
        "address": _addresses(),
        "route": {f"{family} {route}": True for family in ("-4", "-6") for route in _routes(family)},
        "peer": _peers(),
        "table": _tables(),
        "setting": _settings(),
    }


def _json(*command: str) -> Any:
    return json.loads(output(*command) or "[]")


def _files() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if name != "__pycache__" and str(Path(folder) / name) not in LEFT_OUT]
        for name in (*folders, *names):
            path = str(Path(folder) / name)
            if path not in LEFT_OUT and path not in _BACKUPS:
                found[path] = _file(path)
    return found


def _file(path: str) -> list[Any]:
    info = os.lstat(path)
    mode, kind = stat.S_IMODE(info.st_mode), stat.S_IFMT(info.st_mode)
    if kind == stat.S_IFLNK:
        return ["link", str(Path(path).readlink())]
    if kind == stat.S_IFDIR:
        return ["directory", mode, info.st_uid, info.st_gid]
    content = hashlib.sha256(Path(path).read_bytes()).hexdigest() if kind == stat.S_IFREG else ""
    return ["file" if kind == stat.S_IFREG else "other", mode, info.st_uid, info.st_gid, content]


def _packages() -> dict[str, Any]:
    lines = output("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n").splitlines()
    return {words[0]: words[1] for words in map(str.split, lines) if words[-1] == "installed"}


def _enabled() -> dict[str, Any]:
    lines = output("systemctl", "list-unit-files", "--no-legend", "--full", "--type=service,timer,socket").splitlines()
    return {words[0]: True for words in map(str.split, lines) if words[1] == "enabled" and "@." not in words[0]}


def _active() -> dict[str, Any]:
    command = ("systemctl", "list-units", "--no-legend", "--plain", "--full", "--type=service,timer,socket")
    lines = output(*command, "--state=active").splitlines()
    return {line.split()[0]: True for line in lines if not line.startswith("user@")}


def _accounts() -> dict[str, Any]:
    return {line.split(":")[0]: line.split(":")[2:] for line in Path("/etc/passwd").read_text().splitlines()}


def _addresses() -> dict[str, Any]:
    return {
        f"{link['ifname']} {one['local']}/{one['prefixlen']}": True
        for link in _json("ip", "-json", "address")
        for one in link["addr_info"]
        if one.get("scope") == "global"
    }


def _routes(family: str) -> list[str]:
    lines = output("ip", family, "route", "show", "table", "main").splitlines()
    # neighbours' and the kernel's own routes follow links and addresses
    return [" ".join(line.split()) for line in lines if "proto kernel" not in line and "proto ra" not in line]


def _peers() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for interface in output("wg", "show", "interfaces").split() if Path("/usr/bin/wg").exists() else []:
        for line in output("wg", "show", interface, "allowed-ips").splitlines():
            key, _tab, prefixes = line.partition("\t")
            found[f"{interface} {key}"] = sorted(prefixes.split())
    return found


def _tables() -> dict[str, Any]:
    if not Path("/usr/sbin/nft").exists():
        return {}
    return {line.removeprefix("table "): True for line in output("nft", "list", "tables").splitlines()}


def _settings() -> dict[str, Any]:
    found = {}
    for path in sorted([*Path("/proc/sys/net").rglob("*forwarding"), Path("/proc/sys/net/ipv4/ip_forward")]):
        try:
            found[str(path)] = path.read_text().strip()
        except OSError:
            continue
    return found


if __name__ == "__main__":
    print(json.dumps(read()))
