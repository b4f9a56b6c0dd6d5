# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large the gateways of a site must be: the product's table, a model of the traffic, and one gateway to spare.

A gigabyte is a billion bytes here, so that what a machine's firmware keeps for itself does not make it too small.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

from .._common.findings import listed

# The product's table.
CONNECTIONS_OF_A_STEP = 150
MOST_CONNECTIONS = 1200
BASE_CPU_COUNT = 1
BASE_MEMORY_GB = 8
NIC_COUNT = 2
SMALL_NIC_GBIT, LARGE_NIC_GBIT = 1, 10
MOST_CONNECTIONS_OF_SMALL_NICS = 600
DISK_GB = 50

# The model of the traffic: megabytes of a workstation in an hour, up and down.
UP_MEGABYTES, DOWN_MEGABYTES = 20, 40
MEAN_MBIT = (UP_MEGABYTES + DOWN_MEGABYTES) * 8 / 3600
DEFAULT_PEAK_TO_MEAN = 4.0
DEFAULT_HEADROOM_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Resources:
    """What a gateway has; None is not known, and counts as enough."""

    cpu_count: int | None = None
    memory_gb: float | None = None
    nic_count: int | None = None
    nic_gbit: float | None = None
    disk_gb: float | None = None
    uplink_mbit: float | None = None

    def over(self, other: Resources) -> Resources:
        """These, and the other's where these say nothing."""
        return Resources(
            **{
                one.name: getattr(other, one.name) if getattr(self, one.name) is None else getattr(self, one.name)
                for one in fields(self)
            }
        )

    @property
    def line_mbit(self) -> float | None:
        """What its slowest line carries."""
        known = [one for one in (self.uplink_mbit, self.nic_gbit and self.nic_gbit * 1000) if one is not None]
        return min(known, default=None)


@dataclass(frozen=True, slots=True)
class Need:
    """What a gateway must have for its connections."""

    cpu_count: int
    memory_gb: int
    nic_count: int
    nic_gbit: int
    disk_gb: int
    line_mbit: float


@dataclass(frozen=True, slots=True)
class Lack:
    """One resource of which there is too little, in words."""

    resource: str
    has: str
    needs: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many connections a gateway carries, and which resource allows no more."""

    connections: int
    binding: str


def need(connections: int, peak_to_mean: float = DEFAULT_PEAK_TO_MEAN) -> Need:
    """The row of the product's table, with the line that the model of the traffic asks for."""
    steps = math.ceil(connections / CONNECTIONS_OF_A_STEP)
    return Need(
        cpu_count=BASE_CPU_COUNT + steps,
        memory_gb=BASE_MEMORY_GB + steps,
        nic_count=NIC_COUNT,
        nic_gbit=SMALL_NIC_GBIT if connections <= MOST_CONNECTIONS_OF_SMALL_NICS else LARGE_NIC_GBIT,
        disk_gb=DISK_GB,
        line_mbit=connections * MEAN_MBIT * peak_to_mean,
    )


def lacks(has: Resources, connections: int, peak_to_mean: float = DEFAULT_PEAK_TO_MEAN) -> list[Lack]:
    """Of what a gateway has too little for so many connections."""
    if connections > MOST_CONNECTIONS:
        # behind its last row the table says nothing
        return [Lack("limit", f"{MOST_CONNECTIONS}", f"room for {connections} connections")]
    wanted = need(connections, peak_to_mean)
    found: list[Lack] = []

    def compare(resource: str, value: float | None, least: float, words: str) -> None:
        # a hundredth of a per cent is the rounding of the units, and no lack
        if value is not None and value < least * 0.9999:
            found.append(Lack(resource, _number(value), words.format(_number(least))))

    compare("vCPU", has.cpu_count, wanted.cpu_count, "{} vCPU")
    compare("memory", has.memory_gb, wanted.memory_gb, "{} GB of memory")
    compare("network", has.nic_count, wanted.nic_count, "{} network interfaces")
    compare("network", has.nic_gbit, wanted.nic_gbit, "{} Gbit/s on each interface")
    compare("disk", has.disk_gb, wanted.disk_gb, "{} GB of disk")
    compare("traffic", has.line_mbit, wanted.line_mbit, "{} Mbit/s on its slowest line")
    return found


def capacity(has: Resources, peak_to_mean: float = DEFAULT_PEAK_TO_MEAN) -> Capacity:
    """The most connections that nothing is lacking for. More connections never need less, so it is searched by halves."""
    low, high = 0, MOST_CONNECTIONS + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if lacks(has, middle, peak_to_mean) else (middle, high)
    return Capacity(low, lacks(has, high, peak_to_mean)[0].resource)


@dataclass(frozen=True, slots=True)
class Gateway:
    name: str
    resources: Resources = Resources()


@dataclass(frozen=True, slots=True)
class Demand:
    """What a site asks of its gateways."""

    site: str
    connections: int = 0
    peak_to_mean: float = DEFAULT_PEAK_TO_MEAN
    headroom_percent: int = DEFAULT_HEADROOM_PERCENT
    spare: bool | None = None
    """Whether the site must do without any one gateway; None where it has more than one."""


@dataclass(frozen=True, slots=True)
class GatewaySizing:
    name: str
    resources: Resources
    share: int
    """Connections with all gateways there, which share them evenly."""
    most: int
    """The same with one gateway away, where the site asks for that."""
    need: Need
    capacity: Capacity
    lacks: tuple[Lack, ...]


@dataclass(frozen=True, slots=True)
class SiteSizing:
    demand: Demand
    spare: bool
    gateways: tuple[GatewaySizing, ...]
    gateways_needed: int
    """So many of the largest kind would do."""
    problem: str | None
    """Why the gateways cannot carry the site, in one sentence."""


def size_site(demand: Demand, gateways: Sequence[Gateway]) -> SiteSizing:
    """The sizing of a site: what each gateway carries, needs and has, and whether all of it holds."""
    spare = len(gateways) > 1 if demand.spare is None else demand.spare
    share = _share(demand.connections, len(gateways))
    most = _share(demand.connections, len(gateways) - 1) if spare and len(gateways) > 1 else share
    sized = tuple(
        GatewaySizing(
            name=one.name,
            resources=one.resources,
            share=share,
            most=most,
            need=need(most, demand.peak_to_mean),
            capacity=capacity(one.resources, demand.peak_to_mean),
            lacks=tuple(lacks(one.resources, most, demand.peak_to_mean)),
        )
        for one in gateways
    )
    least = math.ceil(demand.connections / MOST_CONNECTIONS)
    return SiteSizing(
        demand=demand,
        spare=spare,
        gateways=sized,
        gateways_needed=max(1, least) + (1 if spare else 0),
        problem=_problem(demand, gateways, spare),
    )


def without(demand: Demand, gateways: Sequence[Gateway], away: Collection[str]) -> str | None:
    """Why the gateways that stay cannot carry the site when those are away; None where they can."""
    rest = [one for one in gateways if one.name not in away]
    gone = listed(one.name for one in gateways if one.name in away)
    if not rest:
        return f"Site {demand.site} would have no gateway left without {gone}."
    share = _share(demand.connections, len(rest))
    weak = _weakest(rest, share, demand.peak_to_mean)
    if weak is None:
        return None
    return f"Site {demand.site} cannot do without {gone}: {_too_much(demand, rest, share, weak)}."


def _share(connections: int, count: int) -> int:
    """Hosts choose their gateways by a hash, which knows no sizes: each gateway gets as much as any other."""
    return math.ceil(connections / count) if count > 0 else connections


def _weakest(gateways: Sequence[Gateway], share: int, peak_to_mean: float) -> Gateway | None:
    """Of those that lack something for their share, the one with the least capacity."""
    weak = [one for one in gateways if lacks(one.resources, share, peak_to_mean)]
    return min(weak, key=lambda one: (capacity(one.resources, peak_to_mean).connections, one.name), default=None)


def _problem(demand: Demand, gateways: Sequence[Gateway], spare: bool) -> str | None:
    if not gateways:
        if not demand.connections:
            return None
        return f"Site {demand.site} has no gateway for its {demand.connections} connections; add one."
    share = _share(demand.connections, len(gateways))
    weak = _weakest(gateways, share, demand.peak_to_mean)
    if weak is not None:
        return f"Site {demand.site} is too large for its gateways: {_too_much(demand, gateways, share, weak, True)}."
    if not spare:
        return None
    if len(gateways) == 1:
        return f"Site {demand.site} cannot do without {gateways[0].name}, its one gateway; add another one."
    # Whoever is away, the others have the same share; the weakest stays unless it is itself the one that is away.
    share = _share(demand.connections, len(gateways) - 1)
    weak = _weakest(gateways, share, demand.peak_to_mean)
    if weak is None:
        return None
    away = next(one for one in gateways if one is not weak)
    rest = [one for one in gateways if one is not away]
    return f"Site {demand.site} cannot do without {away.name}: {_too_much(demand, rest, share, weak, True)}."


def _too_much(demand: Demand, rest: Sequence[Gateway], share: int, weak: Gateway, remedy: bool = False) -> str:
    """Who would carry how much, what is missing for it, and perhaps what would help."""
    binding = capacity(weak.resources, demand.peak_to_mean).binding
    found = lacks(weak.resources, share, demand.peak_to_mean)
    lack = next((one for one in found if one.resource == binding), found[0])
    whole = f"all {share} connections" if len(rest) == 1 else f"{share} of {demand.connections} connections"
    if lack.resource == "limit":
        words = f"{weak.name} would carry {whole}, and a gateway carries at most {MOST_CONNECTIONS}"
        return f"{words}; give the site another gateway" if remedy else words
    words = f"{weak.name} would carry {whole}, for which it needs {lack.needs} and has {lack.has}"
    return f"{words}; give {weak.name} more, or the site another gateway" if remedy else words


def _number(value: float) -> str:
    """A figure as short as it is exact enough."""
    return f"{math.ceil(value)}" if value >= 100 else f"{round(value, 1):g}"
