# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes the overlay of a host, then proves over a new connection that the host is still reached."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.bocage.fleet.plugins.plugin_utils.confirmed_change import ConfirmedChange


class ActionModule(ConfirmedChange):
    """The controller's half of the module of the same name."""

    MODULE = "bocage.fleet.mesh_interfaces"
    SHUT_OUT = (
        "No new connection reaches the host after the change of its overlay, so the host takes the change back "
        "{seconds} seconds after it was begun; correct what the controller's path to it needs (its hub, its gateways, "
        "its endpoints) and run again."
    )

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        try:
            result.update(self.host_half("apply", task_vars))
        except AnsibleConnectionFailure as error:
            # the change may have cut the connection that it came by
            raise AnsibleConnectionFailure(
                "The connection was lost before the host told what became of its overlay; where a change was begun, "
                f"the host takes it back by itself. ({error})"
            ) from None
        self.confirm(result, task_vars)
        return result
