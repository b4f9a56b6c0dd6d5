# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the proofs of all hosts as one table, and fails where one failed."""

from __future__ import annotations

from typing import Any

from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.proof_text import failures, summary, table


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            {"results": {"type": "list", "elements": "dict", "required": True}}
        )
        rows = summary(arguments["results"])
        self._display.display(table(rows))
        failed = failures(arguments["results"])
        for sentence in failed:
            self._display.display(f"  failed: {sentence}", color="red")
        result.update(changed=False, proofs=rows)
        if not arguments["results"]:
            result.update(failed=True, msg="Nothing was proved: no host gave a result.")
        elif failed:
            result.update(failed=True, msg=f"{len(failed)} of {len(arguments['results'])} probes failed: {failed[0]}.")
        return result
