# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a host once whether its seals hold; the installed agent answers, so that no module is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.bocage.fleet.plugins.module_utils._seals import desired
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_agent import (
    AgentMissing,
    AgentSilent,
    ask_agent,
    remove_seals,
)
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_choice import max_age_seconds

# The digest of nothing: no seal has it, so that what runs whatever its seal says is sealed no longer.
NOTHING = "0" * 64


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            {
                "plan": {"type": "dict", "required": True},
                "seals": {"type": "str", "choices": ["use", "ignore"], "default": "use"},
                "max_age_days": {"type": "int", "default": 7},
            }
        )
        host = str((task_vars or {})["inventory_hostname"])
        plan = arguments["plan"]
        roles: Mapping[str, Any] = plan["hosts"].get(host) or {}
        answer = self._ask(roles, plan, host, arguments)
        run = answer["run"]
        for role, why in answer["reasons"].items():
            self._display.display(f"{host}: {role}: {'; '.join(why)}")
        result.update(
            changed=False,
            run=run,
            reasons=answer["reasons"],
            facts=answer["facts"],
            # plays take the hosts of these groups; one group for each set of roles, so that few are made
            add_group="_".join(["bocage_compared", *run]),
            parent_groups=[*(["bocage_converge"] if run else []), *(f"bocage_converge_{role}" for role in run)],
        )
        return result

    def _ask(
        self, roles: Mapping[str, Any], plan: Mapping[str, Any], host: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        why = plan["reason"] if not plan["sealing"] else "seals are ignored" if arguments["seals"] == "ignore" else ""
        question = {
            "expected": {role: NOTHING if why else one["base"] for role, one in roles.items()},
            "facts": sorted({fact for one in roles.values() for fact in one.get("facts", ())}),
            "parts": not why,
            "drop": not self._task.check_mode,
            "max_age_seconds": max_age_seconds(host, arguments["max_age_days"]),
        }
        try:
            answer = ask_agent(self, ["seals", "check"], question)
        except AgentSilent as error:
            if not isinstance(error, AgentMissing) and not self._task.check_mode:
                remove_seals(self, roles)
            return _all(roles, why or str(error))
        if why:
            return {**_all(roles, why), "facts": answer["facts"]}
        reasons: dict[str, list[str]] = {}
        for role, one in roles.items():
            seal = answer["seals"][role]
            if seal["status"] == "intact":
                continue
            found = list(seal["findings"])
            if seal["status"] == "changed":
                new = {**plan["content"][role], **one["parts"]}
                found += desired.reasons(role, seal.get("parts") or {}, new, 3)
            reasons[role] = found or [f"the seal is {seal['status']}"]
        return {"run": list(reasons), "reasons": reasons, "facts": answer["facts"]}


def _all(roles: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {"run": list(roles), "reasons": {"all roles": [reason]}, "facts": {}}
