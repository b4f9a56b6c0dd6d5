# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the gateways of each site: how many there are, that what they hold lies on its LAN, and that another one can
take it over.

Their size is checked beside their sizing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .estate_schema import GATEWAY_GROUP, HUB_GROUP
from .estate_syntax import Address, address_of, contains
from .estate_wide import EstateWide
from .findings import Finding, listed
from .takeover_needs import no_floating_address, no_lan_endpoint


def check_gateways(
    hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]], estate: EstateWide
) -> Iterable[Finding]:
    """Findings about sites that ask for high availability, and about floating addresses."""
    members = frozenset(groups.get(GATEWAY_GROUP, ()))
    yield from _check_availability(hosts, members, estate)
    yield from _check_floating(hosts, members, estate)
    yield from _check_takeover(hosts, members, frozenset(groups.get(HUB_GROUP, ())), estate)


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


def _check_takeover(
    hosts: Mapping[str, Mapping[str, Any]], members: frozenset[str], hubs: frozenset[str], estate: EstateWide
) -> Iterable[Finding]:
    """Gateways of a site that hold floating addresses for each other find each other, and show what they hold."""
    for site in estate.sites.values():
        serving = [name for name, values in hosts.items() if name in members and values.get("host_site") == site.name]
        pairs = [name for name in serving if name not in hubs]
        if not site.has_lan:
            continue
        if len(pairs) > 1 and any(hosts[name].get("gateway_floating_addresses") for name in pairs):
            # what is not set is in no file; the host is
            yield from (
                Finding(no_lan_endpoint(name), (), name)
                for name in pairs
                if hosts[name].get("mesh_lan_endpoint") is None
            )
        for name in serving:
            alone = "it is a hub" if name in hubs else f"it is the only gateway of site {site.name}"
            yield from _check_translation(name, hosts[name], alone if name in hubs or len(pairs) < 2 else "")


def _check_translation(name: str, values: Mapping[str, Any], alone: str) -> Iterable[Finding]:
    """Where a family is to be shown by a floating address, there is one; `alone` says why nobody would take it over."""
    given = values.get("gateway_floating_addresses") or []
    # one of a wrong type has its finding
    addresses = [address_of(one) for one in given] if isinstance(given, list) else [""]
    for option, version in (("gateway_translation", 4), ("gateway_translation_ipv6", 6)):
        if values.get(option) != "floating" or any(isinstance(one, str) for one in addresses):
            continue
        if alone:
            text = f"Gateway {name} has {option} floating, but nobody could take its address over, as {alone}"
            yield Finding(f"{text}; choose masquerade or none.", (option,), name)
        elif not any(one.version == version for one in addresses if not isinstance(one, str)):
            yield Finding(no_floating_address(f"Gateway {name}", option, version), (option,), name)
