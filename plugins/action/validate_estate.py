# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers the desired variables of the whole inventory on the controller and checks them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.utils.vars import load_extra_vars
from ansible_collections.bocage.fleet.plugins.module_utils._common.estate_check import check_estate
from ansible_collections.bocage.fleet.plugins.module_utils._common.estate_schema import (
    ESTATE_OPTIONS,
    MANAGED_GROUP,
    known_options,
)
from ansible_collections.bocage.fleet.plugins.module_utils._common.findings import sentence
from ansible_collections.bocage.fleet.plugins.module_utils._common.option_check import Unusable
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.sizing_estate import check_sizing
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.role_options import read_role_options
from ansible_collections.bocage.fleet.plugins.plugin_utils.variable_sources import VariableSources


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _result, arguments = self.validate_argument_spec(
            {
                "allowed_variables": {"type": "list", "elements": "str", "default": []},
            }
        )
        role_options = read_role_options(Path(__file__).resolve().parents[2] / "roles")
        groups = task_vars["groups"]
        hosts = _variables_of(task_vars["hostvars"], groups.get(MANAGED_GROUP, ()), set(known_options(role_options)))
        findings = check_estate(hosts, groups, role_options, arguments["allowed_variables"])
        findings += check_sizing(hosts, groups)
        sources = VariableSources(
            task_vars.get("ansible_inventory_sources") or (),
            task_vars.get("playbook_dir"),
            groups,
            Path.cwd(),
            load_extra_vars(self._loader),
        )
        sentences = [sentence(finding, sources.locate) for finding in findings]
        result.update(changed=False, findings=sentences)
        if sentences:
            count = "1 finding" if len(sentences) == 1 else f"{len(sentences)} findings"
            result["failed"] = True
            result["msg"] = "\n".join([f"The inventory has {count}; no host was touched.", *sentences])
        else:
            sites = next(iter(hosts.values()))["estate_sites"]
            result["msg"] = f"The inventory is sound: {len(hosts)} hosts, {len(sites)} sites."
        return result


def _variables_of(hostvars: Any, names: list[str], known: set[str]) -> dict[str, dict[str, Any]]:
    """The variables of each host; the values of unknown ones are not looked at."""
    plain: dict[int, bool] = {}
    estate: dict[tuple[str, int], Any] = {}
    hosts: dict[str, dict[str, Any]] = {}
    kept: list[Any] = []  # an id stays unique only as long as its object lives
    for host in names:
        raw = hostvars.raw_get(host)
        kept.append(raw)
        variables: dict[str, Any] = {}
        evaluated = None
        for name, value in raw.items():
            if name not in known:
                variables[name] = None
                continue
            if id(value) not in plain:
                plain[id(value)] = not _needs_evaluation(value)
            if plain[id(value)]:
                variables[name] = value
                continue
            key = (name, id(value))
            if name in ESTATE_OPTIONS and key in estate:
                variables[name] = estate[key]
                continue
            if evaluated is None:
                evaluated = hostvars[host]
            variables[name] = estate[key] = _evaluate(evaluated, name)
        hosts[host] = variables
    return hosts


def _evaluate(variables: Mapping[str, Any], name: str) -> Any:
    try:
        return variables[name]
    except AnsibleError as error:
        return Unusable(" ".join(str(error).split()))


def _needs_evaluation(value: object) -> bool:
    """Whether a value holds a template or something else that is not plain data."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(map(_needs_evaluation, value)) or any(map(_needs_evaluation, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_needs_evaluation, value))
    return not (value is None or isinstance(value, int | float))
