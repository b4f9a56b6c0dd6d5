# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host must reach, and must not, if the estate is as it should be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .._common.estate import Estate


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to try on a host. ``kind`` is ping, page or resolve; ``reach`` is whether it must work."""

    proof: str
    kind: str
    target: str
    reach: bool
    about: str
    expect: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "expect": list(self.expect)}


def _addresses(estate: Estate, name: str) -> list[str]:
    return [address.split("/")[0] for address in estate.hosts[name].allowed_ips]


def plan_probes(estate: Estate, host_name: str, pages: list[dict[str, Any]]) -> list[Probe]:
    """Probes of one managed host: every pair of the overlay in both families, names, and declared pages.

    ``pages`` are ``{"from", "url", "contains"}``.
    """
    host = estate.hosts[host_name]
    probes: list[Probe] = []
    for other in sorted(estate.hosts.values(), key=lambda one: one.name):
        if other.name == host.name or other.public_key is None:
            continue
        reach = estate.may_reach(host, other)
        addresses = tuple(_addresses(estate, other.name))
        probes += [
            Probe("overlay", "ping", address, reach, f"{host.name} -> {other.name}")
            for address in addresses
            # IPv4 needs an address at both ends
            if ":" in address or host.address4 is not None
        ]
        if reach:
            name = f"{other.name}.{estate.domain}"
            probes.append(Probe("names", "resolve", name, True, f"{host.name} asks for {name}", addresses))
    for site in estate.sites.values():
        if site.tenant is not None and site.tenant == host.site.tenant:
            for short, given in sorted(site.names.items()):
                name = f"{short}.{site.name}.{estate.domain}"
                reached = tuple(map(site.reached_address, given))
                probes.append(Probe("names", "resolve", name, True, f"{host.name} asks for {name}", reached))
    probes += [
        Probe("pages", "page", page["url"], True, f"{host.name} opens {page['url']}", (page["contains"],))
        for page in pages
        if page["from"] == host.name
    ]
    return probes


def plan_outsider_probes(estate: Estate, outsider: str) -> list[Probe]:
    """Probes of a host that is no member of the overlay: it must reach no overlay address."""
    return [
        Probe("outsiders", "ping", address, False, f"{outsider} -> {name}")
        for name in sorted(estate.hosts)
        for address in _addresses(estate, name)
    ]
