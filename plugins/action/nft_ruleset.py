# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies a ruleset, then proves over a new connection that the host still lets us in."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

MODULE = "bocage.fleet.nft_ruleset"


class ActionModule(ActionBase):
    """The controller's half of the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        arguments.pop("phase", None)
        arguments.pop("token", None)
        result.update(self._execute_module(MODULE, module_args={**arguments, "phase": "apply"}, task_vars=task_vars))
        token = result.pop("token", "")
        seconds = int(arguments.get("confirm_seconds", 30))
        if result.get("failed") or not token or not seconds:
            return result
        try:
            # a multiplexed connection would outlive rules that shut new ones out
            self._connection.reset()
            confirmed = self._execute_module(
                MODULE, module_args={**arguments, "phase": "confirm", "token": token}, task_vars=task_vars
            )
        except (AnsibleConnectionFailure, AnsibleError) as error:
            result.update(
                failed=True,
                changed=False,
                msg=(
                    "The new firewall rules let no new connection in, so the host takes them back "
                    f"{seconds} seconds after they were loaded; correct firewall_management_prefixes and run again. ({error})"
                ),
            )
            return result
        if confirmed.get("failed"):
            result.update(failed=True, changed=False, msg=confirmed.get("msg"))
        return result
