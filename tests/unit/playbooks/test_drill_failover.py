# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/drill_failover.yml with faults and probes that only say that they happened: whatever breaks, probes end and
there is a verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]

PROBE = """\
import json, time
from pathlib import Path
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({name: {"type": "raw"} for name in ("targets", "downloads", "most_seconds", "stop_file")})
stop = Path(module.params["stop_file"])
if (stop.parent / "deaf").exists():
    module.fail_json(msg="The targets cannot be probed: no such address; give addresses, and become root.")
until = time.monotonic() + 300
while time.monotonic() < until and not stop.exists():
    time.sleep(0.05)
ended = stop.exists()
stop.unlink(missing_ok=True)
made = [json.loads(line)["started_at"] for line in (stop.parent / "faults").read_text().splitlines()]
gaps = [[started, 0.3, 29] for started in made]
module.exit_json(changed=False, ended=ended, gaps={"198.18.1.20": gaps}, sent={}, lost={}, downloads=[])
"""

FAULT = """\
import json, time
from pathlib import Path
from ansible.module_utils.basic import AnsibleModule

names = ("cause", "seconds", "lan_interface", "wan_interface", "wan_towards", "spare_interfaces", "mesh_interface")
module = AnsibleModule({name: {"type": "raw"} for name in names})
folder = Path(FOLDER)
cause, started = module.params["cause"], time.time()
if cause == "lan":
    module.fail_json(msg="The fault lan could not be made or put back: the gateway does not do well after 60 seconds")
time.sleep(0.1)
with (folder / "faults").open("a") as file:
    file.write(json.dumps({"started_at": started, **module.params}) + "\\n")
module.exit_json(changed=True, cause=cause, started_at=started, ended_at=time.time())
"""


@dataclass
class Estate:
    folder: Path

    def run(self, *arguments: str, **extra: Any) -> subprocess.CompletedProcess[str]:
        given = {
            "drill_directory": str(self.folder / "evidence"),
            "__drill_stop_file": str(self.folder / "stop"),
            "drill_settle_seconds": 0,
            **extra,
        }
        environment = {
            **os.environ,
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_ASYNC_DIR": str(self.folder / "jobs"),
            "ANSIBLE_TIMEOUT": "5",
        }
        command = [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i", self.folder / "hosts.yml", "-e", json.dumps(given), *arguments,
            ROOT / "playbooks/drill_failover.yml",
        ]  # fmt: skip
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    def evidence(self) -> dict[str, Any]:
        (file,) = (self.folder / "evidence").glob("*.json")
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def probes_ended(self) -> bool:
        """By our word, and not because somebody lost patience."""
        (job,) = (one for one in (self.folder / "jobs").iterdir() if one.is_file())
        return json.loads(job.read_text()).get("ended") is True and not (self.folder / "stop").exists()

    def change(self, host: str, **variables: Any) -> None:
        file = self.folder / "hosts.yml"
        inventory = yaml.safe_load(file.read_text())
        for group in inventory["all"]["children"]["managed"]["children"].values():
            if host in group["hosts"]:
                group["hosts"][host].update(variables)
        file.write_text(yaml.safe_dump(inventory))


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """The collection as it is but for two modules, and an estate whose hosts are all this machine."""
    collection = tmp_path / "collections/ansible_collections/bocage/fleet"
    (collection / "plugins/modules").mkdir(parents=True)
    for name in ("meta", "roles", "galaxy.yml"):
        (collection / name).symlink_to(ROOT / name)
    for source in (ROOT / "plugins").iterdir():
        if source.name != "modules":
            (collection / "plugins" / source.name).symlink_to(source)
    for source in (ROOT / "plugins/modules").glob("*.py"):
        (collection / "plugins/modules" / source.name).symlink_to(source)
    for name, text in (("drill_probe", PROBE), ("gateway_fault", FAULT.replace("FOLDER", repr(str(tmp_path))))):
        (collection / f"plugins/modules/{name}.py").unlink()
        (collection / f"plugins/modules/{name}.py").write_text(f"#!/usr/bin/python\n{text}")
    (tmp_path / "faults").touch()

    def host(site: str, index: int, **more: Any) -> dict[str, Any]:
        return {
            "host_site": site,
            "host_index": index,
            "reported": {"enrolment": {"mesh_key": f"{site}{index}"}},
            **more,
        }

    gateways = {
        f"gw{number}": host("lyon", number, mesh_endpoint=f"192.0.2.2{number}", gateway_lan_interface="lan0")
        for number in (1, 2)
    }
    groups = {
        "hubs": {"hosts": {"hub1": host("core", 1, mesh_endpoint="192.0.2.1")}},
        "gateways": {"hosts": gateways},
        "hypervisors": {"hosts": {"tele1": host("remote", 1)}},
    }
    sites = {
        "core": {"index": 0},
        "lyon": {
            "index": 1,
            "tenant": "acme",
            "lan_prefixes": ["2001:db8:2::/64"],
            "health_targets": ["2001:db8:2::20"],
        },
        "remote": {"index": 2, "tenant": "acme"},
    }
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_become": False,
        "estate_name": "demo",
        "estate_domain": "demo.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": sites,
    }
    inventory = {"all": {"vars": variables, "children": {"managed": {"children": groups}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
    return Estate(tmp_path)


def test_a_drill_of_the_only_site_that_there_is_to_drill(estate: Estate) -> None:
    run = estate.run("-v", drill_takeovers=2, drill_causes=["wan", "host"])
    assert run.returncode == 0, run.stdout + run.stderr
    assert "(item=wan, 1 of 2)" in run.stdout and "(item=host, 2 of 2)" in run.stdout
    assert "tele1 probes 2001:db8:2::20; gateway gw" in run.stdout
    assert "no TCP connection was held; drill_downloads names pages for that" in run.stdout
    found = estate.evidence()
    assert ([one["cause"] for one in found["takeovers"]], found["passed"]) == (["wan", "host"], True)
    assert estate.probes_ended()
    made = [json.loads(line) for line in (estate.folder / "faults").read_text().splitlines()]
    assert [one["mesh_interface"] for one in made] == ["bocage0", "bocage0"]


def test_in_check_mode_it_only_says_what_it_would_do(estate: Estate) -> None:
    run = estate.run("--check", drill_takeovers=3, drill_causes=["wan"])
    assert run.returncode == 0, run.stdout + run.stderr
    assert "is taken away 3 times (wan)" in run.stdout
    assert not (estate.folder / "evidence").exists() and not (estate.folder / "jobs").exists()


def test_a_fault_that_cannot_be_made_ends_the_drill_with_evidence(estate: Estate) -> None:
    run = estate.run(drill_takeovers=3, drill_causes=["wan", "lan", "host"])
    assert run.returncode != 0
    found = estate.evidence()
    assert [one["cause"] for one in found["takeovers"]] == ["wan"]
    (problem,) = found["problems"]
    assert problem.startswith("The fault lan of gateway gw") and "the gateway does not do well" in problem
    assert f"The drill of site lyon failed: {problem}" in run.stdout
    assert estate.probes_ended()


def test_a_gateway_out_of_reach_ends_the_drill_with_evidence(estate: Estate) -> None:
    for gateway in ("gw1", "gw2"):
        # nobody listens there
        estate.change(gateway, ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1)
    run = estate.run(drill_takeovers=2, drill_causes=["wan"])
    assert run.returncode != 0
    problem, *_rest = estate.evidence()["problems"]
    assert "was out of Ansible's reach at the fault wan" in problem
    assert "The drill of site lyon failed: Gateway gw" in run.stdout
    assert estate.probes_ended()


def test_nothing_is_taken_away_where_nobody_can_probe(estate: Estate) -> None:
    (estate.folder / "deaf").touch()
    run = estate.run(drill_takeovers=2, drill_causes=["wan"], drill_settle_seconds=2)
    assert run.returncode != 0
    assert (estate.folder / "faults").read_text() == ""
    assert estate.evidence()["problems"][0] == (
        "The probes ended without a result: The targets cannot be probed: no such address; give addresses, and become root."
    )
    assert not (estate.folder / "stop").exists()


def test_a_prober_out_of_reach_is_a_sentence(estate: Estate) -> None:
    estate.change("tele1", ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1)
    run = estate.run(drill_takeovers=2, drill_causes=["wan"])
    assert run.returncode != 0
    assert (estate.folder / "faults").read_text() == ""
    assert "The drill of site lyon failed: The probes ended without a result: " in run.stdout
