# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/plan.yml on the example inventory: what its comments promise is in the plans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("plans")
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    environment |= {"ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_STDOUT_CALLBACK": "default"}
    program = [Path(sys.executable).with_name("ansible-playbook"), "-i", ROOT / "inventories/example"]
    done = subprocess.run(
        [*program, "playbooks/plan.yml", "-e", f"plan_directory={folder}/plans"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.stem: json.loads(path.read_text()) for path in (folder / "plans").iterdir()}


def test_the_teleworker_has_a_segment_of_the_office_behind_both_gateways(plans: dict[str, dict[str, Any]]) -> None:
    (segment,) = plans["tele1"]["segments"]
    assert (segment["bridge"], segment["site"]) == ("seg1001", "lyon")
    gateways = [plans[name]["segments"][0] for name in ("lyon-gw1", "lyon-gw2")]
    assert segment["ends"] == [one["local"] for one in gateways]
    assert all(one["kind"] == "gateway" and one["lan_targets"] for one in gateways)
    assert {name for name, plan in plans.items() if plan["segments"]} == {"tele1", "lyon-gw1", "lyon-gw2"}


def test_all_hosts_tell_the_classes_apart_and_carry_them(plans: dict[str, dict[str, Any]]) -> None:
    assert {json.dumps(plan["classes"]["classes"]) for plan in plans.values()} == {
        json.dumps(plans["tele1"]["classes"]["classes"])
    }
    assert [one["name"] for one in plans["tele1"]["classes"]["classes"]] == ["voice", "interactive", "bulk"]
    follows = {one["follows"] for one in plans["tele1"]["classes"]["interfaces"]}
    # also beside the link to each gateway
    assert follows == {"bocage0", "bocage0-1-1", "bocage0-1-2"}


def test_gateways_take_over_the_floating_addresses_of_each_other(plans: dict[str, dict[str, Any]]) -> None:
    for name in ("lyon-gw1", "lyon-gw2"):
        takeover = plans[name]["takeover"]
        addresses = [address for one in takeover["instances"] for address in one["addresses"]]
        assert addresses == ["198.18.16.251", "2001:db8:10::251", "198.18.16.252", "2001:db8:10::252"]
        assert takeover["targets"] == ["198.18.16.50", "198.18.16.51", "2001:db8:10::50"]
