# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs actions on the controller, hands them to the registry and follows them by the hosts' reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.loader import inventory_loader
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._state import action as actions
from ansible_collections.bocage.fleet.plugins.module_utils._state.trust import read_trust
from ansible_collections.bocage.fleet.plugins.plugin_utils.action_batches import batches, read_key
from ansible_collections.bocage.fleet.plugins.plugin_utils.action_follow import summary
from ansible_collections.bocage.fleet.plugins.plugin_utils.action_run import Run, Wish
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_settings import EstateSettings, read_settings
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_source import open_client

INVENTORY_PLUGIN = "bocage.fleet.estate"
# An answer waits for a report, which a slow host needs some time for.
MOST_PATIENCE = 86400


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(
            {
                "verb": {"type": "str", "required": True},
                "packages": {"type": "list", "elements": "str", "default": []},
                "role": {"type": "str", "default": "operator"},
                "hosts": {"type": "list", "elements": "str", "required": True},
                "key_file": {"type": "path", "required": True, "no_log": False},
                "key_passphrase": {"type": "str", "no_log": True},
                "inventory_file": {"type": "path", "required": True},
                "batch_size": {"type": "int", "default": 100},
                "valid_seconds": {"type": "int", "default": 60},
                "patience_seconds": {"type": "int", "default": 60},
                "busy_seconds": {"type": "int"},
                "wait_for": {"type": "str", "choices": ["sent", "accepted", "finished"], "default": "finished"},
                "allowed_failures": {"type": "int", "default": 0},
            }
        )
        result["changed"] = False
        try:
            result.update(self._act(given))
        except (BocageError, OSError, AnsibleError) as error:
            result.update(failed=True, msg=str(error))
        return result

    def _act(self, given: dict[str, Any]) -> dict[str, Any]:
        self._check(given)
        settings = self._settings(Path(given["inventory_file"]))
        trust = read_trust(settings.trust)
        portions = batches(given["hosts"], trust, given["batch_size"])
        wish = Wish(
            verb=given["verb"],
            arguments={"packages": given["packages"]} if given["packages"] else {},
            role=given["role"],
            valid_seconds=given["valid_seconds"],
            patience_seconds=given["patience_seconds"],
            wait_for=given["wait_for"],
            allowed_failures=given["allowed_failures"],
            busy_seconds=given["busy_seconds"],
        )
        # with ids that stand for those of any host, so that what hosts would refuse is said before anything is sent
        actions.make(["0" * 8 + "-0000" * 3 + "-" + "0" * 12], wish.verb, wish.arguments, wish.role,
                     now=timestamps.now(), valid_seconds=wish.valid_seconds, random=bytes)  # fmt: skip
        private = read_key(Path(given["key_file"]), given["key_passphrase"], settings.trust)
        total = sum(len(one) for one in portions)
        if self._task.check_mode or not total:
            asked = f"{total} hosts would be asked for {wish.words} as {wish.role}, in {len(portions)} batches."
            return {"changed": total > 0, "message": asked, "hosts": {}, "nonces": []}
        with open_client(settings) as client:
            run = Run(client, trust, private, wish, self._display.display)
            ended = run.go(portions)
        failures = run.failures(ended)
        message = f"{wish.words}: {summary(ended)}."
        self._display.display(message)
        result: dict[str, Any] = {
            "changed": True,
            "message": message,
            "hosts": {one.name: {"state": one.state, "result": one.words} for one in ended},
            "nonces": run.nonces,
        }
        if len(failures) > given["allowed_failures"]:
            result["failed"] = True
            result["msg"] = " ".join([message, *(f"{one.sentence}." for one in failures[:5])])
        return result

    @staticmethod
    def _check(given: dict[str, Any]) -> None:
        for name, low, high in (
            ("batch_size", 1, actions.MAX_HOSTS),
            ("valid_seconds", 1, actions.MAX_VALID_SECONDS),
            ("patience_seconds", 0, MOST_PATIENCE),
            ("busy_seconds", 1, MOST_PATIENCE),
            ("allowed_failures", 0, 1_000_000),
        ):
            if given[name] is not None and not low <= given[name] <= high:
                raise BadInput(f"The option {name} is {given[name]}; it can be from {low} to {high}.")

    def _settings(self, path: Path) -> EstateSettings:
        """How the inventory reads the registry, from the inventory's own file."""
        if not path.is_file():
            raise BadInput(f"There is no {path}; inventory_file names the file with the options of {INVENTORY_PLUGIN}.")
        plugin = inventory_loader.get(INVENTORY_PLUGIN)
        plugin.loader = self._loader
        plugin._read_config_data(str(path))
        settings = read_settings(plugin.get_options(), path, "estate", Path(C.ANSIBLE_HOME))
        missing = settings.missing_file()
        if settings.registry_url is None or missing is not None:
            raise BadInput(
                f"The registry cannot be asked: {path} has no registry_url."
                if missing is None
                else f"The registry cannot be asked: {missing} is missing; run playbooks/trust.yml and playbooks/state.yml."
            )
        return settings
