# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that a rollout may reach, and what they last reported, out of the inventory's variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.rollout import Host
from ansible_collections.bocage.fleet.plugins.module_utils._packages.rollout_progress import Report

from .estate_vars import MANAGED_GROUP

# groups by what hosts report, which decides nothing about who may have what
_REPORTED = ("state_", "drift_", "packages_", "gateway_", "ring_")


def rollout_hosts(task_vars: Mapping[str, Any]) -> tuple[list[Host], dict[str, Report]]:
    """All managed hosts that are enrolled, whatever the limit of the run; and the reports of those that have any."""
    hosts, reports = [], {}
    for name in sorted(task_vars["groups"].get(MANAGED_GROUP, ())):
        variables = task_vars["hostvars"][name]
        reported = variables.get("reported") or {}
        identifier = (reported.get("enrolment") or {}).get("host_id")
        if not identifier:
            continue
        groups = frozenset(
            str(group) for group in variables.get("group_names") or () if not str(group).startswith(_REPORTED)
        )
        hosts.append(Host(str(identifier), str(name), str(variables.get("host_site") or ""), groups))
        if reported.get("sections") is not None:
            moment = reported.get("issued_at")
            at = timestamps.parse(str(moment), f"The report of {name}") if moment else None
            reports[str(name)] = Report(reported["sections"], at)
    return hosts, reports
