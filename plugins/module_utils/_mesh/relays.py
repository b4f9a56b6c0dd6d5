# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts reach each other through hubs alone, which decrypt what they pass on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from .._common.estate import Estate, Host
from .pairs import peers_of


def plan_relayed(estate: Estate, mesh_of: Callable[[str], Mapping[str, Any]], most: int) -> dict[str, Any]:
    """How many pairs of enrolled hosts have no tunnel between them, and the first of them with their hubs.

    ``mesh_of`` gives the mesh plan of a host. What is listed is bounded, because pairs grow with the square of hosts.
    """
    enrolled = sorted((host for host in estate.hosts.values() if host.public_key is not None), key=lambda one: one.name)
    groups: dict[str | None, list[Host]] = {}
    for host in enrolled:
        groups.setdefault(host.site.tenant, []).append(host)
    shared = groups.get(None, [])

    def others(host: Host) -> list[Host]:
        """All that it may reach, itself among them."""
        return enrolled if host.site.tenant is None else [*shared, *groups[host.site.tenant]]

    def pairs_of(host: Host) -> list[Host]:
        direct = set(peers_of(mesh_of(host.name)))
        found = [other for other in others(host) if other.name > host.name and other.name not in direct]
        return sorted(found, key=lambda one: one.name)

    # each pair is missing at both of its ends
    missing = sum(len(others(host)) - 1 - len(peers_of(mesh_of(host.name))) for host in enrolled)
    pairs = ((host, other) for host in enrolled for other in pairs_of(host))
    return {
        "count": missing // 2,
        "pairs": [
            {"one": one.name, "other": other.name, "hubs": _hubs(estate, one, other)}
            for one, other in islice(pairs, most)
        ],
    }


def _hubs(estate: Estate, one: Host, other: Host) -> list[str]:
    """The hubs between two hosts, in the order of the way."""
    hubs = [host.name if host.is_hub else estate.home_hub(host.site).name for host in (one, other)]
    return [name for name in dict.fromkeys(hubs) if name not in (one.name, other.name)]
