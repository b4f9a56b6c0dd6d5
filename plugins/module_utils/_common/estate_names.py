# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds variables that nothing reads: most are misspelt."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence

from .findings import Finding, did_you_mean, listed

# A name without one of our prefixes must be this close to a known one to be called misspelt.
_CLOSE = 0.85
# Ansible's own, and what our inventory plugin adds.
_AMBIENT = frozenset(
    {
        "environment",
        "group_names",
        "groups",
        "hostvars",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "module_setup",
        "omit",
        "play_hosts",
        "playbook_dir",
        "reported",
        "role_name",
        "role_names",
        "role_path",
        "vars",
    }
)
_AMBIENT_PREFIXES = ("_", "ansible_")


def prefixes_of(known: Iterable[str]) -> frozenset[str]:
    """The first words of the known names: what begins with one of them is meant for us."""
    return frozenset(name.split("_", 1)[0] + "_" for name in known if "_" in name)


def check_names(
    holders: Mapping[str, Sequence[str]], known: Collection[str], allowed: Sequence[str], host_count: int
) -> Iterable[Finding]:
    """A finding for each variable, given with the hosts that hold it, that nothing reads."""
    prefixes = prefixes_of(known)
    for name in sorted(holders):
        if name in known or name in _AMBIENT or name.startswith(_AMBIENT_PREFIXES):
            continue
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed):
            continue
        ours = name.split("_", 1)[0] + "_" in prefixes
        hint = did_you_mean(name, known, 0.8 if ours else _CLOSE)
        if not ours and not hint.startswith(";"):
            continue
        hosts = holders[name]
        whose = "" if len(hosts) == host_count else f" of {listed(hosts)}"
        yield Finding(f"Unknown variable {name}{whose}{hint}", (name,), hosts[0])
