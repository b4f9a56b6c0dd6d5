# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/revoke.yml on a copy of the example inventory, whose hosts do not exist and are not asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common import dsse
from bocage_core._state import enrolment as enrolments

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def inventory(tmp_path: Path, signed_estate: Any) -> Path:
    """The example with its trust, and two hosts that were enrolled."""
    folder = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventories/example", folder)
    (folder / "trust/enrolments").mkdir(parents=True)
    (folder / "trust/enrolment.pub").write_bytes(dsse.public_key_to_pem(signed_estate.public))
    (folder / "reported.estate.yml").write_text("plugin: bocage.fleet.estate\n")
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "enrolment.key").write_bytes(signed_estate.private)
    (keys / "enrolment.key").chmod(0o600)
    (folder / "group_vars/all/trust.yml").write_text(f"trust_secret_directory: {keys}\n")
    for name in ("tele1", "lyon-desk1"):
        document = signed_estate.host(name).enrolment_bytes
        (folder / f"trust/enrolments/{name}.json").write_bytes(document)
    return folder


def run(program: str, inventory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    environment |= {"ANSIBLE_HOME": str(inventory.parent / "home"), "ANSIBLE_STDOUT_CALLBACK": "default"}
    command = [Path(sys.executable).with_name(program), "-i", inventory, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_revoked_host_is_no_peer_any_more(inventory: Path, signed_estate: Any) -> None:
    playbook = str(ROOT / "playbooks/revoke.yml")
    unnamed = run("ansible-playbook", inventory, playbook, "-e", "revoke_hosts=tele1")
    assert unnamed.returncode != 0 and "Say who revokes and whom" in unnamed.stdout
    before = (inventory / "trust/enrolments/lyon-desk1.json").read_bytes()
    enrolled = (inventory / "trust/enrolments/tele1.json").read_bytes()

    done = run("ansible-playbook", inventory, playbook, "-e", "enrol_key_holder=anna revoke_hosts=tele1")
    assert done.returncode == 0, done.stdout + done.stderr
    signed = json.loads((inventory / "trust/enrolments/tele1.json").read_bytes())
    assert enrolments.verify(signed, signed_estate.public).revoked
    assert (inventory / "trust/enrolments/lyon-desk1.json").read_bytes() == before

    # whoever puts the document of before back gains nothing
    revoked = (inventory / "trust/enrolments/tele1.json").read_bytes()
    (inventory / "trust/enrolments/tele1.json").write_bytes(enrolled)
    listed = json.loads(run("ansible-inventory", inventory, "--list").stdout)
    assert listed["state_untrusted"]["hosts"] == ["tele1"]
    assert "signed list of the revoked" in str(listed["_meta"]["hostvars"]["tele1"]["reported"])
    (inventory / "trust/enrolments/tele1.json").write_bytes(revoked)

    listed = json.loads(run("ansible-inventory", inventory, "--list").stdout)
    assert listed["state_untrusted"]["hosts"] == ["tele1"]
    hosts = listed["_meta"]["hostvars"]
    assert hosts["tele1"]["reported"].keys() == {"state", "reason"}
    assert "The enrolment of tele1 was revoked." in str(hosts["tele1"]["reported"])
    assert "enrolment" in hosts["lyon-desk1"]["reported"]
