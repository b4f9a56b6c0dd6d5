# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the gateways of each site: how many there are, and that what they hold lies on its LAN.

Their size is checked beside their sizing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .estate_schema import GATEWAY_GROUP
from .estate_syntax import Address, address_of, contains
from .estate_wide import EstateWide
from .findings import Finding, listed


def check_gateways(
    hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]], estate: EstateWide
) -> Iterable[Finding]:
    """Findings about sites that ask for high availability, and about floating addresses."""
    members = frozenset(groups.get(GATEWAY_GROUP, ()))
    yield from _check_availability(hosts, members, estate)
    yield from _check_floating(hosts, members, estate)


def _check_availability(
    hosts: Mapping[str, Mapping[str, Any]], members: frozenset[str], estate: EstateWide
) -> Iterable[Finding]:
    for site in estate.sites.values():
        if not site.high_availability:
            continue
        path = ("estate_sites", site.name, "high_availability")
        serving = [name for name, values in hosts.items() if name in members and values.get("host_site") == site.name]
        if not site.has_lan:
            yield Finding(f"Site {site.name} asks for high availability but has no lan_prefixes to serve.", path)
        elif len(serving) < 2:
            has = f"one gateway, {listed(serving)}" if serving else "no gateway"
            yield Finding(
                f"Site {site.name} asks for high availability but has {has}; "
                "it needs two or more hosts of group gateways.",
                path,
            )


def _check_floating(
    hosts: Mapping[str, Mapping[str, Any]], members: frozenset[str], estate: EstateWide
) -> Iterable[Finding]:
    """A floating address lies on the LAN of its gateway's site and is that of nobody else."""
    owners: dict[Address, str] = {
        address: name
        for name, values in hosts.items()
        if not isinstance(address := address_of(values.get("mesh_lan_endpoint")), str)
    }
    path = ("gateway_floating_addresses",)
    for name, values in hosts.items():
        given = values.get("gateway_floating_addresses")
        site = estate.sites.get(str(values.get("host_site")))
        if name not in members or not isinstance(given, list) or site is None:
            continue
        for value in given:
            address = address_of(value)
            if isinstance(address, str):
                yield Finding(f"Gateway {name}: gateway_floating_addresses {address}", path, name)
            elif not any(contains(lan, address) for lan in site.lans):
                lans = listed(map(str, site.lans)) or "none"
                yield Finding(
                    f"Gateway {name} has the floating address {address} outside lan_prefixes of site {site.name} ({lans}).",
                    path,
                    name,
                )
            elif (other := owners.setdefault(address, name)) != name:
                yield Finding(
                    f"Gateway {name} has the floating address {address}, which is that of {other}.", path, name
                )
