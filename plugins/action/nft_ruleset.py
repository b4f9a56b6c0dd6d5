# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says who gains and who loses access, applies a ruleset, then proves over a new connection that the host still lets us in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._gateway.reachability import (
    Names,
    reachability_changes,
    shortened,
)
from ansible_collections.bocage.fleet.plugins.plugin_utils.confirmed_change import ConfirmedChange


class ActionModule(ConfirmedChange):
    """The controller's half of the module of the same name."""

    MODULE = "bocage.fleet.nft_ruleset"
    SHUT_OUT = (
        "The new firewall rules let no new connection in, so the host takes them back {seconds} seconds after they "
        "were loaded; correct firewall_management_prefixes and run again."
    )

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        # who gains and who loses is said before anything is loaded
        planned = self.host_half("plan", task_vars)
        lines = self._reachability(planned, task_vars or {})
        result.update(planned)
        if planned.get("changed") and not planned.get("failed") and not self._task.check_mode:
            result.update(self.host_half("apply", task_vars))
        if lines:
            result["reachability"] = lines
        self.confirm(result, task_vars)
        return result

    def _reachability(self, planned: Mapping[str, Any], task_vars: Mapping[str, Any]) -> list[str]:
        """The lines about a change, shown at once."""
        if planned.get("failed") or "diff" not in planned:
            return []
        host = str(task_vars.get("inventory_hostname", "the host"))
        sites = self._value(task_vars, "estate_sites")
        names = Names(str(self._value(task_vars, "estate_ula_prefix")), sites if isinstance(sites, Mapping) else {})
        lines = reachability_changes(planned["diff"]["before"], planned["diff"]["after"], names, host)
        for line in shortened(lines):
            self._display.display(f"firewall: {host}: {line}")
        return lines

    def _value(self, task_vars: Mapping[str, Any], name: str) -> Any:
        """A variable of the estate; one that cannot be had costs only names for prefixes."""
        value = task_vars.get(name)
        return None if value is None else self._templar.template(value)
