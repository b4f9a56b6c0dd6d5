# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks what holds for the whole estate: its name, its prefix, its tenants and its sites."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .estate_mtu import check_range, read_mtu
from .estate_overlaps import check_overlaps, read_translation
from .estate_schema import ESTATE_OPTIONS, INDEX_LIMITS_OF_SITES, SITE_OPTIONS, TENANT_OPTIONS
from .estate_syntax import Network, address_of, contains, is_domain, is_label, is_name, network_of
from .findings import Finding, did_you_mean
from .option_check import is_true, problems_of, problems_of_mapping, shown

_LOCAL_PREFIXES = ipaddress.IPv6Network("fd00::/8")
_NAME_RULE = "a name begins with a small letter and holds small letters, digits and hyphens, at most 63."


@dataclass(frozen=True)
class Site:
    """What could be read of a site; whatever was wrong is absent and has its finding."""

    name: str
    index: int | None = None
    tenant: str | None = None
    lans: tuple[Network, ...] = ()
    has_lan: bool = False
    overlay_ipv4: ipaddress.IPv4Network | None = None
    has_overlay_ipv4: bool = False
    hub: str | None = None
    translation: Mapping[Network, Network] = field(default_factory=dict)
    underlay_mtu: int | None = None
    lan_mtu: int | None = None
    high_availability: bool = False


@dataclass(frozen=True)
class EstateWide:
    """The estate's own values as far as they could be read."""

    ula: ipaddress.IPv6Network | None
    tenants: frozenset[str]
    sites: Mapping[str, Site]


def check_estate_wide(estate: Mapping[str, Any]) -> tuple[EstateWide, list[Finding]]:
    """Reads the estate-wide variables and says everything that is wrong with them."""
    findings = [
        Finding(f"{name} is not set; it belongs in group_vars/all.")
        for name, option in ESTATE_OPTIONS.items()
        if option.get("required") and name not in estate
    ]
    findings += [
        Finding(f"{name} {text}", path)
        for name, value in estate.items()
        for path, text in problems_of(value, ESTATE_OPTIONS[name], (name,))
    ]
    findings += _check_names(estate)
    ula, ula_findings = _read_ula(estate.get("estate_ula_prefix"))
    findings += ula_findings
    tenants, tenant_findings = _read_tenants(estate.get("estate_tenants"))
    findings += tenant_findings
    written = estate.get("estate_sites")
    if isinstance(written, Mapping) and not written:
        findings.append(Finding("estate_sites holds no site.", ("estate_sites",)))
    sites: dict[str, Site] = {}
    for name, attributes in (written if isinstance(written, Mapping) else {}).items():
        sites[str(name)], site_findings = _read_site(name, attributes, tenants)
        findings += site_findings
    findings += _check_site_indexes(sites.values())
    findings += check_overlaps(ula, sites.values())
    return EstateWide(ula=ula, tenants=tenants, sites=sites), findings


def _check_names(estate: Mapping[str, Any]) -> Iterable[Finding]:
    name, domain = estate.get("estate_name"), estate.get("estate_domain")
    if isinstance(name, str) and not is_name(name):
        yield Finding(f"estate_name {shown(name)} is not usable: {_NAME_RULE}", ("estate_name",))
    if isinstance(domain, str) and not is_domain(domain):
        text = f"estate_domain {shown(domain)} is not a DNS domain in small letters, such as demo.internal."
        yield Finding(text, ("estate_domain",))


def _read_ula(value: object) -> tuple[ipaddress.IPv6Network | None, list[Finding]]:
    path = ("estate_ula_prefix",)
    if not isinstance(value, str):
        return None, []  # missing or of a wrong type, which has its finding
    network = network_of(value)
    if isinstance(network, str):
        return None, [Finding(f"estate_ula_prefix {network}", path)]
    if network.version == 4 or not network.subnet_of(_LOCAL_PREFIXES):
        return None, [Finding(f"estate_ula_prefix {network} does not lie in fd00::/8 (RFC 4193).", path)]
    if network.prefixlen != 48:
        text = f"estate_ula_prefix {network} is not a /48: each site takes one /64 of it, numbered by its index."
        return None, [Finding(text, path)]
    return network, []


def _read_tenants(value: object) -> tuple[frozenset[str], list[Finding]]:
    findings: list[Finding] = []
    tenants = value if isinstance(value, Mapping) else {}
    for name, attributes in tenants.items():
        path = ("estate_tenants", str(name))
        if not is_name(name):
            findings.append(Finding(f"Tenant {shown(name)} has an unusable name: {_NAME_RULE}", path))
        findings += _check_attributes(f"Tenant {name}", attributes or {}, TENANT_OPTIONS, path)
    return frozenset(map(str, tenants)), findings


def _check_attributes(
    subject: str, attributes: object, options: Mapping[str, Any], path: tuple[str, ...]
) -> list[Finding]:
    if not isinstance(attributes, Mapping):
        return [Finding(f"{subject} must be a mapping, not {shown(attributes)}.", path)]
    problems = problems_of_mapping(attributes, options, ())
    return [Finding(f"{subject}: {'.'.join(keys)} {text}", path + keys) for keys, text in problems]


def _read_site(name: object, attributes: object, tenants: frozenset[str]) -> tuple[Site, list[Finding]]:
    subject, path = f"Site {name}", ("estate_sites", str(name))
    findings: list[Finding] = []
    if not is_name(name):
        findings.append(Finding(f"Site {shown(name)} has an unusable name: {_NAME_RULE}", path))
    findings += _check_attributes(subject, attributes, SITE_OPTIONS, path)
    if not isinstance(attributes, Mapping):
        return Site(str(name)), findings
    # A value of a wrong type has its finding above and is left out below.
    sound = {
        key: value
        for key, value in attributes.items()
        if key in SITE_OPTIONS and not any(problems_of(value, SITE_OPTIONS[key], ()))
    }
    tenant = sound.get("tenant")
    if tenant is not None and tenant not in tenants:
        hint = did_you_mean(str(tenant), tenants)
        findings.append(Finding(f"{subject} names tenant {tenant}, which is not in estate_tenants{hint}", path))
    lans, lan_findings = _read_lans(subject, sound.get("lan_prefixes") or [], path)
    if lans and tenant is None:
        text = f"{subject} has a LAN but no tenant: whatever is on a LAN belongs to a tenant."
        findings.append(Finding(text, path))
    overlay, overlay_findings = _read_overlay(subject, sound.get("overlay_ipv4_prefix"), path)
    translation, translation_findings = read_translation(subject, sound.get("lan_translation") or {}, lans, path)
    findings += lan_findings + overlay_findings + translation_findings
    findings += _check_extra_names(subject, sound.get("names") or {}, lans, path)
    findings += _check_health_targets(subject, sound.get("health_targets") or [], lans, path)
    index = int(sound["index"]) if sound.get("index") is not None else None
    low, high = INDEX_LIMITS_OF_SITES
    if index is not None and not low <= index <= high:
        text = f"{subject} has index {index}; a site index lies between {low} and {high}."
        findings.append(Finding(text, (*path, "index")))
        index = None
    for option in ("underlay_mtu", "lan_mtu"):
        findings += check_range(subject, option, read_mtu(sound, option), (*path, option))
    return Site(
        name=str(name),
        index=index,
        tenant=tenant,
        lans=lans,
        has_lan=bool(attributes.get("lan_prefixes")),
        overlay_ipv4=overlay,
        has_overlay_ipv4=bool(attributes.get("overlay_ipv4_prefix")),
        hub=sound.get("hub"),
        translation=translation,
        underlay_mtu=read_mtu(sound, "underlay_mtu"),
        lan_mtu=read_mtu(sound, "lan_mtu"),
        high_availability=is_true(sound.get("high_availability")),
    ), findings


def _read_lans(
    subject: str, values: Iterable[object], path: tuple[str, ...]
) -> tuple[tuple[Network, ...], list[Finding]]:
    networks: list[Network] = []
    findings: list[Finding] = []
    for value in values:
        network = network_of(value)
        if isinstance(network, str):
            findings.append(Finding(f"{subject}: lan_prefixes: {network}", (*path, "lan_prefixes")))
        else:
            networks.append(network)
    return tuple(networks), findings


def _read_overlay(
    subject: str, value: object, path: tuple[str, ...]
) -> tuple[ipaddress.IPv4Network | None, list[Finding]]:
    path = (*path, "overlay_ipv4_prefix")
    if value is None:
        return None, []
    network = network_of(value)
    if isinstance(network, str):
        return None, [Finding(f"{subject}: overlay_ipv4_prefix {network}", path)]
    if not isinstance(network, ipaddress.IPv4Network):
        text = f"{subject}: overlay_ipv4_prefix {network} is not IPv4; the IPv6 overlay comes from estate_ula_prefix."
        return None, [Finding(text, path)]
    return network, []


def _check_extra_names(
    subject: str, names: Mapping[Any, Any], lans: tuple[Network, ...], path: tuple[str, ...]
) -> Iterable[Finding]:
    for name, addresses in names.items():
        place = (*path, "names", str(name))
        if not is_label(name):
            yield Finding(f"{subject}: names: {shown(name)} is not a DNS label in small letters.", place)
        if not isinstance(addresses, list):
            yield Finding(f"{subject}: names: {name} must be a list of addresses, not {shown(addresses)}.", place)
            continue
        for value in addresses:
            address = address_of(value)
            if isinstance(address, str):
                yield Finding(f"{subject}: names: {name}: {address}", place)
            elif not any(contains(lan, address) for lan in lans):
                yield Finding(f"{subject}: names: {name} has {address}, which is outside lan_prefixes.", place)


def _check_health_targets(
    subject: str, targets: Iterable[object], lans: tuple[Network, ...], path: tuple[str, ...]
) -> Iterable[Finding]:
    """A target is asked on the LAN alone, so another address would never answer."""
    for value in targets:
        address = address_of(value)
        if isinstance(address, str):
            yield Finding(f"{subject}: health_targets: {address}", (*path, "health_targets"))
        elif not any(contains(lan, address) for lan in lans):
            text = f"{subject}: health_targets has {address}, which is outside lan_prefixes."
            yield Finding(text, (*path, "health_targets"))


def _check_site_indexes(sites: Iterable[Site]) -> Iterable[Finding]:
    first: dict[int, Site] = {}
    for site in sites:
        if site.index is None:
            continue
        other = first.setdefault(site.index, site)
        if other is not site:
            text = f"Sites {other.name} and {site.name} have the same index {site.index}."
            yield Finding(text, ("estate_sites", site.name, "index"))
