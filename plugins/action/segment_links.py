# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies the segments of a host; where its LAN interface changed, a new connection has to confirm that."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

MODULE = "bocage.fleet.segment_links"


class ActionModule(ActionBase):
    """The controller's half of the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = {name: value for name, value in self._task.args.items() if name != "phase"}
        result.update(self._execute_module(MODULE, module_args={**arguments, "phase": "apply"}, task_vars=task_vars))
        if result.get("failed") or not result.get("token"):
            return result
        moved = result.get("actions", [])
        try:
            # a multiplexed connection would outlive a LAN that lets no new one in
            self._connection.reset()
            confirmed = self._execute_module(MODULE, module_args={**arguments, "phase": "confirm"}, task_vars=task_vars)
        except (AnsibleConnectionFailure, AnsibleError) as error:
            result.update(
                failed=True,
                changed=False,
                msg=(
                    "No new connection came through the changed LAN interface, so the host takes the change back "
                    f"{arguments.get('confirm_seconds', 30)} seconds after it was made; reach the host another way, or "
                    f"make the bridge yourself and run again. ({error})"
                ),
            )
            return result
        result.update(confirmed)
        result["changed"] = not confirmed.get("failed")
        result["actions"] = [*moved, *confirmed.get("actions", [])]
        return result
