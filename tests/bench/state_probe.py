# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads one inventory in this process and prints what it took: `state_probe.py FOLDER [READY_FILE]`.

With a second argument the variables and groups that were set are written there, for the floor and for YAML.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from ansible.plugins.loader import init_plugin_loader, inventory_loader

ROOT = Path(__file__).resolve().parents[2]
init_plugin_loader([str(ROOT / "collections")])

import ansible.inventory.manager as manager  # noqa: E402
from ansible._internal._templating._jinja_bits import AnsibleEnvironment  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402

PLUGINS = ("bocage.fleet.estate", "ansible.builtin.constructed")
STATE_GROUPS = re.compile(r"state_[a-z]+|drift_[a-z]+")
# As the project's ansible.cfg has it.
manager.IGNORED = re.compile(rb"^\.|^trust$|^group_vars$")


def count_compiles(taken: dict[str, Any]) -> None:
    compile_one = AnsibleEnvironment.compile

    def counted(self: AnsibleEnvironment, *arguments: Any, **options: Any) -> Any:
        taken["compiles"] += 1
        return compile_one(self, *arguments, **options)

    AnsibleEnvironment.compile = counted


def time_plugins(taken: dict[str, Any]) -> None:
    for name in PLUGINS:
        plugin = type(inventory_loader.get(name))
        parse = plugin.parse

        def timed(self: Any, *arguments: Any, _parse: Any = parse, **options: Any) -> None:
            begun, processor = time.perf_counter(), time.process_time()
            _parse(self, *arguments, **options)
            taken["plugin_seconds"] = time.perf_counter() - begun
            taken["plugin_processor_seconds"] = time.process_time() - processor

        plugin.parse = timed


def note_work(taken: dict[str, Any]) -> None:
    """Signatures and requests, as the plugin itself counts them."""
    inventory_loader.get(PLUGINS[0])
    module = sys.modules[type(inventory_loader.get(PLUGINS[0])).__module__]
    load = module.load

    def noted(*arguments: Any, **options: Any) -> Any:
        loaded = load(*arguments, **options)
        taken["signatures"], taken["requests"] = loaded.signatures, loaded.requests
        return loaded

    module.load = noted


def main() -> None:
    taken: dict[str, Any] = {"compiles": 0, "signatures": 0, "requests": 0}
    count_compiles(taken)
    time_plugins(taken)
    note_work(taken)
    begun = time.perf_counter()
    inventory = manager.InventoryManager(DataLoader(), sources=[sys.argv[1]])
    taken["load_seconds"] = time.perf_counter() - begun
    taken["hosts"] = len(inventory.hosts)
    if len(sys.argv) > 2:
        groups = {
            name: [host.name for host in group.hosts]
            for name, group in inventory.groups.items()
            if STATE_GROUPS.fullmatch(name)
        }
        reported = {name: host.vars["reported"] for name, host in inventory.hosts.items()}
        Path(sys.argv[2]).write_text(json.dumps({"groups": groups, "reported": reported}))
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
