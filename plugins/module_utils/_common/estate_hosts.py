# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks each host against its site, its groups and the other hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .estate_mtu import check_mtus
from .estate_schema import GATEWAY_GROUP, HUB_GROUP, INDEX_LIMITS_OF_HOSTS, MANAGED_GROUP, ROLE_GROUPS
from .estate_syntax import Address, address_of, contains, is_label
from .estate_wide import EstateWide, Site
from .findings import Finding, did_you_mean, listed
from .option_check import has_type, shown

DEFAULT_MESH_PORT = 51820


@dataclass(frozen=True)
class HostRecord:
    """What could be read of a host; whatever was wrong is absent and has its finding."""

    name: str
    site: Site | None
    index: int | None
    endpoint: Address | None
    lan_endpoint: Address | None
    port: int | None
    groups: frozenset[str]


def check_hosts(
    hosts: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]],
    estate: EstateWide,
    default_port: int = DEFAULT_MESH_PORT,
) -> list[Finding]:
    """Everything wrong with the hosts, given their variables and the groups of the inventory."""
    membership = {group: frozenset(groups.get(group, ())) for group in ROLE_GROUPS}
    findings: list[Finding] = []
    for group, members in membership.items():
        if strays := sorted(members - hosts.keys()):
            findings.append(
                Finding(
                    f"Group {group} has {listed(strays)} outside group {MANAGED_GROUP}; "
                    f"make {group} a child of {MANAGED_GROUP}.",
                    (group,),
                )
            )
    records: list[HostRecord] = []
    for name, variables in hosts.items():
        own_groups = frozenset(group for group in ROLE_GROUPS if name in membership[group])
        record, host_findings = _read_host(name, variables, own_groups, estate, default_port)
        records.append(record)
        findings += host_findings
        findings += _check_place(record, variables, estate)
    findings += _check_duplicates(records)
    findings += check_mtus(records, hosts)
    findings += _check_service(records, hosts, membership, estate)
    return findings


def _read_host(
    name: str, variables: Mapping[str, Any], groups: frozenset[str], estate: EstateWide, default_port: int
) -> tuple[HostRecord, list[Finding]]:
    findings: list[Finding] = []
    if not is_label(name):
        text = f"Host {name} has an unusable name: it must be one DNS label in small letters, digits and hyphens."
        findings.append(Finding(text, (), name))
    site = None
    site_name = variables.get("host_site")
    if isinstance(site_name, str):
        site = estate.sites.get(site_name)
        # Without any site that could be read, the finding is about estate_sites.
        if site is None and estate.sites:
            text = f"Host {name} has host_site {site_name}, which is no site of estate_sites"
            findings.append(Finding(text + did_you_mean(site_name, estate.sites), ("host_site",), name))
    index = variables.get("host_index")
    index = int(index) if index is not None and has_type(index, "int") else None
    low, high = INDEX_LIMITS_OF_HOSTS
    if index is not None and not low <= index <= high:
        text = f"Host {name} has host_index {index}; a host index lies between {low} and {high}."
        findings.append(Finding(text, ("host_index",), name))
        index = None
    addresses: dict[str, Address | None] = {}
    for key in ("mesh_endpoint", "mesh_lan_endpoint"):
        value = variables.get(key)
        parsed = address_of(value) if isinstance(value, str | int) else None
        if isinstance(parsed, str):
            findings.append(Finding(f"Host {name}: {key} {parsed}", (key,), name))
        addresses[key] = None if isinstance(parsed, str) else parsed
    port = variables.get("mesh_port", default_port)
    record = HostRecord(
        name=name,
        site=site,
        index=index,
        endpoint=addresses["mesh_endpoint"],
        lan_endpoint=addresses["mesh_lan_endpoint"],
        port=int(port) if has_type(port, "int") else None,
        groups=groups,
    )
    return record, findings


def _check_place(host: HostRecord, variables: Mapping[str, Any], estate: EstateWide) -> Iterable[Finding]:
    name, site = host.name, host.site
    if not host.groups:
        text = f"Host {name} is in none of the groups {', '.join(ROLE_GROUPS)}: nothing would make it do anything."
        yield Finding(text, (), name)
    if HUB_GROUP in host.groups and variables.get("mesh_endpoint") is None:
        text = f"Hub {name} has no mesh_endpoint; hosts behind NAT find a hub by its public address."
        yield Finding(text, (), name)
    if host.endpoint is not None:
        overlays = [estate.ula, *(other.overlay_ipv4 for other in estate.sites.values())]
        inside = [prefix for prefix in overlays if prefix is not None and contains(prefix, host.endpoint)]
        if inside:
            text = f"Host {name} has mesh_endpoint {host.endpoint} inside the overlay {inside[0]}; it must be public."
            yield Finding(text, ("mesh_endpoint",), name)
    if site is None:
        return
    if site.tenant is None and HUB_GROUP not in host.groups:
        text = f"Host {name} is no hub but lives in site {site.name}, which has no tenant; only hubs are shared."
        yield Finding(text, ("host_site",), name)
    if host.lan_endpoint is not None and not any(contains(lan, host.lan_endpoint) for lan in site.lans):
        lans = listed(map(str, site.lans)) or "none"
        yield Finding(
            f"Host {name} has mesh_lan_endpoint {host.lan_endpoint} outside lan_prefixes of site {site.name} ({lans}).",
            ("mesh_lan_endpoint",),
            name,
        )
    if GATEWAY_GROUP in host.groups and not site.has_lan:
        text = f"Gateway {name} is in site {site.name}, which has no lan_prefixes: there is no LAN to join."
        yield Finding(text, ("host_site",), name)
    if site.overlay_ipv4 is not None and host.index is not None:
        room = max(site.overlay_ipv4.num_addresses - 2, 0)
        if host.index > room:
            yield Finding(
                f"Host {name} has host_index {host.index}, but overlay_ipv4_prefix {site.overlay_ipv4} of site "
                f"{site.name} has room for indexes up to {room}.",
                ("host_index",),
                name,
            )


def _check_duplicates(hosts: Iterable[HostRecord]) -> Iterable[Finding]:
    seen: dict[tuple[str, object, object], HostRecord] = {}
    for host in hosts:
        keys: list[tuple[str, object, object, str]] = []
        if host.site is not None and host.index is not None:
            keys.append(("host_index", host.site.name, host.index, f"{host.index} in site {host.site.name}"))
        if host.endpoint is not None and host.port is not None:
            keys.append(("mesh_endpoint", host.endpoint, host.port, f"{host.endpoint} port {host.port}"))
        if host.lan_endpoint is not None:
            keys.append(("mesh_lan_endpoint", host.lan_endpoint, None, str(host.lan_endpoint)))
        for variable, first, second, words in keys:
            other = seen.setdefault((variable, first, second), host)
            if other is not host:
                text = f"Hosts {other.name} and {host.name} have the same {variable} {words}."
                yield Finding(text, (variable,), host.name)


def _check_service(
    records: Sequence[HostRecord],
    hosts: Mapping[str, Mapping[str, Any]],
    membership: Mapping[str, frozenset[str]],
    estate: EstateWide,
) -> Iterable[Finding]:
    hubs = sorted(membership[HUB_GROUP])
    if not hubs:
        yield Finding("The estate has hosts but no hub: put a host with a public mesh_endpoint in group hubs.")
    served = {host.site.name for host in records if host.site and GATEWAY_GROUP in host.groups}
    inhabited = {host.site.name for host in records if host.site}
    # The first site of each tenant that has an IPv4 LAN.
    ipv4_lans: dict[str, str] = {}
    for site in estate.sites.values():
        if site.tenant and any(lan.version == 4 for lan in site.lans):
            ipv4_lans.setdefault(site.tenant, site.name)
    for site in estate.sites.values():
        path = ("estate_sites", site.name)
        if site.has_lan and site.name not in served:
            text = f"Site {site.name} has a LAN but nobody to serve it: no host of group gateways has it as host_site."
            yield Finding(text, path)
        if site.hub is not None and site.hub not in hubs:
            yield Finding(
                f"Site {site.name} names hub {site.hub}, which is not in group hubs{did_you_mean(site.hub, hubs)}",
                (*path, "hub"),
            )
        with_ipv4 = ipv4_lans.get(site.tenant or "")
        if with_ipv4 and site.name in inhabited and not site.has_overlay_ipv4:
            yield Finding(
                f"Site {site.name} has hosts but no overlay_ipv4_prefix, which they need to reach "
                f"the IPv4 LAN of site {with_ipv4}.",
                path,
            )
    registries: dict[str, str] = {}
    for name, variables in hosts.items():
        if isinstance(registry := variables.get("registry_host"), str):
            registries.setdefault(registry, name)
    for registry, name in registries.items():
        if registry not in hubs:
            text = f"registry_host names {shown(registry)}, which is not in group hubs{did_you_mean(registry, hubs)}"
            yield Finding(text, ("registry_host",), name)
