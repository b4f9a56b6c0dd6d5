# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of draining a gateway: whether it may go, and the wait, with a word on how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.drain import Status, obstacle
from ansible_collections.bocage.fleet.plugins.plugin_utils.sizing_vars import site_demands

MODULE, STATUS = "bocage.fleet.gateway_drain", "bocage.fleet.gateway_status"
WATCH_SECONDS = 1.0
# Between two lines about a wait.
SAY_SECONDS = 5.0


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    clock = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        self._host = str(self._vars["inventory_hostname"])
        try:
            self._run(result)
        except BocageError as error:
            result.update(failed=True, msg=str(error))
        return result

    def _run(self, result: dict[str, Any]) -> None:
        before = self._status()
        drain = self._argument("state", "drained") == "drained"
        if drain and not before["drained"]:
            self._refuse()
        answer = self._execute_module(MODULE, module_args=dict(self._task.args), task_vars=self._vars)
        result.update(answer)
        if answer.get("failed") or self._task.check_mode:
            return
        if drain:
            self._acknowledged(bool(answer["changed"]))
            self._wait_until_quiet(result)
        else:
            self._wait_until_healthy(result, before)

    def _argument(self, name: str, default: Any) -> Any:
        value = self._task.args.get(name)
        return default if value is None else value

    def _status(self, watch_seconds: float = 0) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            STATUS, module_args={"watch_seconds": watch_seconds}, task_vars=self._vars
        )
        if answer.get("failed") or answer.get("unreachable"):
            raise BocageError(f"Gateway {self._host} does not say how it is: {answer.get('msg')}")
        return answer

    def _say(self, words: str) -> None:
        self._display.display(f"{self._host}: {words}")

    # Before

    def _refuse(self) -> None:
        """Raises BadInput where the site would not do without this gateway."""
        site = next(
            (one for one in site_demands(self._vars).values() if self._host in (known.name for known in one.gateways)),
            None,
        )
        if site is None:
            raise BadInput(f"Host {self._host} is no gateway of a site in estate_sites, so there is nothing to drain.")
        problem = obstacle(
            site.demand,
            site.gateways,
            self._host,
            statuses(self._argument("others", [])),
            # what is no boolean allows nothing here, and is told by the module
            boolean(self._argument("allow_fewer", False), strict=False),
        )
        if problem:
            raise BadInput(problem)

    # After

    def _acknowledged(self, changed: bool) -> None:
        """Wait until the health daemon acts on the file; take the file back where nobody does."""
        limit = float(self._argument("acknowledge_seconds", 15))
        started = self.clock()
        while True:
            health = self._status()["health"]
            if health is not None and health.get("drained"):
                return
            if self.clock() - started >= limit:
                break
            self.sleep(0.2)
        taken_back = ""
        if changed:
            self._execute_module(MODULE, module_args={**self._task.args, "state": "serving"}, task_vars=self._vars)
            taken_back = ", and the drain was taken back"
        raise BocageError(
            f"Gateway {self._host} was not withdrawn within {limit:g} seconds: bocage-gateway-health does not "
            f"{'run' if health is None else 'see the drain'} there{taken_back}; run playbooks/gateways.yml for it first."
        )

    def _wait_until_quiet(self, result: dict[str, Any]) -> None:
        most, quiet_for, deadline = (
            float(self._argument(name, default))
            for name, default in (("threshold_flows", 0), ("quiet_seconds", 3), ("deadline_seconds", 120))
        )
        started = self.clock()
        quiet_since: float | None = started
        said = -SAY_SECONDS
        while True:
            begun = self.clock()
            status = self._status(WATCH_SECONDS)
            now = self.clock()
            if status["flows"] > most:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = begun
            result.update(quiet=quiet_since is not None, flows=status["flows"], waited_seconds=round(now - started, 1))
            if quiet_since is not None and now - quiet_since >= quiet_for:
                self._say(f"nothing passes any more, after {now - started:.0f} s" if not status["flows"] else
                          f"quiet, with {_counted(status)}, after {now - started:.0f} s")  # fmt: skip
                return
            if now - started >= deadline:
                break
            if quiet_since is None and now - said >= SAY_SECONDS:
                said = now
                self._say(f"{_counted(status)} still pass; waited {now - started:.0f} s of at most {deadline:.0f}")
        sentence = f"Gateway {self._host} is drained, but {_counted(result)} still pass through it after {deadline:.0f} seconds"
        if self._argument("after_deadline", "continue") == "fail":
            raise BocageError(f"{sentence}; undrain it, or drain it again with a longer deadline_seconds.")
        result.setdefault("warnings", []).append(f"{sentence}; they are cut by whatever is done to it now.")

    def _wait_until_healthy(self, result: dict[str, Any], before: Mapping[str, Any]) -> None:
        deadline = float(self._argument("deadline_seconds", 120))
        started = self.clock()
        said = started
        while True:
            status = self._status()
            now = self.clock()
            result["waited_seconds"] = round(now - started, 1)
            if status["serves"] and not status["health"].get("drained"):
                if before["drained"]:
                    self._say(f"serves again, after {now - started:.0f} s")
                return
            if now - started >= deadline:
                break
            if now - said >= SAY_SECONDS:
                said = now
                self._say(f"{_excuse(status)}; waited {now - started:.0f} s of at most {deadline:.0f}")
            self.sleep(0.5)
        raise BocageError(
            f"Gateway {self._host} may serve again but {_excuse(status)} after {deadline:.0f} seconds; "
            "the other gateways go on carrying the site."
        )


def statuses(results: Sequence[Mapping[str, Any]]) -> dict[str, Status | None]:
    """What the gateways of a loop said, by their names; None of one that did not answer."""
    return {
        str(one["item"]): Status(bool(one["drained"]), str(one.get("reason") or ""), one.get("health"))
        if "drained" in one
        else None
        for one in results
    }


def _counted(status: Mapping[str, Any]) -> str:
    return f"{status['flows']} flow{'' if status['flows'] == 1 else 's'}"


def _excuse(status: Mapping[str, Any]) -> str:
    return str(status["excuse"]) or "is still withdrawn"
