# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints who reaches what in the estate, and what a run would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._common.findings import listed
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.estate_reachability import Reachability
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_vars import estate_of, placeholder_key


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            {
                "changes": {"type": "dict"},
                "machines": {"type": "list", "elements": "dict", "default": []},
                "assume_enrolled": {"type": "bool", "default": False},
            }
        )
        try:
            reachability = Reachability(
                estate_of(task_vars or {}, placeholder_key if arguments["assume_enrolled"] else None)
            )
            result.update(
                changed=False, tenants=reachability.matrix(), pairs=_pairs(reachability, arguments["machines"])
            )
        except BocageError as error:
            result.update(failed=True, msg=str(error))
            return result
        lines = [] if arguments["machines"] else reachability.lines()
        for line in lines if arguments["changes"] is None else change_lines(arguments["changes"]):
            self._display.display(line)
        return result


def change_lines(changes: Mapping[str, Sequence[str]]) -> list[str]:
    """One line for each change, with the hosts that it is on."""
    hosts_by_line: dict[str, list[str]] = {}
    for host, lines in sorted(changes.items()):
        for line in lines:
            hosts_by_line.setdefault(line, []).append(host)
    if not hosts_by_line:
        return ["the rules that are applied are those of the plan: nobody gains or loses access"]
    return [f"{listed(hosts)}: {line}" for line, hosts in hosts_by_line.items()]


def _pairs(reachability: Reachability, machines: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    known = [(reachability.machine(one["name"], one.get("lan_of")), one["addresses"]) for one in machines]
    return [
        {
            "source": source.name,
            "target": target.name,
            "address": address,
            "reach": reachability.between(source, target, address),
        }
        for source, _unused in known
        for target, addresses in known
        if source.name != target.name
        for address in addresses
    ]
