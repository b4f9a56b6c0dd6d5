# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Works out on the controller what each role should make of each host, as digests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.template import Templar
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._seals import desired
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.expressions import compiled_once
from ansible_collections.bocage.fleet.plugins.plugin_utils.plain_paths import MISSING, plain_value
from ansible_collections.bocage.fleet.plugins.plugin_utils.role_desire import desire_of, read_role_spec
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_choice import must_be_asked
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_key import read_seal_key

COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _unused, arguments = self.validate_argument_spec(
            {
                "hosts": {"type": "list", "elements": "str", "required": True},
                "key_file": {"type": "path", "required": True},
                "variables_file": {"type": "path"},
                "converge": {"type": "str", "choices": ["all", "changed"], "default": "all"},
                "max_age_days": {"type": "int", "default": 7},
                "roles": {"type": "list", "elements": "str", "default": []},
                "role_folders": {"type": "list", "elements": "path", "default": []},
            }
        )
        result.update(
            changed=False, sealing=True, reason="", hosts={}, content={}, contact=arguments["hosts"], ansible_facts={}
        )
        try:
            pem = read_seal_key(Path(arguments["key_file"]))
            if pem is None:
                reason = f"there is no seal key {arguments['key_file']}; playbooks/trust.yml makes one"
                result.update(sealing=False, reason=reason)
            key = None if pem is None else desired.derive_key(pem)
            plans, content = self._plan(arguments, key, task_vars)
            result.update(hosts=plans, content=content)
            if key is not None and arguments["converge"] == "changed":
                hostvars = task_vars["hostvars"]
                asked = {
                    host: must_be_asked(hostvars[host].get("reported"), plans[host], host, arguments["max_age_days"])
                    for host in arguments["hosts"]
                }
                result["contact"] = [host for host, reason in asked.items() if reason]
                # the others' plans would only be carried around, by each task that reads the result
                result["hosts"] = {host: plans[host] for host in result["contact"]}
                for host in result["contact"]:
                    self._display.display(f"{host}: {asked[host]}")
            result["ansible_facts"] = {"bocage_contact": result["contact"]}
        except (BocageError, AnsibleError) as error:
            result.update(failed=True, msg=str(error))
        return result

    def _plan(
        self, arguments: Mapping[str, Any], key: bytes | None, task_vars: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
        """By host and role what is desired; by role the digests of content, which all hosts share."""
        given = {name: task_vars[name] for name in self._given(arguments["variables_file"]) if name in task_vars}
        hostvars = task_vars["hostvars"]
        further = tuple(Path(self._loader.path_dwim(folder)) for folder in arguments["role_folders"])
        plans: dict[str, Any] = {}
        content: dict[str, dict[str, str]] = {}
        # one for all hosts: what templates compile to does not depend on variables
        templar = self._templar.copy_with_new_env()
        with compiled_once(templar):
            for host in arguments["hosts"]:
                variables = {**hostvars.raw_get(host), **given, "hostvars": hostvars}
                template = _Template(templar, variables)
                plans[host] = {}
                for role in map(str, template(variables.get("sealed_roles", []), {})):
                    if arguments["roles"] and role not in arguments["roles"]:
                        continue
                    if key is None:
                        plans[host][role] = {}
                        continue
                    spec = read_role_spec(COLLECTION, role, key, further)
                    if role not in content:
                        content[role] = desired.short_parts(spec.content)
                    try:
                        desire = desire_of(spec, variables, template, key, Path(self._loader.get_basedir()))
                    except AnsibleError as error:
                        raise AnsibleError(f"Host {host}: {error}") from error
                    plans[host][role] = {
                        "base": desire.base,
                        "parts": desired.short_parts(desire.parts),
                        "facts": list(desire.facts),
                    }
        return plans, content

    def _given(self, name: str | None) -> list[str]:
        """Names of the variables that plays hand to roles beside the inventory."""
        if name is None:
            return []
        found = self._loader.path_dwim_relative_stack(self._task.get_search_path(), "vars", name)
        try:
            loaded = yaml.safe_load(Path(found).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise BadInput(f"The file of variables {found} cannot be read: {error}") from error
        return list(loaded or {})


class _Template:
    """Resolves values with the variables of one host, and with those of a role beneath them."""

    def __init__(self, templar: Templar, variables: Mapping[str, Any]) -> None:
        self._templar, self._variables = templar, variables
        self._local: Mapping[str, Any] | None = None

    def __call__(self, value: object, local: Mapping[str, Any]) -> Any:
        if (found := plain_value(value, self._variables)) is not MISSING:
            return found
        if local is not self._local:
            self._templar.available_variables = {**local, **self._variables}
            self._local = local
        return self._templar.template(value)
