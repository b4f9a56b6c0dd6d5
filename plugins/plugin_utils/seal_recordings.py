# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles did to hosts in this run, until it is sealed.

The callback seal_recorder writes here, in the process that runs the play; the action seal_write reads what its own
process got of it when it was forked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._seals.items import merge
from ansible_collections.bocage.fleet.plugins.module_utils._seals.recorder import Unmapped, record


@dataclass
class Recording:
    items: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Why the role cannot be sealed, as sentences."""
    tagged: bool = False
    """Whether some of its tasks have tags, by which a run could have left them out."""


class Recordings:
    def __init__(self) -> None:
        self._recordings: dict[str, dict[str, Recording]] = {}
        self.enabled = False
        """Whether somebody records at all."""

    def of(self, host: str) -> dict[str, Recording]:
        """The recordings of a host, by role."""
        return self._recordings.get(host, {})

    def add(self, host: str, role: str, action: str, result: Mapping[str, Any], *, only_reads: bool) -> None:
        recording = self._recording(host, role)
        try:
            found = record(action, result, only_reads=only_reads)
        except Unmapped as error:
            recording.problems.append(str(error))
            return
        recording.items = merge([*recording.items, *found])

    def fail(self, host: str, role: str, task: str) -> None:
        self._recording(host, role).problems.append(f"The task '{task}' failed.")

    def tagged(self, host: str, role: str) -> None:
        self._recording(host, role).tagged = True

    def forget(self, host: str, role: str) -> None:
        self._recordings.get(host, {}).pop(role, None)

    def _recording(self, host: str, role: str) -> Recording:
        return self._recordings.setdefault(host, {}).setdefault(role, Recording())


RECORDINGS = Recordings()
