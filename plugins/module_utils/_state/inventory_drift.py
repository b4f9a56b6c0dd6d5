# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a verified report differs from what the inventory and the enrolment say."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from typing import Any

from .._common.estate import Estate, overlay_ipv6
from .._common.path_finding import finding

# Roles that leave seals; each has its group of hosts that are not as it left them, also when that is empty.
SEALED_ROLES = ("agent", "firewall", "gateway", "host", "mesh", "names", "registry", "routing", "segments", "voice")
PACKAGE_GROUPS = ("packages_need_upgrade", "packages_error", "packages_expiring")
GATEWAY_STATES = ("gateway_drained", "gateway_unhealthy")
_DRIFTED = ("broken", "refused")


class OverlayAddresses:
    """The addresses that hosts should have, as prefixes of full length."""

    def __init__(self, estate: Estate) -> None:
        self._ula = ipaddress.IPv6Network(estate.ula_prefix)
        self._base = int(self._ula.network_address)
        self._sites = {
            name: (site.index, None if site.prefix4 is None else ipaddress.IPv4Network(site.prefix4).network_address)
            for name, site in estate.sites.items()
        }

    def of(self, site_name: object, host_index: object) -> frozenset[str] | None:
        """The addresses of a host, or None where the inventory does not say enough."""
        site = self._sites.get(str(site_name))
        if site is None or not isinstance(host_index, int):
            return None
        own = {f"{self._ipv6(site[0], host_index)}/128"}
        if site[1] is not None:
            own.add(f"{site[1] + host_index}/32")
        return frozenset(own)

    def _ipv6(self, site_index: int, host_index: int) -> str:
        """What `overlay_ipv6` says, in a fifth of its time for the indexes that an estate may have."""
        if not 0 < host_index < 1 << 16:
            return overlay_ipv6(self._ula, site_index, host_index)
        return socket.inet_ntop(socket.AF_INET6, (self._base + (site_index << 64) + host_index).to_bytes(16))


def mesh_drift(mesh: Mapping[str, Any], mesh_keys: Collection[str], desired: frozenset[str] | None) -> list[str]:
    """Sentences; none where the reported interface is as it should be, with one of the keys of the host's epochs."""
    found = list(mesh["drift"])
    if mesh.get("public_key") is not None and mesh["public_key"] not in mesh_keys:
        found.append(f"The interface {mesh['interface']} uses another key than the one that was enrolled.")
    if desired is not None:
        reported = frozenset(mesh["addresses"])
        if reported != desired:
            found += [f"The interface lacks the address {address}." for address in sorted(desired - reported)]
            found += [
                f"The interface has the address {address}, which the inventory does not give it."
                for address in sorted(reported - desired)
            ]
    return found


def mtu_drift(mesh: Mapping[str, Any]) -> list[str]:
    """A sentence for each measured path that carries less than planned."""
    return [sentence for path in mesh.get("paths") or () if (sentence := finding({"underlay": None, **path}))]


def service_drift(sections: Mapping[str, Any]) -> dict[str, list[str]]:
    """Sentences of what agents, gateways, routes and segments say of themselves, by the names of their sections."""
    services = ("agent", "gateway", "routing", "segments")
    return {name: list(found) for name in services if (found := (sections.get(name) or {}).get("drift"))}


def gateway_groups(sections: Mapping[str, Any]) -> frozenset[str]:
    """Which of ``GATEWAY_STATES`` a gateway is in, by what it reports of its health."""
    health = (sections.get("gateway") or {}).get("health")
    if not health:
        return frozenset()
    if health["drained"]:
        return frozenset({"gateway_drained"})
    return frozenset() if health["healthy"] else frozenset({"gateway_unhealthy"})


def _left_out(what: str, count: int) -> list[str]:
    """A sentence for what a report only counts."""
    if count <= 0:
        return []
    return [f"{what} that the report had no room for: {count}; `bocage-agent packages` on the host names them."]


def package_drift(packages: Mapping[str, Any]) -> list[str]:
    """Sentences of packages that are not as they should be and do not become so by the next upgrade alone.

    What only waits for an upgrade is in ``packages_need_upgrade`` and is no drift: in a rollout most hosts wait.
    """
    found = [
        f"{one['package']} is in {one['state']}{': ' + one['reason'].rstrip('.') if one['reason'] else ''}."
        for one in packages["problems"]
        if one["state"] in ("ERROR", "MISSING")
    ]
    found += [
        f"The audit of {name} says {one['answer']}{': ' + one['reason'].rstrip('.') if one['reason'] else ''}."
        for name, one in packages["audits"].items()
    ]
    if packages["problem_count"] > len(packages["problems"]):
        listed = sum(one["state"] in ("ERROR", "MISSING") for one in packages["problems"])
        found += _left_out("Packages in ERROR or MISSING", packages["errors"] - listed)
    found += _left_out("Audits that are not OK and", packages.get("audit_count", 0) - len(packages["audits"]))
    found += [
        f"{one['package']} {one['version']} could not set up sessions of {one['users']} users: {one['reason'].rstrip('.')}."
        for one in packages.get("sessions", ())
    ]
    found += [f"Work on {name} was cut off." for name in packages["interrupted"]]
    if packages["last_problem"]:
        found.append(packages["last_problem"])
    return found


def package_groups(sections: Mapping[str, Any]) -> frozenset[str]:
    """Which of ``PACKAGE_GROUPS`` a host is in, by the packages it has and serves; its rollouts: ``ring_<n>_pending``."""
    packages, repository = sections.get("packages"), sections.get("repository")
    found = set()
    # what cannot be read may well have ended
    if repository and (repository["expiring_count"] or repository["problem"]):
        found.add("packages_expiring")
    if not packages:
        return frozenset(found)
    found |= {"packages_need_upgrade"} if packages["needs_upgrade"] else set()
    found |= {
        f"ring_{one['ring']}_pending" for one in packages.get("rollouts", {}).values() if one["pending"] and one["ring"]
    }
    return frozenset(found | ({"packages_error"} if packages["errors"] else set()))


def seal_drift(seals: Mapping[str, Any]) -> dict[str, list[str]]:
    """Sentences by role, for each reported seal that is broken or must not be believed.

    One that is missing or made for other facts shows no drift: the role has yet to run.
    """
    return {
        role: list(seal["findings"]) or [f"The seal of {role} is {seal['status']}."]
        for role, seal in seals.items()
        if seal["status"] in _DRIFTED
    }
