# SPDX-License-Identifier: GPL-3.0-or-later
"""What the seal of a role leaves to a package: the agent's own version, where a package brought it.

The role leaves such an agent alone while it is as it was installed, so that its seal must not break over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bocage_core._common import programs, timestamps
from bocage_core._seals.items import Item

from .collect_agent import Home, look

_ROOT = f"{programs.DIRECTORY}/agent"
_LISTS = f"{programs.LISTS}/agent"
_STATE = "/var/lib/bocage/agent"


@dataclass(frozen=True)
class PackageAgent:
    """An agent that a package brought and that runs."""

    version: str

    def answers_for(self, item: Item) -> bool:
        """The link to the version that runs; folders of versions that do not, and the lists of their files."""
        name = str(item["name"])
        if item["kind"] == "tree":
            return name.startswith(f"{_ROOT}/") and name != f"{_ROOT}/{self.version}"
        if item["kind"] != "file":
            return False
        listed = name.startswith(f"{_LISTS}/") and name.endswith(".json")
        return name == f"{_ROOT}/current" or (listed and name != f"{_LISTS}/{self.version}.json")


def package_agent(root: str) -> PackageAgent | None:
    """`root` is an empty text for the real host; None where roles look after the agent, and where it was altered."""
    lists, folder = Path(f"{root}{_LISTS}"), Path(f"{root}{_ROOT}")
    version = programs.managed(lists)
    if version is None or programs.current(folder) != version:
        return None
    wrong, _read_at = look(Path(f"{root}{_STATE}"), timestamps.now(), Home(folder, version), lists)
    return None if wrong else PackageAgent(version)
