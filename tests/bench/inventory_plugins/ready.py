# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor of an inventory: values that somebody else made ready are set, and nothing is verified."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ready
short_description: Values made ready, for measuring what Ansible itself needs
description: Reads a JSON file with variables and groups of hosts and sets them on the hosts of the inventory.
author:
  - The Bocage maintainers (@bocage-fleet)
options: {}
"""

import gc
import json
from pathlib import Path

from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin


class InventoryModule(BaseInventoryPlugin):
    NAME = "ready"

    def verify_file(self, path: str) -> bool:
        return path.endswith(".ready")

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        # As the plugin that is measured does: what is read here is never garbage.
        gc.disable()
        ready = json.loads(Path(path).read_text())
        for name, hosts in ready["groups"].items():
            group = inventory.groups[inventory.add_group(name)]
            for host in hosts:
                group.add_host(inventory.hosts[host])
        for name, reported in ready["reported"].items():
            inventory.hosts[name].vars["reported"] = reported
        gc.freeze()
        gc.enable()
