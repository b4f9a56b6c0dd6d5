# SPDX-License-Identifier: GPL-3.0-or-later
"""Of the hosts that a benchmark makes up, a run has to ask those that changed, and no others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.bocage.fleet.plugins.plugin_utils.seal_choice import must_be_asked
from changed_data import Changed


def plan_of(estate: Changed) -> Mapping[str, Any]:
    roles = {"host": {"base": "ab" * 32, "facts": []}, "mesh": {"base": "cd" * 32, "facts": ["kernel"]}}
    return {estate.name(number): roles for number in range(estate.count)}


def test_only_those_that_changed_are_asked(tmp_path: Path) -> None:
    estate = Changed(tmp_path, 60, [f"198.18.3.{number}" for number in range(101, 111)], tmp_path / "lab")
    estate.write()
    plan = plan_of(estate)
    estate.report(plan)
    # in the order in which a folder is read
    sources = [str(estate.inventory / name) for name in ("hosts.json", "reported.estate.yml")]
    inventory = InventoryManager(DataLoader(), sources=sources)
    reported = {name: host.vars.get("reported") for name, host in inventory.hosts.items()}
    assert {one["state"] for one in reported.values()} == {"fresh"}
    asked = {name: must_be_asked(one, plan[name], name, 7) for name, one in reported.items()}
    assert {name for name, why in asked.items() if why} == set(estate.changed)
    assert len(estate.changed) == 10 and len(reported) == 60


def test_hosts_that_did_not_change_cannot_be_reached(tmp_path: Path) -> None:
    estate = Changed(tmp_path, 60, ["198.18.3.201"], tmp_path / "lab")
    estate.write()
    groups = json.loads((estate.inventory / "hosts.json").read_text())["managed"]["children"]
    written = {name: values for group in groups.values() for name, values in group["hosts"].items()}
    assert {name for name, values in written.items() if "ansible_host" in values} == set(estate.changed)
    variables = json.loads((estate.inventory / "group_vars/all/estate.yml").read_text())
    assert variables["ansible_host"] == "{{ inventory_hostname }}.invalid"
