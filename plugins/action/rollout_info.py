# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says how rollouts stand, by what the repository holds and what hosts reported."""

from __future__ import annotations

from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.rollout_hosts import rollout_hosts
from ansible_collections.bocage.fleet.plugins.plugin_utils.rollout_repository import read_repository
from ansible_collections.bocage.fleet.plugins.plugin_utils.rollout_text import differences, status


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(
            {
                "exported": {"type": "path", "required": True},
                "trust_directory": {"type": "path", "required": True},
                "name": {"type": "str"},
                "between": {"type": "list", "elements": "str", "default": []},
            }
        )
        try:
            hosts, reports = rollout_hosts(task_vars or {})
            repository = read_repository(given["exported"], given["trust_directory"])
            now = timestamps.now()
            if given["between"]:
                result["differences"] = differences(repository.rollout(given["name"]), given["between"])
            found = {name: status(one, hosts, reports, now) for name, one in sorted(repository.rollouts.items())}
        except (BocageError, OSError) as error:
            return {**result, "failed": True, "msg": str(error)}
        result.update(changed=False, rollouts=found)
        return result
