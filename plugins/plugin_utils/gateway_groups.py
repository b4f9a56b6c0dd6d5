# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which gateways are too small, or nearly full, by what they report and what their sites ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.inventory.host import Host
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.headroom import judge
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.sizing_estate import (
    demands,
    gateways_by_site,
    read_demand,
    reported_resources,
)

from .inventory_variables import InventoryVariables

UNDERSIZED, HEADROOM_LOW = "gateway_undersized", "gateway_headroom_low"
GROUPS = (UNDERSIZED, HEADROOM_LOW)
# Evaluates the templates in a value, with these variables.
Evaluate = Callable[[Any, Mapping[str, Any]], Any]


@dataclass
class Sized:
    """What is said of each gateway that reports, and the groups it is in."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in GROUPS})


def size_reported(
    gateways: Iterable[Host],
    sections: Mapping[str, Mapping[str, Any]],
    variables: InventoryVariables,
    evaluate: Evaluate,
) -> Sized:
    """Judge the gateways with a report that counts, by `sections` of their names. Raises BadInput."""
    found = Sized()
    hosts = {host.name: host for host in gateways}
    sites = evaluate(variables.everyone.get("estate_sites"), variables.everyone)
    if not any(name in sections for name in hosts) or not isinstance(sites, Mapping):
        return found
    values: dict[str, dict[str, Any]] = {}
    for name, host in hosts.items():
        site = variables.value(host, "host_site")
        asked = sites.get(site)
        # What a gateway has is often said for its group; that file is read only where it decides something.
        known = isinstance(asked, Mapping) and read_demand(str(site), asked).connections
        own = variables.with_plugins(host) if known else host.vars
        values[name] = {"host_site": site, "gateway_resources": evaluate(own.get("gateway_resources"), own)}
    reported = {name: reported_resources(sections[name]) for name in hosts if name in sections}
    for one in demands(sites, gateways_by_site(values, hosts, reported)).values():
        for gateway in one.sizing.gateways:
            if gateway.name not in sections:
                continue
            verdict = judge(one.demand, gateway, sections[gateway.name].get("gateway") or {})
            for group, sentences in zip(GROUPS, (verdict.undersized, verdict.low), strict=True):
                if sentences:
                    found.groups[group].append(gateway.name)
            found.values[gateway.name] = {
                "connections": gateway.most,
                "capacity": gateway.capacity.connections,
                "binding": gateway.capacity.binding,
                "findings": [*verdict.undersized, *verdict.low],
            }
    return found
