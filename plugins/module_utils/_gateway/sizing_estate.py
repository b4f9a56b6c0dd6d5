# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of the size of its gateways: sites with what they ask, gateways with what they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._common.errors import BadInput
from .._common.estate_schema import GATEWAY_GROUP, GATEWAY_RESOURCES, HOST_OPTIONS, SITE_OPTIONS, Options
from .._common.findings import Finding
from .._common.option_check import has_type, is_true, problems_of, shown
from .sizing import (
    DEFAULT_HEADROOM_PERCENT,
    DEFAULT_PEAK_TO_MEAN,
    Demand,
    Gateway,
    Resources,
    SiteSizing,
    size_site,
)

# The limits of each option, both included.
_LIMITS: Mapping[str, tuple[float, float]] = {
    "connections": (0, 10**6),
    "traffic_peak_to_mean": (1, 1000),
    "headroom_percent": (0, 99),
}


@dataclass(frozen=True)
class SiteDemand:
    """A site with its gateways, in the order of their names."""

    demand: Demand
    gateways: tuple[Gateway, ...]

    @property
    def sizing(self) -> SiteSizing:
        return size_site(self.demand, self.gateways)


def read_demand(site: str, values: Mapping[str, Any]) -> Demand:
    """What a site of estate_sites asks for. Raises BadInput where a value is none that counts."""
    connections = _limited(site, values, "connections", 0)
    return Demand(
        site=site,
        connections=int(connections),
        peak_to_mean=_limited(site, values, "traffic_peak_to_mean", DEFAULT_PEAK_TO_MEAN),
        headroom_percent=int(_limited(site, values, "headroom_percent", DEFAULT_HEADROOM_PERCENT)),
        spare=asks_for_spare(site, values),
    )


def asks_for_spare(site: str, values: Mapping[str, Any]) -> bool | None:
    """The value of high_availability; None where nothing is said."""
    value = values.get("high_availability")
    if value is None:
        return None
    if not has_type(value, "bool"):
        raise BadInput(f"Site {site} has high_availability {shown(value)}, which is neither true nor false.")
    return is_true(value)


def _limited(site: str, values: Mapping[str, Any], option: str, default: float) -> float:
    value = values.get(option)
    if value is None:
        return default
    low, high = _LIMITS[option]
    if not has_type(value, str(SITE_OPTIONS[option]["type"])) or not low <= float(value) <= high:
        raise BadInput(f"Site {site} has {option} {shown(value)}; it lies between {low:g} and {high:g}.")
    return float(value)


def read_resources(host: str, values: object) -> Resources:
    """What gateway_resources of a host says. Raises BadInput."""
    if values is None:
        return Resources()
    if not isinstance(values, Mapping):
        raise BadInput(f"Gateway {host} has gateway_resources {shown(values)}, which is no mapping.")
    found: dict[str, float] = {}
    for name, option in GATEWAY_RESOURCES.items():
        value = values.get(name)
        if value is None:
            continue
        if not has_type(value, str(option["type"])) or not 0 < float(value) < 10**9:
            raise BadInput(f"Gateway {host} has {shown(value)} as {name} of gateway_resources; give it what it has.")
        found[name] = int(value) if option["type"] == "int" else float(value)
    return Resources(**found)  # type: ignore[arg-type]  # each has the type that its option names


def reported_resources(sections: Mapping[str, Any]) -> Resources:
    """What a host reports of itself, of the sections of a report that counts."""
    system = sections.get("system") or {}
    memory = system.get("memory_total_bytes")
    return Resources(cpu_count=system.get("cpu_count"), memory_gb=None if memory is None else memory / 10**9)


def gateways_by_site(
    hosts: Mapping[str, Mapping[str, Any]],
    gateways: Iterable[str],
    reported: Mapping[str, Resources] | None = None,
) -> dict[str, tuple[Gateway, ...]]:
    """The gateways of each site, by name.

    `hosts` maps a name to its variables, of which ``host_site`` and ``gateway_resources`` are read. What a gateway
    reports goes before what the inventory says of it. Raises BadInput.
    """
    found: dict[str, list[Gateway]] = {}
    for name in sorted(gateways):
        values = hosts.get(name, {})
        has = (reported or {}).get(name, Resources()).over(read_resources(name, values.get("gateway_resources")))
        found.setdefault(str(values.get("host_site")), []).append(Gateway(name, has))
    return {site: tuple(members) for site, members in found.items()}


def demands(sites: Mapping[str, Any], gateways: Mapping[str, tuple[Gateway, ...]]) -> dict[str, SiteDemand]:
    """Each site that has gateways or asks for connections. Raises BadInput."""
    found: dict[str, SiteDemand] = {}
    for site, values in sites.items():
        demand = read_demand(str(site), values if isinstance(values, Mapping) else {})
        if demand.connections or str(site) in gateways:
            found[str(site)] = SiteDemand(demand, gateways.get(str(site), ()))
    return found


def check_sizing(hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]]) -> list[Finding]:
    """A finding for each site whose gateways cannot carry what it asks for, as far as the inventory says.

    Values of a wrong type are left out: they have a finding already, as have sites with too few gateways.
    """
    estate = next((one["estate_sites"] for one in hosts.values() if "estate_sites" in one), None)
    if not isinstance(estate, Mapping):
        return []
    findings: list[Finding] = []
    members = frozenset(groups.get(GATEWAY_GROUP, ()))
    readable: dict[str, dict[str, Any]] = {}
    for name in (one for one in hosts if one in members):
        sound = _sound(hosts[name], {one: HOST_OPTIONS[one] for one in ("host_site", "gateway_resources")})
        try:
            read_resources(name, sound.get("gateway_resources"))
        except BadInput as error:
            findings.append(Finding(str(error), ("gateway_resources",), name))
            sound.pop("gateway_resources")
        readable[name] = sound
    gateways = gateways_by_site(readable, readable)
    for site, values in estate.items():
        path = ("estate_sites", str(site))
        try:
            demand = read_demand(str(site), _sound(values, SITE_OPTIONS))
        except BadInput as error:
            findings.append(Finding(str(error), path))
            continue
        serving = gateways.get(str(site), ())
        if (demand.spare and len(serving) < 2) or (not serving and values.get("lan_prefixes")):
            continue
        problem = size_site(demand, serving).problem
        if problem is not None:
            findings.append(Finding(problem, path))
    return findings


def _sound(values: object, options: Options) -> dict[str, Any]:
    """The values that are as their options describe them."""
    if not isinstance(values, Mapping):
        return {}
    return {
        name: values[name]
        for name, option in options.items()
        if name in values and not any(problems_of(values[name], option, (name,)))
    }
