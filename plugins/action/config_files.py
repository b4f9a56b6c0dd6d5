# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the templates and reads the files on the controller, and calls the module once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

MODULE = "bocage.fleet.config_files"
MAKERS = ("template", "content", "source")
# As the action template has them.
TEMPLATE_OPTIONS = {"trim_blocks": True, "lstrip_blocks": False, "newline_sequence": "\n"}


class ActionModule(ActionBase):
    """The controller's half of the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        files = self._task.args.get("files")
        if not isinstance(files, list) or not all(isinstance(one, Mapping) for one in files):
            raise AnsibleActionFail("The option files must be a list of mappings, one for each path.")
        arguments = {**self._task.args, "files": [self._made(one, task_vars) for one in files]}
        result.update(self._execute_module(MODULE, module_args=arguments, task_vars=task_vars))
        # what was sent is not sent to callbacks and logs once more
        invocation = result.get("invocation")
        if isinstance(invocation, dict) and "module_args" in invocation:
            sent = {name: value for name, value in invocation["module_args"].items() if name != "files"}
            invocation["module_args"] = {**sent, "files": [_without_content(one) for one in files]}
        return result

    def _made(self, given: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """An entry as the module takes it: with its content, wherever that came from."""
        entry = {name: value for name, value in given.items() if value is not None}
        makers = [name for name in MAKERS if name in entry]
        if len(makers) > 1:
            raise AnsibleActionFail(f"The entry {entry.get('path')} has {' and '.join(makers)}; give it one of them.")
        if "template" in entry:
            entry["content"] = self._rendered(str(entry.pop("template")), str(entry.get("path")), task_vars)
        elif "source" in entry:
            entry["content"] = self._read(str(entry.pop("source")), str(entry.get("path")))
        elif isinstance(entry.get("content"), dict | list):
            entry["content"] = json.dumps(entry["content"])
        return entry

    def _rendered(self, name: str, target: str, task_vars: Mapping[str, Any]) -> str:
        path = self._found("templates", name, f"The template {name}, which makes {target},")
        folders = [*task_vars.get("ansible_search_path", ()), self._loader._basedir, str(path.parent)]
        search = [place for folder in folders for place in (str(Path(folder, "templates")), str(folder))]
        variables = {
            "ansible_managed": "Ansible managed",
            **task_vars,
            "template_path": name,
            "template_fullpath": str(path),
            "template_destpath": target,
        }
        templar = self._templar.copy_with_new_env(searchpath=search, available_variables=variables)
        text = trust_as_template(path.read_text(encoding="utf-8"))
        try:
            rendered = templar.template(text, escape_backslashes=False, overrides=TEMPLATE_OPTIONS)
        except AnsibleError as error:
            raise AnsibleActionFail(
                f"The template {path}, which makes {target}, cannot be rendered: {error}"
            ) from error
        return "" if rendered is None else str(rendered)

    def _read(self, name: str, target: str) -> str:
        path = self._found("files", name, f"The file {name}, which should be {target} on the host,")
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise AnsibleActionFail(f"The file {path} is no text; send it with ansible.builtin.copy.") from error

    def _found(self, folder: str, name: str, what: str) -> Path:
        try:
            path = Path(self._find_needle(folder, name))
        except AnsibleError:
            path = None
        if path is None or not path.is_file():
            raise AnsibleActionFail(f"{what} is not on the controller, neither there nor in {folder}/ of the role.")
        return path


def _without_content(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != "content"}
