# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic classes as an inventory declares them: shares of the uplink, and what belongs to each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import BadInput

# RFC 2474, 2597, 3246, 5865 and 8622: the names that nft(8) knows, with their values.
DSCP: Mapping[str, int] = {
    **{f"cs{number}": number << 3 for number in range(8)},
    **{f"af{level}{drop}": (level << 3) + (drop << 1) for level in range(1, 5) for drop in range(1, 4)},
    "va": 44,
    "ef": 46,
    "lephb": 1,
}
MAX_CLASSES = 7
_NAME = re.compile(r"[a-z][a-z0-9-]{0,14}")
_PORTS = re.compile(r"(udp|tcp)/(\d{1,5})(?:-(\d{1,5}))?")


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """A range of ports of one transport protocol, both ends included."""

    protocol: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.protocol}/{self.first}" + (f"-{self.last}" if self.last != self.first else "")


@dataclass(frozen=True, slots=True)
class TrafficClass:
    """One class. Number 0 is the last one, which takes the rest and needs no interface of its own."""

    name: str
    number: int
    percent: int
    dscp: tuple[str, ...]
    ports: tuple[Ports, ...]

    @property
    def identity(self) -> tuple[object, ...]:
        """What two hosts must agree on to exchange packets in this class; a share is each host's own."""
        return self.name, self.number, self.dscp, self.ports

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "number": self.number,
            "percent": self.percent,
            "dscp": list(self.dscp),
            "ports": [str(one) for one in self.ports],
        }


def read_classes(value: Sequence[Mapping[str, Any]]) -> tuple[TrafficClass, ...]:
    """Classes in the order of their priority; raises BadInput with the end of a sentence about voice_classes."""
    if not value:
        return ()
    if len(value) > MAX_CLASSES:
        raise BadInput(f"declares {len(value)} classes; there may be at most {MAX_CLASSES}.")
    classes: list[TrafficClass] = []
    for position, given in enumerate(value, start=1):
        name = str(given["name"])
        if not _NAME.fullmatch(name):
            raise BadInput(
                f"has a class '{name}'; its name begins with a small letter and holds small letters, digits and "
                "hyphens, at most 15."
            )
        if not 1 <= int(given["percent"]) <= 100:
            raise BadInput(f"gives class {name} {given['percent']} percent; a class has between 1 and 100.")
        classes.append(
            TrafficClass(
                name=name,
                number=0 if position == len(value) else position,
                percent=int(given["percent"]),
                dscp=tuple(_dscp(name, one) for one in given.get("dscp") or ()),
                ports=tuple(_ports(name, one) for one in given.get("ports") or ()),
            )
        )
    _check(classes)
    return tuple(classes)


def _dscp(name: str, value: object) -> str:
    text = str(value).lower()
    if text not in DSCP:
        raise BadInput(f"gives class {name} the DSCP '{value}'; known are {', '.join(DSCP)}.")
    return text


def _ports(name: str, value: object) -> Ports:
    match = _PORTS.fullmatch(str(value))
    if match is not None:
        ports = Ports(match[1], int(match[2]), int(match[3] or match[2]))
        if 0 < ports.first <= ports.last < 65536:
            return ports
    raise BadInput(f"gives class {name} the ports '{value}'; write them as udp/16384-32767 or tcp/5061.")


def _check(classes: Sequence[TrafficClass]) -> None:
    total = sum(one.percent for one in classes)
    if total != 100:
        raise BadInput(f"gives out {total} percent of the uplink; the percents of all classes must sum to 100.")
    names = [one.name for one in classes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"has class {twice} twice; give each class a name of its own.")
    for one in classes:
        if one.number and not one.dscp and not one.ports:
            raise BadInput(f"says nothing of what belongs to class {one.name}; give it dscp or ports.")
        if not one.number and (one.dscp or one.ports):
            raise BadInput(
                f"gives its last class {one.name} dscp or ports; the last class takes the rest and has neither."
            )
    _check_overlaps(classes)


def _check_overlaps(classes: Sequence[TrafficClass]) -> None:
    owners: dict[str, str] = {}
    ranges: list[tuple[Ports, str]] = []
    for one in classes:
        for dscp in one.dscp:
            other = owners.setdefault(dscp, one.name)
            if other != one.name:
                raise BadInput(f"gives the DSCP {dscp} to classes {other} and {one.name}; it belongs to one of them.")
        ranges += [(ports, one.name) for ports in one.ports]
    ranges.sort()
    for (low, first), (high, second) in itertools.pairwise(ranges):
        if low.protocol == high.protocol and high.first <= low.last:
            where = f"class {first} twice" if first == second else f"classes {first} and {second}"
            raise BadInput(f"gives the port {high.protocol}/{high.first} to {where}; it belongs to one of them.")
