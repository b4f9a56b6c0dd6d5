# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the desired inventory while it is still being read, combined once per set of groups, not per host."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.inventory.data import InventoryData
from ansible.inventory.group import Group
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.inventory.host import Host
from ansible.parsing.dataloader import DataLoader
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources


class InventoryVariables:
    """What inventory files and, where it is asked for, vars plugins say of groups and hosts."""

    def __init__(self, inventory: InventoryData, loader: DataLoader, path: str, *, use_vars_plugins: bool) -> None:
        self._loader = loader
        self._use_vars_plugins = use_vars_plugins
        self._sources = _folders([*inventory.processed_sources, path])
        everyone = inventory.groups["all"]
        # Those of all hold for the estate; they are needed also where vars plugins are not asked for.
        self.everyone: dict[str, Any] = combine_vars(everyone.get_vars(), self._plugins([everyone]))
        self._by_groups: dict[tuple[str, ...], dict[str, Any]] = {}

    def value(self, host: Host, name: str) -> Any:
        """One variable of a host, without combining all of them."""
        if not self._use_vars_plugins and name in host.vars:
            return host.vars[name]
        return (self.of(host) if self._use_vars_plugins else self._of_groups(host)).get(name)

    def of(self, host: Host) -> dict[str, Any]:
        """All variables of a host, by Ansible's precedence."""
        combined = combine_vars(self._of_groups(host), host.vars)
        if self._use_vars_plugins:
            combined = combine_vars(combined, self._plugins([host]))
        return combined | host.get_magic_vars()

    def with_plugins(self, host: Host) -> dict[str, Any]:
        """All variables of one host, with those of vars plugins also where these are not asked for all hosts."""
        found = self.everyone
        for group in sort_groups([group for group in host.groups if group.name != "all"]):
            found = combine_vars(found, combine_vars(group.get_vars(), self._plugins([group])))
        return combine_vars(combine_vars(found, host.vars), self._plugins([host]))

    def _of_groups(self, host: Host) -> dict[str, Any]:
        key = tuple(group.name for group in host.groups)
        found = self._by_groups.get(key)
        if found is None:
            groups = [group for group in host.groups if group.name != "all"]
            found = combine_vars(self.everyone, get_group_vars(groups))
            if self._use_vars_plugins:
                for group in sort_groups(groups):
                    found = combine_vars(found, self._plugins([group]))
            self._by_groups[key] = found
        return found

    def _plugins(self, entities: Sequence[Group | Host]) -> dict[str, Any]:
        found: dict[str, Any] = get_vars_from_inventory_sources(self._loader, self._sources, entities, "all")
        return found


def _folders(sources: Sequence[str | None]) -> list[str]:
    """Vars plugins look into the folder of a source; each is looked into once."""
    paths = [Path(source) for source in sources if source]
    return list(dict.fromkeys(str(path if path.is_dir() else path.parent) for path in paths))
