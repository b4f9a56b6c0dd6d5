# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches what in a whole estate, as planned: a few lines a tenant and one a LAN, never one a pair."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from .._common.errors import BadInput
from .._common.estate import Estate, Host, Site
from .._common.exits import Exits, on_lan
from .._common.findings import listed

# Everything: what a gateway lets into its LAN. Services: ping and what a host opens to the overlay.
Reach = Literal["everything", "services", "ping", "nothing", "neighbours"]


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that a proof knows: a managed host, or one on the LAN of a site."""

    name: str
    host: Host | None
    site: Site

    def is_on_lan_of(self, site: Site) -> bool:
        return self.site.name == site.name if self.host is None else on_lan(self.host, site)


class Reachability:
    """The planned access of an estate."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._exits = Exits(estate)

    def matrix(self) -> list[dict[str, Any]]:
        """By tenant: its sites and hosts, the hubs that it shares, and each of its LANs with who enters it and by whom."""
        shared_hubs = [hub.name for hub in self._estate.hubs if hub.site.tenant is None]
        return [
            {
                "tenant": tenant,
                "sites": [site.name for site in sites],
                "hosts": sum(len(self._estate.hosts_by_site[site.name]) for site in sites),
                "shared_hubs": shared_hubs,
                "lans": [self._lan(site, prefix, sites) for site in sites for prefix in site.lan_prefixes],
            }
            for tenant, sites in sorted(self._estate.sites_by_tenant.items())
        ]

    def _lan(self, site: Site, prefix: str, sites: Iterable[Site]) -> dict[str, Any]:
        gateways = [gateway.name for gateway in self._exits.gateways.get(site.name, ())]
        # IPv4 only from where hosts have it
        sources = [one.name for one in sites if ":" in prefix or one.prefix4 is not None] if gateways else []
        return {
            "site": site.name,
            "prefix": site.lan_translation.get(prefix, prefix),
            "lan_prefix": prefix,
            "sources": sources,
            "gateways": gateways,
        }

    def lines(self) -> list[str]:
        """The matrix in words."""
        lines: list[str] = []
        for row in self.matrix():
            whom = f"each other and hub{'s' if len(row['shared_hubs']) > 1 else ''} {listed(row['shared_hubs'])}"
            lines.append(
                f"{row['tenant']}: the hosts of {listed(row['sites'])} ({row['hosts']}) reach "
                f"{whom if row['shared_hubs'] else 'each other'}: ping and what each opens to the overlay"
            )
            lines += [f"{row['tenant']}: {_lan_in_words(lan, row['sites'])}" for lan in row["lans"]]
        lines.append("between tenants, and from a LAN into the overlay: nothing")
        return lines

    @cached_property
    def _hosts_by_address(self) -> Mapping[str, Host]:
        return {prefix.partition("/")[0]: host for host in self._estate.hosts.values() for prefix in host.allowed_ips}

    def machine(self, name: str, lan_of: str | None = None) -> Machine:
        """A managed host by its name, or a machine on the LAN of a site."""
        if lan_of is not None:
            site = self._estate.sites.get(lan_of)
            if site is None:
                raise BadInput(f"Machine {name} is said to be on the LAN of site {lan_of}, which estate_sites has not.")
            return Machine(name, None, site)
        host = self._estate.hosts.get(name)
        if host is None:
            raise BadInput(f"Machine {name} is no managed host; say on the LAN of which site it is.")
        return Machine(name, host, host.site)

    def between(self, source: Machine, target: Machine, address: str) -> Reach:
        """What a machine may begin with another one at one of that one's addresses."""
        host = self._hosts_by_address.get(address)
        if source.host is None and target.is_on_lan_of(source.site):
            # an overlay address counts on the overlay's interface only, and so does one that the LAN is known by
            if host is not None or _holds(source.site.lan_translation.values(), address):
                return "nothing"
            # of what a LAN's own machines are to a gateway, only this passes
            return "ping" if target.host is not None else "neighbours"
        if host is not None:
            if source.host is None or host.name != target.name or host.public_key is None:
                return "nothing"
            with_family = ":" in address or source.host.address4 is not None
            return "services" if with_family and self._estate.may_reach(source.host, host) else "nothing"
        return self._into_lan(source, target, address)

    def _into_lan(self, source: Machine, target: Machine, address: str) -> Reach:
        site = target.site
        if source.is_on_lan_of(site) and _holds(site.lan_prefixes, address):
            return "neighbours"
        from_outside = source.host is not None and not (source.host.is_gateway and source.is_on_lan_of(site))
        if not from_outside or source.site.tenant != site.tenant or not target.is_on_lan_of(site):
            return "nothing"
        with_family = ":" in address or (source.host is not None and source.host.address4 is not None)
        if not with_family or not self._exits.gateways.get(site.name) or not _holds(site.reached_prefixes, address):
            return "nothing"
        # of a gateway's own address on the LAN, what the gateway opens to the overlay
        return "services" if target.host is not None and target.host.is_gateway else "everything"


def _holds(prefixes: Iterable[str], address: str) -> bool:
    given = ipaddress.ip_address(address)
    networks = map(ipaddress.ip_network, prefixes)
    return any(network.version == given.version and given in network for network in networks)


def _lan_in_words(lan: Mapping[str, Any], sites: list[str]) -> str:
    shown = lan["prefix"]
    if lan["prefix"] != lan["lan_prefix"]:
        shown += f" ({lan['lan_prefix']} on the LAN of {lan['site']})"
    else:
        shown += f" (the LAN of {lan['site']})"
    if not lan["gateways"]:
        return f"nobody reaches {shown}, which has no enrolled gateway"
    who = "all" if lan["sources"] == sites else listed(lan["sources"])
    return f"{who} reach{'' if len(lan['sources']) > 1 or who == 'all' else 'es'} {shown} by {listed(lan['gateways'])}"
