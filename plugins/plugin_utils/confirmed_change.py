# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of modules whose changes are taken back unless a new connection confirms them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase


class ConfirmedChange(ActionBase):
    """The host's half has the options `phase` and `token`, which are not the operator's to choose."""

    TRANSFERS_FILES = False
    # the module of the same name
    MODULE = ""
    # what to say where no new connection comes in, with {seconds}
    SHUT_OUT = ""

    @property
    def arguments(self) -> dict[str, Any]:
        return {name: value for name, value in self._task.args.items() if name not in ("phase", "token")}

    def host_half(self, phase: str, task_vars: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
        done: dict[str, Any] = self._execute_module(
            self.MODULE, module_args={**self.arguments, "phase": phase, **more}, task_vars=task_vars
        )
        return done

    def confirm(self, result: dict[str, Any], task_vars: Mapping[str, Any] | None) -> None:
        """Confirm what `result` says was changed, over a new connection; the result becomes a failure where that fails."""
        token = result.pop("token", "")
        seconds = int(self._task.args.get("confirm_seconds", 30))
        if result.get("failed") or not token or not seconds:
            return
        try:
            # a multiplexed connection would outlive a change that shuts new ones out; other kinds have none
            if getattr(self._connection.__class__, "reset", None) is not ConnectionBase.reset:
                self._connection.reset()
            confirmed = self.host_half("confirm", task_vars, token=token)
        except (AnsibleConnectionFailure, AnsibleError) as error:
            shut_out = self.SHUT_OUT.format(seconds=seconds)
            result.update(failed=True, changed=False, msg=f"{shut_out} ({error})")
            return
        if confirmed.get("failed"):
            result.update(failed=True, changed=False, msg=confirmed.get("msg"))
