# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans a drill, or judges one: evidence as JSON, a plot, a table, and failure where a takeover took too long."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common.atomic import write_file
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.drill import judge, plan_drill
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.drill_text import intention, plot, table
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_vars import estate_of
from ansible_collections.bocage.fleet.plugins.plugin_utils.mesh_epochs import epochs_of


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            {
                "state": {"type": "str", "choices": ["planned", "judged"], "required": True},
                "site": {"type": "str", "default": ""},
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
                result.update(self._plan(task_vars or {}, arguments))
                self._display.display(intention(result))
                return result
            verdict = self._judge(arguments)
            self._keep(verdict, arguments)
        except (BocageError, OSError) as error:
            result.update(failed=True, msg=str(error))
            return result
        self._display.display(table(verdict))
        result["verdict"] = verdict
        if not verdict["passed"]:
            result.update(failed=True, msg=f"The drill of site {arguments['site']} failed: {verdict['problems'][0]}")
        return result

    @staticmethod
    def _plan(task_vars: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
        epochs = epochs_of(task_vars)
        estate = estate_of(task_vars, epochs.any_key)
        plan = plan_drill(estate, arguments["site"], arguments["causes"], arguments["takeovers"], arguments["prober"])
        # before its keys were ever rotated, a host may call the interface as it likes
        named = task_vars["hostvars"][plan["gateway"]].get("mesh_interface_name") if epochs.rotation is None else None
        return {**plan, "mesh_interface": named or epochs.main_interface(plan["gateway"])}

    @staticmethod
    def _judge(arguments: Mapping[str, Any]) -> dict[str, Any]:
        probe = arguments["probe"]
        verdict = judge(
            arguments["faults"], probe.get("gaps", {}), probe.get("downloads", []), arguments["most_seconds"]
        )
        if probe.get("msg") and not probe.get("gaps"):
            verdict["problems"].insert(0, f"The probes ended without a result: {probe['msg']}")
        for key in ("sent", "lost", "gaps"):
            verdict[key] = probe.get(key, {})
        return {"site": arguments["site"], **verdict}

    def _keep(self, verdict: dict[str, Any], arguments: dict[str, Any]) -> None:
        """The evidence beside what an earlier drill left; check mode keeps nothing."""
        if not arguments["directory"] or self._task.check_mode:
            return
        directory = Path(arguments["directory"])
        directory.mkdir(parents=True, exist_ok=True)
        begun = int(verdict["takeovers"][0]["started_at"] if verdict["takeovers"] else time.time())
        base = directory / f"failover-{arguments['site']}-{begun}"
        verdict["evidence"] = str(base.with_suffix(".json"))
        write_file(base.with_suffix(".json"), json.dumps(verdict, indent=1, sort_keys=True).encode() + b"\n", 0o644)
        write_file(base.with_suffix(".svg"), plot(verdict), 0o644)
