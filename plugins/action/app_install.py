# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the host first, and sends the archive only where it is missing: one call when nothing changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

MODULE = "bocage.fleet.app_install"


class ActionModule(ActionBase):
    """The controller's half of the module of the same name."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        source = Path(str(arguments.pop("archive", ""))).expanduser()
        asked = self._execute_module(MODULE, module_args={**arguments, "archive": ""}, task_vars=task_vars)
        if asked.get("failed") or not asked.get("missing") or self._task.check_mode:
            result.update(asked)
            return result
        if not source.is_file():
            result.update(
                failed=True, msg=f"The archive {source} is not on the controller; run bocage.fleet.app_archive first."
            )
            return result
        remote = self._connection._shell.join_path(self._make_tmp_path(), "archive.tar.gz")
        self._transfer_file(str(source), remote)
        self._fixup_perms2((remote,))
        result.update(self._execute_module(MODULE, module_args={**arguments, "archive": remote}, task_vars=task_vars))
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result
