# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seal observes of the live kernel and of the resolver.

`wg show INTERFACE dump` is never used: it prints the private key. What changes by itself is left out: endpoints,
handshakes and counters of peers, addresses and routes that the network hands out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bocage_core._common import canonical
from bocage_core._common.errors import BocageError
from bocage_core._common.sysctl import setting_path
from bocage_core._seals.items import probe_of

from .commands import Finish, Start
from .observe_files import Observed

# Aspects of a thing by name, or None where it does not exist.
State = dict[str, Any] | None

# the last one: no WireGuard at all in this kernel
_NOT_THERE = (
    "No such device",
    "does not exist",
    "No such file or directory",
    "Cannot find device",
    "Protocol not supported",
)
# What the kernel or the network makes by themselves.
_ROUTE = ("dst", "gateway", "prefsrc", "metric", "table", "type")
# Aspects of a kernel setting that belong to one interface.
ON_INTERFACE = "on "
_OF_ALL = {"net.ipv4.ip_forward": "net.ipv4.conf.all.forwarding"}
# Routes of other protocols come and go with what a daemon or the kernel learns.
_LASTING_ROUTES = ("boot", "static")


class Probes:
    """Begins all programs at once, and waits for each when its answer is needed."""

    def __init__(self, start: Start, root: str, names: Iterable[str]) -> None:
        self._root = root
        self._begun: dict[str, list[Finish]] = {}
        for name in sorted(set(names)):
            probe, argument = probe_of(name)
            self._begun[name] = [start(command) for command in _COMMANDS[probe](argument)]

    def probe(self, name: str) -> Observed:
        """The digest of the state and of each of its aspects; null where the thing does not exist."""
        probe, argument = probe_of(name)
        try:
            parse = _PARSERS.get(probe)
            outputs = _outputs(self._begun[name])
            state = _sysctl(self._root, argument) if parse is None else parse(argument, *outputs)
        except _Absent:
            state = None
        except (BocageError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return {"error": f"the probe {name} cannot be read: {' '.join(str(error).split())[:120]}."}
        if state is None:
            return {"digest": None, "aspects": {}}
        aspects = {name: hashlib.sha256(canonical.dumps(value)).hexdigest()[:16] for name, value in state.items()}
        whole = {name: value for name, value in state.items() if not name.startswith(ON_INTERFACE)}
        return {"digest": hashlib.sha256(canonical.dumps(whole)).hexdigest(), "aspects": aspects}


class _Absent(Exception):
    """The thing that is probed does not exist."""


def _outputs(begun: list[Finish]) -> list[str]:
    # all are waited for, also where the first one failed
    answers = [finish() for finish in begun]
    for status, _output, error in answers:
        if status != 0:
            if any(word in error for word in _NOT_THERE):
                raise _Absent
            raise BocageError(error.strip() or f"a program ended with the status {status}")
    return [output for _status, output, _error in answers]


def _wireguard_commands(interface: str) -> list[list[str]]:
    return [["wg", "show", interface]]


def _wireguard(_interface: str, output: str) -> State:
    """From what `wg show` prints for people, where keys are hidden; peers come in the order of handshakes."""
    head: dict[str, str] = {}
    peers: list[dict[str, str]] = []
    for line in map(str.strip, output.splitlines()):
        name, _colon, value = (part.strip() for part in line.partition(":"))
        if name == "peer":
            peers.append({"public key": value})
        elif peers:
            peers[-1][name] = value
        elif name:
            head[name] = value
    return {
        "key": head.get("public key", ""),
        "port": head.get("listening port", ""),
        "mark": head.get("fwmark", ""),
        "peers": sorted(
            [
                peer["public key"],
                sorted(peer.get("allowed ips", "").replace(",", " ").split()),
                peer.get("persistent keepalive", ""),
                peer.get("preshared key", ""),
            ]
            for peer in peers
        ),
    }


def _link_commands(_interface: str) -> list[list[str]]:
    # of all links at once, and so once for all probes and facts
    return [["ip", "-json", "address", "show"], ["ip", "-json", "route", "show", "table", "all"]]


def _link(interface: str, addresses: str, routes: str) -> State:
    link = next((one for one in json.loads(addresses or "[]") if one.get("ifname") == interface), None)
    if link is None:
        return None
    own = [
        f"{one['local']}/{one['prefixlen']}"
        for one in link.get("addr_info", [])
        if one.get("scope") == "global" and not one.get("dynamic") and not one.get("temporary")
    ]
    own_routes = [
        # only routes of IPv6 have a preference
        ["6" if "pref" in route else "4", *(str(route.get(name, "")) for name in _ROUTE)]
        for route in json.loads(routes or "[]")
        if route.get("dev") == interface
        and route.get("protocol", "boot") in _LASTING_ROUTES
        and route.get("type") not in ("multicast", "local", "anycast")
    ]
    return {
        "addresses": sorted(own),
        "mtu": int(link["mtu"]),
        "state": "UP" in link.get("flags", []),
        "routes": sorted(own_routes),
    }


def _nftables_commands(argument: str) -> list[list[str]]:
    return [["nft", "--stateless", "list", "table", *argument.split(" ", 1)]]


def _nftables(_argument: str, output: str) -> State:
    return {"rules": output}


def _resolver_commands(interface: str) -> list[list[str]]:
    return [["resolvectl", "dns", interface], ["resolvectl", "domain", interface]]


def _resolver(_interface: str, servers: str, domains: str) -> State:
    # "Link 5 (bocage0): fd00::1"; the number is another one after each start
    return {"servers": _after_link(servers), "domains": sorted(_after_link(domains))}


def _after_link(output: str) -> list[str]:
    return re.sub(r"^Link \d+ \([^)]*\):", "", output.strip()).split()


def _sysctl(root: str, key: str) -> State:
    """The value; of a setting that the kernel hands on to all interfaces, also that of each."""
    place = setting_path(_OF_ALL.get(key, key))
    before, scope, after = f"{root}/proc/sys/{place}".partition("/conf/all/")
    try:
        state: dict[str, Any] = {"value": _setting(f"{before}{scope}{after}")}
        for folder in sorted(Path(f"{before}/conf").iterdir()) if scope else []:
            if folder.name != "all":
                state[f"{ON_INTERFACE}{folder.name}"] = _setting(f"{folder}/{after}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    return state


def _setting(path: str) -> str:
    return " ".join(Path(path).read_text(errors="replace").split())


_COMMANDS: dict[str, Callable[[str], list[list[str]]]] = {
    "wireguard": _wireguard_commands,
    "link": _link_commands,
    "nftables": _nftables_commands,
    "resolver": _resolver_commands,
    "sysctl": lambda _key: [],
}
_PARSERS: dict[str, Callable[..., State]] = {
    "wireguard": _wireguard,
    "link": _link,
    "nftables": _nftables,
    "resolver": _resolver,
}
