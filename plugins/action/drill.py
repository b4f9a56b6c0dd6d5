# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans a drill, or judges one: evidence as JSON, a plot, a table, and failure where a takeover took too long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common.atomic import write_file
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.drill import judge, plan_drill
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.drill_text import plot, table
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_vars import estate_of


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            {
                "state": {"type": "str", "choices": ["planned", "judged"], "required": True},
                "site": {"type": "str", "required": True},
                "prober": {"type": "str", "default": ""},
                "causes": {
                    "type": "list",
                    "elements": "str",
                    "default": ["wireguard", "routing", "host", "lan", "wan", "lan_in", "lan_out", "wan_in", "wan_out"],
                },
                "takeovers": {"type": "int", "default": 9},
                "faults": {"type": "list", "elements": "dict", "default": []},
                "probe": {"type": "dict", "default": {}},
                "most_seconds": {"type": "float", "default": 1.0},
                "directory": {"type": "path"},
            }
        )
        result["changed"] = False
        try:
            if arguments["state"] == "planned":
                estate = estate_of(task_vars or {})
                result.update(
                    plan_drill(
                        estate, arguments["site"], arguments["causes"], arguments["takeovers"], arguments["prober"]
                    )
                )
                return result
            broken = [one for one in arguments["faults"] if "started_at" not in one]
            if broken:
                raise BocageError(f"A fault could not be made: {broken[0].get('msg', 'it gave no reason')}")
            verdict = judge(
                arguments["faults"],
                arguments["probe"].get("gaps", {}),
                arguments["probe"].get("downloads", []),
                arguments["most_seconds"],
            )
            verdict.update(
                site=arguments["site"],
                sent=arguments["probe"].get("sent", {}),
                lost=arguments["probe"].get("lost", {}),
                gaps=arguments["probe"].get("gaps", {}),
            )
            self._keep(verdict, arguments)
        except (BocageError, OSError) as error:
            result.update(failed=True, msg=str(error))
            return result
        self._display.display(table(verdict))
        result["verdict"] = verdict
        if not verdict["passed"]:
            problems = verdict["problems"] or ["Nothing was taken over."]
            result.update(failed=True, msg=f"The drill of site {arguments['site']} failed: {problems[0]}")
        return result

    def _keep(self, verdict: dict[str, Any], arguments: dict[str, Any]) -> None:
        """The evidence beside what an earlier drill left; check mode keeps nothing."""
        if not arguments["directory"] or self._task.check_mode:
            return
        directory = Path(arguments["directory"])
        directory.mkdir(parents=True, exist_ok=True)
        begun = int(verdict["takeovers"][0]["started_at"]) if verdict["takeovers"] else 0
        base = directory / f"failover-{arguments['site']}-{begun}"
        verdict["evidence"] = str(base.with_suffix(".json"))
        write_file(base.with_suffix(".json"), json.dumps(verdict, indent=1, sort_keys=True).encode() + b"\n", 0o644)
        write_file(base.with_suffix(".svg"), plot(verdict), 0o644)
