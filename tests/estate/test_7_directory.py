# SPDX-License-Identifier: GPL-3.0-or-later
"""A host has the package of the unit that it lies in: read from the customer's slapd, handed out by the next run."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import driver
import pytest
from bocage_packager.main import main as packager
from packages_made import copied, make, publish, sign

LYON = "OU=Lyon,DC=demo,DC=internal"
DESIGN = f"OU=Design desks,{LYON}"
ACCOUNTS = f"OU=Accounts,{LYON}"
TOOL = "demo-drawing"
READER = "cn=bocage,dc=demo,dc=internal"
VERSION = f"{int(time.time()) // 60}.0-1"
SETUP = """
def install():
    write("/opt/demo-drawing/version", control["version"])
"""


@dataclass(frozen=True)
class Customer:
    inventory: Path
    variables: dict[str, Any]

    def read(self, *arguments: str) -> driver.Run:
        return driver.playbook("playbooks/directory.yml", *arguments, inventory=self.inventory, extra=self.variables)

    def converge(self, *arguments: str) -> driver.Run:
        run = driver.playbook("playbooks/packages.yml", *arguments, inventory=self.inventory)
        assert run.ok, run.failures
        return run

    def known(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.inventory / "group_vars" / "all" / "directory.json").read_text())
        return found["directory_hosts"]


def directory(ldif: str) -> None:
    words = "ldapmodify -x -H ldap://127.0.0.1 -D cn=admin,dc=demo,dc=internal -w lab-admin"
    driver.on("erp1", f"{words} <<'LDIF'\n{ldif}\nLDIF")


def move(host: str, unit: str, to: str) -> None:
    directory(f"dn: cn={host},{unit}\nchangetype: modrdn\nnewrdn: cn={host}\ndeleteoldrdn: 0\nnewsuperior: {to}")


def told(run: driver.Run) -> set[str]:
    """Hosts that got other settings of packages."""
    return {host for host, task in run.changed_tasks if "settings of packages" in task}


def settings(host: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(driver.on(host, "cat /etc/bocage/packages.json"))
    return found


def states(host: str) -> dict[str, str]:
    listed = json.loads(driver.on(host, f"{driver.AGENT} packages"))["packages"]
    return {name: one["state"] for name, one in listed.items()}


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customer]:
    """Packages of a unit and of a group, and an inventory that names the directory."""
    driver.serve_packages()
    folder = tmp_path_factory.mktemp("directory")
    run = publish(
        make(folder, TOOL, VERSION, SETUP),
        settings_for(folder, "unit", DESIGN),
        settings_for(folder, "profile", "Pilots"),
    )
    assert run.ok, run.failures
    copied()
    authority, password = folder / "ca.pem", folder / "password"
    authority.write_text(driver.on("erp1", "cat /etc/ldap/lab/directory.pem"))
    password.write_text("lab-reader\n")
    password.chmod(0o600)
    variables = {
        "directory_url": "ldap://198.18.3.20",
        "directory_ca_file": str(authority),
        "directory_bind_dn": READER,
        "directory_password_file": str(password),
        "directory_computers_base": "dc=demo,dc=internal",
        "directory_groups_base": "ou=Groups,dc=demo,dc=internal",
    }
    driver.on("erp1", "systemctl start lab-directory")
    yield Customer(driver.inventory_copy("directory"), variables)
    driver.on("erp1", "systemctl start lab-directory")
    run = driver.playbook("playbooks/packages.yml")
    assert run.ok, run.failures
    for host in ("desk1", "tele1"):
        driver.on(host, f"{driver.AGENT} upgrade; {driver.AGENT} remove {TOOL}", check=False, timeout=120)


def settings_for(folder: Path, section: str, name: str) -> Path:
    """A package of a unit or a group that asks for the tool, signed by a deployer."""
    source = folder / section
    arguments = ["--template", section, "--package", name, "--version", VERSION]
    assert packager(["init", str(source), *arguments]) == 0
    control = source / "WAPT" / "control"
    lines = [line for line in control.read_text().splitlines() if line.strip() and not line.startswith("depends")]
    control.write_text("\n".join([*lines, f"depends : {TOOL}", ""]))
    before = set(folder.glob("*.wapt"))
    sign(folder, source, "deployer")
    (made,) = set(folder.glob("*.wapt")) - before
    return made


def test_the_directory_is_read_for_all_whatever_the_limit(customer: Customer) -> None:
    assert customer.read("--limit", "gw1").ok
    known = customer.known()
    assert known["desk1"] == {"units": [LYON, DESIGN], "profiles": []}
    assert known["tele1"] == {"units": [LYON], "profiles": ["Pilots"]}
    assert known.keys() == {"desk1", "tele1"}
    run = customer.read()
    assert run.ok and run.changed_tasks == []
    kept = (customer.inventory / "group_vars" / "all" / "directory.json").read_text()
    assert "lab-reader" not in run.stdout + kept


def test_a_host_has_what_its_unit_brings(customer: Customer) -> None:
    assert told(customer.converge()) == {"desk1", "tele1"}
    assert settings("desk1")["units"] == [LYON, DESIGN] and "units" not in settings("wrs1")
    driver.on("desk1", f"{driver.AGENT} upgrade", timeout=120)
    found = states("desk1")
    assert (found[DESIGN], found[TOOL]) == ("OK", "OK")
    assert LYON not in found, "a unit without a package is nothing"
    assert driver.on("desk1", "cat /opt/demo-drawing/version") == VERSION
    driver.on("tele1", f"{driver.AGENT} upgrade", timeout=120)
    assert states("tele1")["Pilots"] == "OK"


def test_the_report_tells_of_units(customer: Customer) -> None:
    driver.on("desk1", "systemctl start bocage-agent-report")
    found = driver.inventory_list()[0]["_meta"]["hostvars"]["desk1"]["reported"]["packages"]
    assert found[DESIGN]["__ansible_unsafe"] == VERSION


def test_a_run_of_one_host_changes_nothing_of_others(customer: Customer) -> None:
    assert customer.converge("--limit", "desk1").changed_tasks == []
    assert customer.converge().changed_tasks == []


def test_without_the_directory_hosts_keep_what_they_have(customer: Customer) -> None:
    before = customer.known()
    driver.on("erp1", "systemctl stop lab-directory")
    try:
        run = customer.read()
        assert not run.ok
        (words,) = {words for _host, task, words in run.failures if task == "Find where it has the hosts"}
        assert "The directory ldap://198.18.3.20 does not answer as it should" in words
        assert "hosts keep what they had." in words
        assert customer.known() == before
        assert customer.converge().changed_tasks == []
        driver.on("desk1", f"{driver.AGENT} upgrade", timeout=120)
        assert states("desk1")[DESIGN] == "OK"
    finally:
        driver.on("erp1", "systemctl start lab-directory")


def test_a_host_that_moves_has_what_its_new_unit_brings(customer: Customer) -> None:
    move("desk1", "ou=Design desks,ou=Lyon,dc=demo,dc=internal", "ou=Accounts,ou=Lyon,dc=demo,dc=internal")
    try:
        assert customer.read().ok
        assert customer.known()["desk1"]["units"] == [LYON, ACCOUNTS]
        assert told(customer.converge()) == {"desk1"}
        driver.on("desk1", f"{driver.AGENT} upgrade", timeout=120)
        found = states("desk1")
        assert DESIGN not in found
        assert found[TOOL] == "OK", "software stays, and goes when somebody says so"
    finally:
        move("desk1", "ou=Accounts,ou=Lyon,dc=demo,dc=internal", "ou=Design desks,ou=Lyon,dc=demo,dc=internal")


def test_what_is_unclear_is_told_and_changes_nothing(customer: Customer) -> None:
    assert customer.read().ok
    twice = "cn=desk1,ou=Accounts,ou=Lyon,dc=demo,dc=internal"
    directory(f"dn: {twice}\nchangetype: add\nobjectClass: device\ncn: desk1")
    try:
        run = customer.read()
        assert run.ok and run.changed_tasks == []
        assert "desk1 keeps what it had: the directory has it 2 times" in run.stdout
        assert customer.known()["desk1"]["units"] == [LYON, DESIGN]
    finally:
        directory(f"dn: {twice}\nchangetype: delete")


def test_attack_a_directory_with_another_certificate_is_not_asked(customer: Customer, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes((driver.INVENTORY / "trust" / "registry-ca.pem").read_bytes())
    before = customer.known()
    run = driver.playbook(
        "playbooks/directory.yml",
        inventory=customer.inventory,
        extra={**customer.variables, "directory_ca_file": os.fspath(other)},
    )
    assert not run.ok
    assert [words for _host, _task, words in run.failures if "certificate verify failed" in words], run.failures
    assert customer.known() == before
