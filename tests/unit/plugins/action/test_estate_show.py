# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action as operators run it: on the example with reports written down, without contacting a host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
HOSTILE = "</text><script>{{ lookup('pipe', 'touch owned') }}</script>\x1b[31m"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example inventory, two of whose hosts reported; their keys are those of a later epoch."""
    inventory = Path(shutil.copytree(ROOT / "inventories/example", tmp_path / "example"))
    issued_at = datetime.now(tz=UTC) - timedelta(seconds=30)
    keys = {"hub1": "key of hub1", "lyon-gw1": "key of lyon-gw1"}
    (inventory / "host_vars").mkdir(exist_ok=True)
    for name, key in keys.items():
        other = next(value for host, value in keys.items() if host != name)
        peers = [
            {"public_key": f"{other} in epoch 1", "latest_handshake": int(issued_at.timestamp()) - 10},
            {"public_key": "key of nobody", "latest_handshake": int(issued_at.timestamp()) - 10},
        ]
        reported: dict[str, Any] = {
            "state": "fresh",
            "reason": None,
            "enrolment": {"mesh_key": key, "epochs": {"1": f"{key} in epoch 1"}},
            "issued_at": issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sections": {"mesh": {"peers": peers}},
            "drift": {"mesh": [HOSTILE] if name == "hub1" else []},
        }
        if name == "lyon-gw1":
            reported["sections"]["gateway"] = {"forwarding": True, "conntrack_count": 1, "conntrack_max": 4}
            reported["sections"]["mesh"] |= {"epoch": 1, "live_epochs": [1]}
        # As the inventory plugin's, these values are no templates.
        text = json.dumps({"reported": reported}, indent=1).replace('"</text>', '!unsafe "</text>')
        (inventory / "host_vars" / f"{name}.yml").write_text(text.replace("\t", " "))
    return inventory


def show(inventory: Path, *arguments: str) -> tuple[int, str]:
    run = subprocess.run(
        [ANSIBLE_PLAYBOOK, "-i", inventory, ROOT / "playbooks/show.yml", *arguments],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def changed(output: str) -> int:
    return sum("changed=1" in line for line in output.splitlines())


def test_check_do_check_again_do_again(example: Path, tmp_path: Path) -> None:
    picture = tmp_path / "new folder" / "estate.svg"
    arguments = ["-e", json.dumps({"show_picture": str(picture)})]
    code, output = show(example, *arguments, "--check", "--diff")
    assert (code, changed(output), picture.exists()) == (0, 1, False)
    code, output = show(example, *arguments, "--diff")
    assert (code, changed(output), picture.exists()) == (0, 1, True)
    written = picture.read_bytes()
    for again in (["--check"], [], ["--limit", "tele1"]):
        code, output = show(example, *arguments, *again)
        assert (code, changed(output)) == (0, 0), again
    assert picture.read_bytes() == written
    assert output.count("Estate example") == 1, "shown once, whatever the number of hosts"
    assert f"  picture: {picture}\n" in output
    assert "2 fresh, 7 missing (1 with drift); 1 tunnel: 1 live, 0 silent" in output
    # All hosts are in the table, also with a limit; what hosts reported is neither markup nor template.
    assert "lyon-desk1" in output
    assert "hub1: </text><script>{{ lookup('pipe', 'touch owned') }}</script>\ufffd[31m" in output
    elements = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(written).iter()}
    assert elements == {"svg", "title", "desc", "g", "rect", "circle", "path", "text"}
    assert not list(tmp_path.rglob("owned"))
    assert not (ROOT / "owned").exists()


def test_what_it_returns(example: Path) -> None:
    playbook = example.parent / "show.yml"
    playbook.write_text(
        json.dumps(
            [
                {
                    "hosts": "managed",
                    "gather_facts": False,
                    "tasks": [
                        {"bocage.fleet.estate_show": {"title": "Mine"}, "register": "shown", "run_once": True},
                        {
                            "ansible.builtin.copy": {
                                "content": "{{ shown | to_json }}",
                                "dest": str(example.parent / "shown.json"),
                                "mode": "0600",
                            },
                            "delegate_to": "localhost",
                            "connection": "local",
                            "run_once": True,
                        },
                    ],
                }
            ]
        )
    )
    run = subprocess.run(
        [ANSIBLE_PLAYBOOK, "-i", example, playbook], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\nMine\n" in run.stdout
    shown: dict[str, Any] = json.loads((example.parent / "shown.json").read_text())
    assert shown["changed"] is False
    assert "picture" not in shown
    assert shown["tunnels"] == [{"one": "hub1", "other": "lyon-gw1", "live": True}]
    hosts = {host["name"]: host for host in shown["hosts"]}
    assert len(hosts) == 9
    assert hosts["lyon-gw1"]["roles"] == ["gateway"]
    assert hosts["lyon-gw1"]["state"] == "fresh"
    gateway = hosts["lyon-gw1"]["gateway"]
    assert (gateway["health"], gateway["flows_percent"], gateway["segments"]) == ("forwards", 25, [])
    assert (hosts["lyon-gw1"]["epoch"], hosts["lyon-gw1"]["exits"], hosts["hub1"]["gateway"]) == (1, [], None)
    assert hosts["tele1"]["state"] == "missing"
    assert hosts["tele1"]["reported_at"] is None


def test_services_alone(example: Path) -> None:
    playbook = example.parent / "show.yml"
    task = {"bocage.fleet.estate_show": {"detail": "services"}, "run_once": True}
    playbook.write_text(json.dumps([{"hosts": "managed", "gather_facts": False, "tasks": [task]}]))
    run = subprocess.run(
        [ANSIBLE_PLAYBOOK, "-i", example, playbook], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [line.split() for line in run.stdout.splitlines()]
    assert ["lyon-gw1", "lyon", "forwards", "25", "%"] in rows
    assert "\n  mesh keys of epoch 1: 1 host\n" in run.stdout
    assert "tele1" not in run.stdout.split("PLAY RECAP")[0]


def test_a_picture_that_cannot_be_written(example: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, output = show(example, "-e", f"show_picture={tmp_path}/file/estate.svg")
    assert code != 0
    reason = f"File exists ({tmp_path}/file); choose another place for it."
    assert f"The picture {tmp_path}/file/estate.svg cannot be written: {reason}" in output
