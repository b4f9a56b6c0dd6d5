# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action as operators run it: on the example, sound and spoilt, without contacting a host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "inventories/example", tmp_path / "example"))


def validate(inventory: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code of the playbook and the result of its last task."""
    run = subprocess.run(
        [ANSIBLE_PLAYBOOK, "-i", inventory, "playbooks/validate_estate.yml", *arguments],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
        capture_output=True,
        text=True,
        check=False,
    )
    tasks = [task for play in json.loads(run.stdout[run.stdout.index("{") :])["plays"] for task in play["tasks"]]
    results = tasks[-1]["hosts"]
    assert len(results) == 1, "the check runs once"
    return run.returncode, next(iter(results.values()))


def test_the_example_is_sound(example: Path) -> None:
    code, result = validate(example)
    assert (code, result["findings"], result["changed"]) == (0, [], False)
    assert result["msg"] == "The inventory is sound: 9 hosts, 4 sites."


def test_all_findings_with_their_places_even_with_limit_and_check(example: Path) -> None:
    hosts = example / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("host_index: 3\n", "host_index: 2\n"))
    estate = example / "group_vars/all/estate.yml"
    estate.write_text(estate.read_text().replace("hub: hub2", "hubb: hub2"))
    (example / "group_vars/hypervisors.yml").write_text("host_nmae: x\n")
    (example / "host_vars").mkdir()
    (example / "host_vars/tele1.yml").write_text("---\nmesh_endpoint: '{{ no_such_thing }}'\n")
    code, result = validate(example, "--limit", "hub1", "--check", "--diff")
    assert code != 0
    lines = hosts.read_text().splitlines()
    line = 1 + next(number for number, text in enumerate(lines) if "lyon-wrs1:" in text)
    index = line + next(number for number, text in enumerate(lines[line:], 1) if "host_index" in text)
    assert sorted(result["findings"]) == sorted(
        [
            f"{example}/group_vars/hypervisors.yml:1: Unknown variable host_nmae of lyon-desk1, bergen-desk1 "
            "and tele1.",
            f"{estate}:{1 + estate.read_text().splitlines().index('    hubb: hub2')}: "
            "Site bergen: hubb is unknown; did you mean hub?",
            f"{example}/host_vars/tele1.yml:2: Host tele1: mesh_endpoint cannot be evaluated: "
            "'no_such_thing' is undefined.",
            f"{hosts}:{index}: Hosts lyon-gw2 and lyon-wrs1 have the same host_index 2 in site lyon.",
        ]
    )
    assert result["msg"].startswith("The inventory has 4 findings; no host was touched.\n")


def test_templates_are_evaluated_for_their_host(example: Path) -> None:
    hosts = example / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("host_index: 20", 'host_index: "{{ first_index + 20 }}"'))
    code, result = validate(example, "-e", '{"first_index": 65530}')
    assert code != 0
    assert [finding.split(": ", 1)[1] for finding in result["findings"]] == [
        "Host lyon-desk1 has host_index 65550; a host index lies between 1 and 65534.",
        "Host bergen-desk1 has host_index 65550; a host index lies between 1 and 65534.",
    ]
    assert validate(example, "-e", '{"first_index": 0}')[0] == 0


def test_allowed_variables(example: Path) -> None:
    (example / "group_vars/hypervisors.yml").write_text("host_contact: x\n")
    assert validate(example)[0] != 0
    assert validate(example, "-e", '{"validate_estate_allowed_variables": ["host_con*"]}')[0] == 0
