# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a host seal the roles that ran to their end on it: one remote command for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._seals import documents
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_agent import AgentMissing, AgentSilent, ask_agent
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_key import read_seal_key
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_recordings import RECORDINGS


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _unused, arguments = self.validate_argument_spec(
            {
                "plan": {"type": "dict", "required": True},
                "facts": {"type": "dict", "default": {}},
                "host_id": {"type": "str", "default": ""},
                "key_file": {"type": "path", "required": True},
            }
        )
        result.update(changed=False, sealed=[], refused={})
        host = str(task_vars["inventory_hostname"])
        try:
            why = self._obstacle(arguments["plan"], arguments["host_id"])
            if why:
                result["reason"] = why
                if not self._task.check_mode:
                    self._display.display(f"{host}: {why}")
                return result
            self._seal(host, arguments, task_vars, result)
        except AgentSilent as error:
            result["reason"] = f"Nothing was sealed: {error}"
            if not isinstance(error, AgentMissing):
                # that there is none yet was said at the start of the run, which brings it
                self._display.display(f"{host}: {result['reason']}")
        except BocageError as error:
            result.update(failed=True, msg=str(error))
        for role, sentence in result["refused"].items():
            self._display.display(f"{host}: {role} is not sealed: {sentence}")
        return result

    def _obstacle(self, plan: Mapping[str, Any], host_id: str) -> str:
        """Why this run seals nothing, as a sentence; empty where it may."""
        if self._task.check_mode:
            return "A run in check mode makes nothing true that could be sealed."
        if not plan["sealing"]:
            return f"Nothing is sealed: {plan['reason']}."
        if not host_id:
            return "A host that is not enrolled cannot sign a seal."
        if not RECORDINGS.enabled:
            return "Nothing is sealed: the callback bocage.fleet.seal_recorder is not enabled."
        if context.CLIARGS.get("start_at_task"):
            return "A run that starts at a task seals nothing."
        return ""

    def _seal(
        self, host: str, arguments: Mapping[str, Any], task_vars: Mapping[str, Any], result: dict[str, Any]
    ) -> None:
        plan = arguments["plan"]
        roles: Mapping[str, Any] = plan["hosts"].get(host) or {}
        pem = read_seal_key(Path(arguments["key_file"]))
        recordings = {role: one for role, one in RECORDINGS.of(host).items() if role in roles}
        result["refused"] = {role: one.problems[0] for role, one in recordings.items() if one.problems}
        tags = list(task_vars.get("ansible_run_tags") or ["all"])
        if tags != ["all"] or task_vars.get("ansible_skip_tags"):
            tagged = [role for role, one in recordings.items() if one.tagged]
            result["refused"] |= dict.fromkeys(tagged, "A run of some tags may have left out some of its tasks.")
        ready = {role: one for role, one in recordings.items() if role not in result["refused"]}
        if pem is None or not ready:
            return
        facts = dict(arguments["facts"])
        if wanted := sorted({name for role in ready for name in roles[role]["facts"]} - facts.keys()):
            # the first run: nobody could ask the agent before it was there
            question = {"expected": {}, "facts": wanted, "parts": False, "drop": False, "max_age_seconds": None}
            facts |= ask_agent(self, ["seals", "check"], question)["facts"]
        envelopes = {}
        for role, recording in ready.items():
            own_facts = {name: facts[name] for name in roles[role]["facts"]}
            statement = documents.Desired(
                host=host,
                host_id=arguments["host_id"],
                role=role,
                base=roles[role]["base"],
                parts={**plan["content"][role], **roles[role]["parts"]},
                facts=own_facts,
                items=recording.items,
                issued_at=timestamps.now(),
            )
            envelopes[role] = documents.sign_desired(statement, pem)
        answer = ask_agent(self, ["seals", "write"], {"seals": envelopes})
        result["sealed"] = answer["sealed"]
        result["refused"] |= answer["refused"]
