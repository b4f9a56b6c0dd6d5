# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gains and who loses access when the rules of a host change, in words."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from .._common.findings import listed
from .rights import ALL, ANYONE, HOST, LAN, RULE, Rights, rights_of

# Of a first run on a large hub, the rest is in the ruleset itself.
LINES_AT_MOST = 40
WHOLE = "the whole overlay"


class Names:
    """What the prefixes of an estate are called; an unknown one is called by itself."""

    def __init__(self, ula_prefix: str, sites: Mapping[str, Any]) -> None:
        """From the variables as they are written: made anew for each host that changes, so no estate is built."""
        self._of: dict[str, str] = {ula_prefix: WHOLE}
        self._by_index: dict[str, str] = {}
        self._sites_of: dict[str, set[str]] = {}
        try:
            self._ula = ipaddress.IPv6Network(ula_prefix)
        except ValueError:
            self._ula = ipaddress.IPv6Network("fd00::/48")
        for name, values in sites.items():
            if not isinstance(values, Mapping):
                continue
            tenant = values.get("tenant")
            label = f"{tenant} {name}" if tenant else f"shared {name}"
            self._by_index[str(values.get("index"))] = label
            if values.get("overlay_ipv4_prefix"):
                self._of[str(values["overlay_ipv4_prefix"])] = label
            if tenant:
                self._sites_of.setdefault(str(tenant), set()).add(label)
        self._labels = frozenset(self._by_index.values())

    def of(self, prefix: str) -> str:
        known = self._of.get(prefix)
        if known is None:
            known = self._of[prefix] = self._site_of(prefix) or prefix
        return known

    def _site_of(self, prefix: str) -> str | None:
        try:
            network = ipaddress.ip_network(prefix)
        except ValueError:
            return None
        if network.version == 4 or network.prefixlen != 64 or not network.subnet_of(self._ula):
            return None
        return self._by_index.get(str((int(network.network_address) >> 64) & 0xFFFF))

    def many(self, prefixes: Iterable[str]) -> list[str]:
        """Names of prefixes, each once; all sites of a tenant as one."""
        names = {self.of(prefix) for prefix in prefixes}
        if WHOLE in names:
            names -= self._labels
        for tenant in sorted({name.split(" ", 1)[0] for name in names if " " in name}):
            whole = self._sites_of.get(tenant)
            if whole is not None and len(whole) > 1 and whole <= names:
                names = (names - whole) | {f"all of {tenant}"}
        return sorted(names)


def reachability_changes(before: str, after: str, names: Names, host: str) -> list[str]:
    """Each gain and loss of access from the rules ``before`` (empty where there were none) to those ``after``.

    A gain and a loss are of a service, or of everything behind a prefix. What an addition of the site lets in or
    drops is not guessed: its rules are told as they stand.
    """
    held, planned = rights_of(before), rights_of(after)
    lines: list[str] = []
    if not before:
        lines.append(f"{host} had no rules of ours: what is not named here loses its access")
    lines += _lines(_more(planned, held), planned, names, host, "gain")
    if before:
        lines += _lines(_more(held, planned), held, names, host, "lose")
    lines += _additions(held, planned)
    if not lines:
        lines.append("nobody gains or loses access")
    return lines


def shortened(lines: list[str]) -> list[str]:
    """The lines, or the first of many with their number."""
    if len(lines) <= LINES_AT_MOST:
        return lines
    return [*lines[:LINES_AT_MOST], f"and {len(lines) - LINES_AT_MOST} changes more: run with --diff"]


def _more(one: Rights, other: Rights) -> dict[tuple[str, frozenset[str]], set[str]]:
    """What the first gives and the second does not: the sources of each service and set of destinations."""
    found: dict[tuple[str, frozenset[str]], set[str]] = {}
    for service, held in one.by_service.items():
        there = other.by_service.get(service, {})
        known: dict[tuple[int, int], frozenset[str]] = {}
        for source, destinations in held.items():
            others = there.get(source, frozenset())
            # many sources share a set: each pair of sets is compared once
            key = (id(destinations), id(others))
            if key not in known:
                known[key] = destinations - others
            if known[key]:
                found.setdefault((service, known[key]), set()).add(source)
    return found


def _lines(
    found: Mapping[tuple[str, frozenset[str]], set[str]], rights: Rights, names: Names, host: str, verb: str
) -> list[str]:
    # both families of one change are one line
    merged: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for (service, destinations), sources in found.items():
        words = tuple(names.many(sources))
        merged.setdefault((service, words), set()).update(destinations)
    lines = []
    for (service, words), reached in sorted(merged.items(), key=lambda item: (item[0][1], item[0][0])):
        who = listed(words)
        does = f"{verb}s" if words in ((ANYONE,), (LAN,), (WHOLE,)) else verb
        if service.startswith(f"{RULE} "):
            lines.append(f"{who} {does} what this rule lets in: {service.removeprefix(f'{RULE} ')}")
        elif service == ALL:
            lines.append(f"{who} {does} {_places(reached, rights, names, host)}")
        else:
            lines.append(f"{who} {does} {service} on {_places(reached, rights, names, host)}")
    return lines


def _places(destinations: Iterable[str], rights: Rights, names: Names, host: str) -> str:
    known = [host if one == HOST else one for one in destinations]
    shown = names.many(known)
    return listed(f"{one} (on the LAN {rights.inside[one]})" if one in rights.inside else one for one in shown)


def _additions(held: Rights, planned: Rights) -> list[str]:
    lines = []
    for name in sorted(held.additions.keys() | planned.additions.keys()):
        old, new = held.additions.get(name, ()), planned.additions.get(name, ())
        lines += [f"addition site.d/{name} gains: {rule}" for rule in new if rule not in old]
        lines += [f"addition site.d/{name} loses: {rule}" for rule in old if rule not in new]
        if old != new and set(old) == set(new):
            lines.append(f"addition site.d/{name} has its rules in another order")
    return lines
