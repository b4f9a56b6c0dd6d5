# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes the gateways of all sites on the controller, prints the figures, and fails where a site does not hold."""

from __future__ import annotations

from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._common.findings import did_you_mean
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.sizing_text import table, values
from ansible_collections.bocage.fleet.plugins.plugin_utils.sizing_vars import site_demands


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            {
                "sites": {"type": "list", "elements": "str", "default": []},
                "connections": {"type": "dict", "default": {}},
            }
        )
        result["changed"] = False
        try:
            found = site_demands(task_vars or {}, arguments["connections"])
            for site in arguments["sites"]:
                if site not in found:
                    raise BadInput(f"Site {site} has no gateways to size{did_you_mean(site, found)}")
            sized = [one.sizing for site, one in found.items() if not arguments["sites"] or site in arguments["sites"]]
        except BocageError as error:
            result.update(failed=True, msg=str(error))
            return result
        for line, colour in table(sized):
            self._display.display(line, color=colour)
        result["sites"] = [values(one) for one in sized]
        problems = [one.problem for one in sized if one.problem]
        if problems:
            result.update(failed=True, msg=" ".join(problems))
        return result
