# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a whole inventory before anything is touched: plain data in, all findings out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .estate_gateways import check_gateways
from .estate_hosts import DEFAULT_MESH_PORT, check_hosts
from .estate_names import check_names
from .estate_schema import (
    ESTATE_OPTIONS,
    HOST_OPTIONS,
    MANAGED_GROUP,
    SHARED_OPTIONS,
    Options,
    known_options,
    required_options,
)
from .estate_segments import check_segments
from .estate_traffic import check_traffic
from .estate_wide import check_estate_wide
from .findings import Finding, listed
from .option_check import Problem, Unusable, has_type, problems_of

_FREE_OF_FACTS = {**HOST_OPTIONS, **SHARED_OPTIONS}


def check_estate(
    hosts: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]],
    role_options: Options,
    allowed: Sequence[str] = (),
) -> list[Finding]:
    """Every finding of an inventory.

    hosts holds the managed hosts with all their variables (the values of known
    ones evaluated), groups the groups of the inventory with their hosts,
    role_options the options of all roles, and allowed the patterns of names
    that operators use for purposes of their own.
    """
    if not hosts:
        return [Finding(f"The inventory has no host in group {MANAGED_GROUP}, whose children hold all our hosts.")]
    known = known_options(role_options)
    findings = list(check_names(_holders(hosts), known, allowed, len(hosts)))
    estate, estate_findings = _estate_wide_values(hosts)
    findings += estate_findings
    wide, wide_findings = check_estate_wide(estate)
    findings += wide_findings
    options = {name: option for name, option in known.items() if name not in ESTATE_OPTIONS}
    findings += _check_required(hosts, groups, required_options(options))
    findings += _check_options(hosts, options)
    default_port = role_options.get("mesh_port", {}).get("default", DEFAULT_MESH_PORT)
    port = int(default_port) if has_type(default_port, "int") else DEFAULT_MESH_PORT
    findings += check_hosts(hosts, groups, wide, port)
    findings += check_gateways(hosts, groups, wide)
    findings += check_segments(estate.get("estate_sites"), hosts, groups)
    return [*findings, *check_traffic(hosts, known)]


def _holders(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Each variable with the hosts that hold it."""
    holders: dict[str, list[str]] = {}
    for host, variables in hosts.items():
        for name in variables:
            holders.setdefault(name, []).append(host)
    return holders


def _estate_wide_values(hosts: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], list[Finding]]:
    """The values all hosts agree on, and a finding where they do not."""
    estate: dict[str, Any] = {}
    findings: list[Finding] = []
    for name in ESTATE_OPTIONS:
        holder = next((host for host, variables in hosts.items() if name in variables), None)
        if holder is None:
            continue
        value = estate[name] = hosts[holder][name]
        for host, variables in hosts.items():
            # Values of group variables are one object, which makes this fast.
            if name in variables and (variables[name] is value or variables[name] == value):
                continue
            text = f"{name} is not the same on hosts {holder} and {host}; set it once, for group all."
            findings.append(Finding(text, (name,), host))
            break
    return estate, findings


def _check_options(hosts: Mapping[str, Mapping[str, Any]], options: Options) -> Iterable[Finding]:
    """Types and choices; hosts with the same problem share a sentence."""
    checked: dict[tuple[str, int], list[Problem]] = {}
    affected: dict[Problem, list[str]] = {}
    for host, variables in hosts.items():
        for name, value in variables.items():
            # An option of a role may need facts or defaults that are not there yet; a place in the estate may not.
            if name not in options or (isinstance(value, Unusable) and name not in _FREE_OF_FACTS):
                continue
            key = (name, id(value))
            if key not in checked:
                checked[key] = list(problems_of(value, options[name], (name,)))
            for problem in checked[key]:
                affected.setdefault(problem, []).append(host)
    for (path, text), names in affected.items():
        yield Finding(f"{_subject(names)}: {'.'.join(path)} {text}", path, names[0])


def _check_required(
    hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]], required: Mapping[str, str]
) -> Iterable[Finding]:
    """Options without which a host's roles would stop half way."""
    for name, group in required.items():
        members = frozenset(groups.get(group, ()))
        lacking = [host for host, variables in hosts.items() if host in members and name not in variables]
        if lacking:
            # What is not set is in no file; the host is.
            yield Finding(f"{_subject(lacking)}: {name} is not set.", (), lacking[0])


def _subject(hosts: Sequence[str]) -> str:
    return f"Host{'s' if len(hosts) > 1 else ''} {listed(hosts)}"
