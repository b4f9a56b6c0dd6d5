# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate from the variables of all managed hosts, whoever is in the play."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput
from ansible_collections.bocage.fleet.plugins.module_utils._common.estate import Estate
from ansible_collections.bocage.fleet.plugins.module_utils._common.estate_schema import MANAGED_GROUP, ROLE_GROUPS

ESTATE_VARIABLES = ("estate_name", "estate_domain", "estate_ula_prefix", "estate_sites")
HOST_VARIABLES = (
    "host_site",
    "host_index",
    "mesh_endpoint",
    "mesh_lan_endpoint",
    "mesh_port",
    "underlay_mtu",
    "voice_classes",
    "gateway_floating_addresses",
)


def placeholder_key(name: str) -> str:
    """Stands for the key of a host that has none yet; nobody has its private half."""
    return base64.b64encode(hashlib.sha256(f"placeholder {name}".encode()).digest()).decode()


def estate_of(task_vars: Mapping[str, Any], key_of: Callable[[str], str | None] | None = None) -> Estate:
    """Build the estate; facts are never read, so ``--limit`` changes nothing.

    Public keys come from ``reported.enrolment.mesh_key``, which the inventory plugin
    verified, or from ``key_of``. Raises BadInput where the inventory cannot be used.
    """
    groups = task_vars["groups"]
    hostvars = task_vars["hostvars"]
    names = list(groups.get(MANAGED_GROUP, ()))
    if not names:
        raise BadInput(f"The inventory has no host in group {MANAGED_GROUP}; add the hosts of the estate to it.")
    roles: dict[str, list[str]] = {name: [] for name in names}
    for group in ROLE_GROUPS:
        for name in groups.get(group, ()):
            if name in roles:
                roles[name].append(group)
    first = hostvars[names[0]]
    estate_vars = {name: first[name] for name in ESTATE_VARIABLES if name in first}
    hosts: dict[str, dict[str, Any]] = {}
    for name in names:
        variables = hostvars[name]
        values: dict[str, Any] = {key: variables[key] for key in HOST_VARIABLES if key in variables}
        values["roles"] = roles[name]
        enrolment = (variables.get("reported") or {}).get("enrolment") or {}
        values["public_key"] = enrolment.get("mesh_key") if key_of is None else key_of(name)
        hosts[name] = values
    return Estate.from_vars(estate_vars, hosts)
