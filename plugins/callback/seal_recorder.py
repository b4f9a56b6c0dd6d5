# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens to what the tasks of roles did, so that it can be sealed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: seal_recorder
type: aggregate
short_description: Records what roles do to hosts, for their seals
version_added: 0.1.0
author:
  - The Bocage maintainers (@bocage-fleet)
description:
  - Reads the arguments and results of the tasks of roles and keeps what they made true, until
    M(bocage.fleet.seal_write) seals it. Prints nothing and writes nothing.
  - Without it no role is sealed, and each run runs everything.
requirements:
  - enabled in C(callbacks_enabled)
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.bocage.fleet.plugins.plugin_utils.run_profile import LOCAL_HOSTS
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_recordings import RECORDINGS

_ROLES = Path(__file__).resolve().parents[2] / "roles"
_TAGS = re.compile(r"^\s*(- )?tags:", re.MULTILINE)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bocage.fleet.seal_recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        RECORDINGS.enabled = True

    def v2_runner_on_ok(self, result: Any) -> None:
        task = result.task
        if task.resolved_action == "bocage.fleet.seal_write":
            for role in result.result.get("sealed") or []:
                RECORDINGS.forget(result.host.get_name(), role)
            return
        role = outermost_role(task)
        if role is None or task.check_mode or task.delegate_to in LOCAL_HOSTS:
            return
        path = getattr(getattr(task, "_role", None), "_role_path", None)
        if path is not None and has_tags(Path(path)):
            RECORDINGS.tagged(result.host.get_name(), role)
        only_reads = task.changed_when == [False]
        results = result.result.get("results", []) if task.loop is not None else [result.result]
        for one in results:
            if not one.get("skipped"):
                RECORDINGS.add(result.host.get_name(), role, task.resolved_action, one, only_reads=only_reads)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._failed(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._failed(result)

    def _failed(self, result: Any) -> None:
        role = outermost_role(result.task)
        if role is not None:
            RECORDINGS.fail(result.host.get_name(), role, result.task.get_name().strip())


@lru_cache(maxsize=64)
def has_tags(role: Path) -> bool:
    """Whether a run of some tags could leave out some of a role's tasks, and not only the role as a whole."""
    return any(_TAGS.search(path.read_text(encoding="utf-8")) for path in role.glob("tasks/**/*.yml"))


def outermost_role(task: Any) -> str | None:
    """The role that a task belongs to, of this collection or of none; one that another imports is part of that one."""
    found = None
    step = task
    while step is not None:
        role = getattr(step, "_role", None)
        if role is not None:
            found = role
        step = getattr(step, "_parent", None)
    if found is None:
        return None
    collection, _dot, name = str(found.get_name()).rpartition(".")
    if not collection:
        # what another role of the same name does must not be sealed as the collection's
        return None if (_ROLES / name).is_dir() else name
    return name if collection == "bocage.fleet" else None
