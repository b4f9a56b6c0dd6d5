# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the declared sizes of packets: what an underlay carries must leave IPv6 its 1,280 bytes (RFC 8200)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from .estate_schema import GATEWAY_GROUP, HUB_GROUP, LEAST_MTU, LEAST_UNDERLAY_MTU_OF_IPV6, LIMITS_OF_UNDERLAY_MTU
from .estate_syntax import Address
from .findings import Finding
from .option_check import has_type

LIMITS_OF_MESH_MTU = (LEAST_MTU, LIMITS_OF_UNDERLAY_MTU[1])


class SiteLike(Protocol):
    """What is read of a site here."""

    @property
    def name(self) -> str: ...
    @property
    def tenant(self) -> str | None: ...
    @property
    def underlay_mtu(self) -> int | None: ...
    @property
    def lan_mtu(self) -> int | None: ...


class HostLike(Protocol):
    """What is read of a host here."""

    @property
    def name(self) -> str: ...
    @property
    def site(self) -> SiteLike | None: ...
    @property
    def endpoint(self) -> Address | None: ...
    @property
    def lan_endpoint(self) -> Address | None: ...
    @property
    def groups(self) -> frozenset[str]: ...


def read_mtu(values: Mapping[str, Any], option: str) -> int | None:
    """A declared size, or None where there is none or its type has its finding already."""
    value = values.get(option)
    return int(value) if value is not None and has_type(value, "int") else None


def check_range(subject: str, option: str, value: int | None, path: tuple[str, ...]) -> Iterator[Finding]:
    """A finding where a declared size is outside of what it may be."""
    if value is None:
        return
    if option == "mesh_mtu":
        low, high = LIMITS_OF_MESH_MTU
        words = f"a tunnel carries {low} to {high} bytes, since IPv6 needs {low} (RFC 8200); 0 is for the plan."
    else:
        low, high = LIMITS_OF_UNDERLAY_MTU
        words = (
            f"an underlay carries {low} to {high} bytes, "
            f"since the tunnel takes {low - LEAST_MTU} and IPv6 inside needs {LEAST_MTU} (RFC 8200)."
        )
    if not low <= value <= high and (option, value) != ("mesh_mtu", 0):
        yield Finding(f"{subject} has {option} {value}; {words}", path)


def check_mtus(hosts: Sequence[HostLike], variables: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Findings of the hosts' own values, and of paths over IPv6, where the tunnel takes more."""
    findings: list[Finding] = []
    for host in hosts:
        for option in ("underlay_mtu", "mesh_mtu"):
            found = check_range(f"Host {host.name}", option, read_mtu(variables[host.name], option), (option,))
            findings += (Finding(finding.text, finding.path, host.name) for finding in found)
    return [*findings, *_check_public_ipv6(hosts, variables), *_check_lan_ipv6(hosts)]


def _is_narrow(mtu: int | None) -> bool:
    """Whether a size is too small for IPv6 outside, though not for IPv4, which has its finding already."""
    return mtu is not None and LIMITS_OF_UNDERLAY_MTU[0] <= mtu < LEAST_UNDERLAY_MTU_OF_IPV6


def _check_public_ipv6(hosts: Sequence[HostLike], variables: Mapping[str, Mapping[str, Any]]) -> Iterable[Finding]:
    entries = [
        host
        for host in hosts
        if host.endpoint is not None and host.endpoint.version == 6 and host.groups & {HUB_GROUP, GATEWAY_GROUP}
    ]
    for host in hosts:
        mtu = read_mtu(variables[host.name], "underlay_mtu")
        if mtu is None and host.site is not None:
            mtu = host.site.underlay_mtu
        if not _is_narrow(mtu):
            continue
        other = next((one for one in entries if one.name == host.name or _peers(host, one)), None)
        if other is not None:
            whom = "is reached" if other.name == host.name else f"reaches {other.name}"
            yield Finding(
                _over_ipv6(f"Host {host.name} has underlay_mtu {mtu} and {whom}"), ("underlay_mtu",), host.name
            )


def _peers(host: HostLike, entry: HostLike) -> bool:
    if entry.site is None or host.site is None:
        return False
    shared = entry.site.tenant is None or host.site.tenant is None
    return shared or entry.site.tenant == host.site.tenant


def _check_lan_ipv6(hosts: Sequence[HostLike]) -> Iterable[Finding]:
    seen: dict[str, HostLike] = {}
    for host in hosts:
        if host.site is None or not _is_narrow(host.site.lan_mtu) or host.site.name in seen:
            continue
        if host.lan_endpoint is not None and host.lan_endpoint.version == 6:
            seen[host.site.name] = host
            text = f"Site {host.site.name} has lan_mtu {host.site.lan_mtu} and {host.name} is reached"
            yield Finding(_over_ipv6(text), ("estate_sites", host.site.name, "lan_mtu"))


def _over_ipv6(beginning: str) -> str:
    least = LEAST_UNDERLAY_MTU_OF_IPV6
    return (
        f"{beginning} over IPv6, where the tunnel takes {least - LEAST_MTU} bytes: "
        f"it must be {least} at least for IPv6 inside (RFC 8200)."
    )
