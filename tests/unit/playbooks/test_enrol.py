# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/enrol.yml on the example inventory, whose hosts do not exist: what it refuses before it asks a host."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KERBEROS = ("-e", "enrol_proof=kerberos", "-e", "ansible_ssh_host_key_checking=false")
Enrol = Callable[..., str]


@pytest.fixture
def enrol(tmp_path: Path) -> Enrol:
    """``enrol(*arguments)`` says what went wrong with tele1."""
    inventory = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventories/example", inventory)
    (inventory / "reported.estate.yml").unlink()
    (inventory / "group_vars/all/trust.yml").write_text(f"trust_secret_directory: {tmp_path}\n")
    # nobody listens there
    (inventory / "host_vars").mkdir(exist_ok=True)
    (inventory / "host_vars/tele1.yml").write_text(
        'ansible_host: 127.0.0.1\nansible_port: 1\nansible_ssh_common_args: ""\n'
    )

    def run(*arguments: str) -> str:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        environment |= {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_STDOUT_CALLBACK": "default"}
        command = [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, "playbooks/enrol.yml"]
        command += ["--limit", "tele1", "-e", "enrol_key_holder=anna", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode != 0
        assert "Traceback" not in done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    return run


def test_host_keys_are_pinned_or_there_is_a_proof(enrol: Enrol) -> None:
    unpinned = enrol("-e", "ansible_ssh_host_key_checking=false")
    assert "Host key checking is off, so that anybody could be enrolled as tele1" in unpinned
    assert "The enrol_proof of tele1 is 'ticket'; write host_key or kerberos." in enrol("-e", "enrol_proof=ticket")


def test_attack_no_password_goes_to_a_machine_that_has_proven_nothing(enrol: Enrol, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n")
    word = "The password for becoming root would go to tele1, which has proven nothing yet"
    asked = enrol(*KERBEROS, "--become-password-file", str(password))
    assert word in asked and "Connection refused" not in asked
    assert word in enrol(*KERBEROS, "-e", "ansible_become_password=secret")
    forwarded = enrol(*KERBEROS, "-e", "ansible_ssh_extra_args=-A")
    assert "The arguments of SSH forward an agent, a screen or a ticket to tele1" in forwarded


def test_with_a_proof_an_unknown_machine_is_asked(enrol: Enrol) -> None:
    assert "port 1: Connection refused" in enrol(*KERBEROS)
