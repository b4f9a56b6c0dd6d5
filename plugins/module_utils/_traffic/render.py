# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic classes of one host as text: rules for nft(8), commands for tc(8), settings of the watcher.

Pure. Outside, a packet belongs to a class by the port that its tunnel sends from; nft
writes the class into its priority, where HTB looks first (sch_htb(8)), so there are no filters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._common.errors import BadInput
from .._common.traffic_classes import DSCP, Ports, TrafficClass, read_classes

# What the outer packets of a class get; the same after each boot, so that a seal may hold it.
OUTER_TABLE = "bocage_classes"
# Which inner packets take which interface. Owned by the watcher, who keeps its sets.
MARKS_TABLE = "bocage_class_marks"
# Of the queueing discipline on the uplink, by which ours is known.
HANDLE = "b0ca"
# Behind translations of destinations, whose result the routing sees.
_MARKS_PRIORITY = -90
_CONNECTION_MARKS = 0x0B0C0000
_MILLISECONDS_OF_QUEUE = 100
_MTU = 1514
# Of segments (RFC 7348). What a frame holds is not to be seen, and the port it is sent from is a hash.
_VXLAN_PORT = 4789


@dataclass(frozen=True, slots=True)
class ClassInterface:
    """The interface of a class and the one that it stands beside."""

    name: str
    follows: str
    number: int
    port: int
    mark: int
    peers: tuple[Mapping[str, Any], ...] = ()

    def set_name(self, version: int) -> str:
        return f"c{self.mark & 0xFFFF:x}_v{version}"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a host does with classes. ``uplink_kbit`` 0 leaves the uplink alone."""

    classes: tuple[TrafficClass, ...]
    interfaces: tuple[ClassInterface, ...]
    source: str
    uplink_interface: str
    uplink_kbit: int

    def of_class(self, number: int) -> list[ClassInterface]:
        return [one for one in self.interfaces if one.number == number]


def settings_from(parameters: Mapping[str, Any]) -> Settings:
    """Settings from the module's parameters; raises BadInput on classes that cannot be."""
    try:
        classes = read_classes(parameters["classes"])
    except BadInput as error:
        raise BadInput(f"This host: voice_classes {error}") from error
    return Settings(
        classes=classes,
        interfaces=tuple(
            ClassInterface(
                one["name"], one["follows"], int(one["class"]), int(one["port"]), int(one["mark"]), tuple(one["peers"])
            )
            for one in parameters["interfaces"]
        ),
        source=parameters.get("source") or "",
        uplink_interface=parameters.get("uplink_interface") or "",
        uplink_kbit=int(parameters["uplink_kbit"]),
    )


def _set(values: Iterable[object]) -> str:
    return "{ " + ", ".join(map(str, values)) + " }"


def _names(values: Iterable[str]) -> str:
    return _set(f'"{value}"' for value in values)


def _minor(number: int) -> str:
    """Class of HTB; ten at the root keep the lowest numbers free, as tc(8) reads them in base 16."""
    return f"{HANDLE}:{0x10 + number:x}"


def _table(name: str, body: Sequence[str]) -> str:
    lines = ["# Managed by Bocage.", f"table inet {name}", f"delete table inet {name}", f"table inet {name} {{"]
    return "\n".join([*lines, *(f"\t{line}" for line in body), "}"]) + "\n"


def _chain(name: str, rules: Iterable[str]) -> list[str]:
    return [f"chain {name} {{", *(f"\t{rule}" for rule in rules), "}"]


def render_outer(settings: Settings) -> str:
    """Packets of our tunnels as they leave: DSCP for whoever is on the way, the class for our own queues."""
    hook: list[str] = ["type filter hook output priority filter; policy accept;"]
    chains: list[str] = []
    for one in settings.classes:
        ports = sorted(interface.port for interface in settings.of_class(one.number))
        if not ports:
            continue
        hook.append(f"udp sport {_set(ports)} goto {_chain_of(one)}")
        dscp = [f"{family} dscp set {one.dscp[0]}" for family in ("ip", "ip6") if one.dscp]
        chains += _chain(_chain_of(one), [f"meta priority set {_minor(one.number)}", *dscp])
    return _table(OUTER_TABLE, [*chains, *_chain("output", hook)])


def _chain_of(one: TrafficClass, prefix: str = "class") -> str:
    return f"{prefix}_{one.name.replace('-', '_')}"


def _by_dscp(one: TrafficClass) -> list[str]:
    return [f"{family} dscp {_set(one.dscp)}" for family in ("ip", "ip6") if one.dscp]


def _belongs(one: TrafficClass) -> list[str]:
    """Matches of the packets of a class, either of which suffices."""
    matches = _by_dscp(one)
    by_protocol: dict[str, list[Ports]] = {}
    for ports in one.ports:
        by_protocol.setdefault(ports.protocol, []).append(ports)
    for protocol, found in sorted(by_protocol.items()):
        ranges = _set(f"{ports.first}-{ports.last}" if ports.last > ports.first else ports.first for ports in found)
        matches += [f"{protocol} {end} {ranges}" for end in ("dport", "sport")]
    return [*matches, f"ct direction reply ct mark {_connection_mark(one.number)}"]


def _connection_mark(number: int) -> str:
    return f"0x{_CONNECTION_MARKS + number:08x}"


def render_marks(settings: Settings) -> str:
    """Inner packets: which take the interface of a class, beside the one that routing chose.

    Only towards peers that were heard there: the sets hold their addresses and empty themselves. Packets that
    somebody marked are left alone. Answers belong to the class of the question. Frames of segments have the DSCP of
    the guest's packet, and belong to a class by that alone.
    """
    carried = [one for one in settings.classes if settings.of_class(one.number)]
    tunnels = sorted({name for one in settings.interfaces for name in (one.name, one.follows)})
    body: list[str] = []
    for interface in settings.interfaces:
        for version in (4, 6):
            body += [
                f"set {interface.set_name(version)} {{",
                f"\ttype ipv{version}_addr",
                "\tflags interval,timeout",
                "}",
            ]
    for prefix, chosen in (("passing", "fib daddr oifname"), ("own", "oifname")):
        for one in carried:
            rules = [f"iifname {_names(tunnels)} ct mark 0 ct mark set {_connection_mark(one.number)}"]
            rules = rules if prefix == "passing" else []
            for interface in settings.of_class(one.number):
                rules += [
                    f'{chosen} "{interface.follows}" {family} daddr @{interface.set_name(version)} '
                    f"meta mark set 0x{interface.mark:08x}"
                    for family, version in (("ip", 4), ("ip6", 6))
                ]
            body += _chain(_chain_of(one, prefix), rules)
    for name, kind, prefix in (("prerouting", "filter", "passing"), ("output", "route", "own")):
        rules = [f"type {kind} hook {name} priority {_MARKS_PRIORITY}; policy accept;", "meta mark != 0 return"]
        rules.append(f"udp dport {_VXLAN_PORT} goto frames_{prefix}")
        rules += [f"{match} goto {_chain_of(one, prefix)}" for one in carried for match in _belongs(one)]
        frames = [f"{match} goto {_chain_of(one, prefix)}" for one in carried for match in _by_dscp(one)]
        body += [*_chain(f"frames_{prefix}", frames), *_chain(name, rules)]
    return _table(MARKS_TABLE, body)


def render_shaping(settings: Settings, kind: str) -> str:
    """Commands for ``tc -batch`` on an uplink without a discipline of ours.

    HTB keeps the declared shares and lends what is not used, by priority. cake alone has shares of its own by DSCP.
    """
    device, rate = settings.uplink_interface, settings.uplink_kbit
    if kind == "cake":
        return f"qdisc add dev {device} root handle {HANDLE}: cake bandwidth {rate}kbit diffserv4\n"
    # two milliseconds of traffic, so that a burst of the rest delays nobody for longer
    burst = max(2 * _MTU, rate // 4)
    lines = [
        f"qdisc add dev {device} root handle {HANDLE}: htb default {0x10:x}",
        f"class add dev {device} parent {HANDLE}: classid {HANDLE}:1 htb rate {rate}kbit burst {burst} cburst {burst}",
    ]
    queue = max(10 * _MTU, rate * _MILLISECONDS_OF_QUEUE // 8)
    for priority, one in enumerate(settings.classes):
        share = max(8, rate * one.percent // 100)
        lines.append(
            f"class add dev {device} parent {HANDLE}:1 classid {_minor(one.number)} htb prio {priority} "
            f"rate {share}kbit ceil {rate}kbit burst {burst} cburst {burst} quantum {_MTU}"
        )
        leaf = "fq_codel" if kind == "htb+fq_codel" else f"bfifo limit {queue}"
        minor = _minor(one.number)
        lines.append(f"qdisc add dev {device} parent {minor} handle {HANDLE[:3]}{one.number:x}: {leaf}")
    return "\n".join(lines) + "\n"


def render_watch(settings: Settings, folder: str, shaped: bool) -> str:
    """What the watcher reads."""
    dscp = {one.number: DSCP[one.dscp[0]] for one in settings.classes if one.dscp}
    document = {
        "source": settings.source,
        "interfaces": [
            {
                "name": one.name,
                "mark": one.mark,
                "dscp": dscp.get(one.number, 0),
                "peers": [{key: peer[key] for key in ("public_key", "address", "calls")} for peer in one.peers],
                "sets": {str(version): one.set_name(version) for version in (4, 6)},
            }
            for one in settings.interfaces
        ],
        "marks_file": f"{folder}/marks.nft",
        "marks_table": MARKS_TABLE,
        "shaping_file": f"{folder}/shaping.tc" if shaped else None,
        "uplink_interface": settings.uplink_interface if shaped else None,
        "handle": HANDLE,
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
