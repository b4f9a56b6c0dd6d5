# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose SSH key nobody knows is enrolled by its account in the customer's realm, and nobody else as that host."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import driver
import pytest
import realm

DESK, CACHE = "host/desk1", "host/wrs1"
ACCOUNT = f"{DESK}@{realm.REALM}"
STRANGER = {"ansible_host": "198.18.3.30"}


@dataclass(frozen=True)
class Registration:
    inventory: Path
    variables: dict[str, Any]
    known_hosts: Path

    def enrol(self, *arguments: str, **of_the_host: Any) -> driver.Run:
        """Enrol desk1, with these variables in its inventory."""
        folder = self.inventory / "host_vars"
        folder.mkdir(exist_ok=True)
        (folder / "desk1.yml").write_text(json.dumps(of_the_host))
        return driver.playbook(
            "playbooks/enrol.yml", "--limit desk1", *arguments, inventory=self.inventory, extra=self.variables
        )

    def refused(self, words: str, task: str, **of_the_host: Any) -> None:
        """The run fails there and so, and nothing is signed or pinned."""
        run = self.enrol(**of_the_host)
        assert not run.ok
        said = [said for _host, failed, said in run.failures if failed == task]
        assert said and words in said[0], run.failures
        assert "Traceback" not in run.stdout
        assert realm.enrolled(self.inventory, "desk1") is None
        assert not self.known_hosts.exists()


VERIFY, PROVE = "Verify that the host is who it says", "Let the host prove which keys are its own"


@pytest.fixture(scope="module")
def realm_of_the_customer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("realm")
    realm.start(DESK, CACHE, "host/erp1")
    try:
        realm.join("desk1", DESK)
        realm.join("wrs1", CACHE)
        service = folder / "enrol.keytab"
        service.write_bytes(realm.keytab(realm.SERVICE.split("@")[0]))
        service.chmod(0o600)
        yield service
    finally:
        realm.stop()
        for host in ("desk1", "wrs1"):
            realm.leave(host)


@pytest.fixture
def registration(realm_of_the_customer: Path, tmp_path: Path) -> Registration:
    """A copy of the inventory in which desk1 is new, and connections that would believe any machine."""
    inventory = driver.inventory_copy("kerberos")
    for name in ("enrolments/desk1.json", "floors.json"):
        (inventory / "trust" / name).unlink(missing_ok=True)
    variables = {
        "enrol_key_holder": "lab",
        "enrol_replace": True,
        "enrol_proof": "kerberos",
        "enrol_kerberos_keytab": str(realm_of_the_customer),
        "enrol_known_hosts_file": str(tmp_path / "known_hosts"),
        "ansible_ssh_host_key_checking": False,
    }
    return Registration(inventory, variables, tmp_path / "known_hosts")


def test_a_host_whose_key_nobody_knows_is_enrolled(registration: Registration) -> None:
    run = registration.enrol()
    assert run.ok, run.failures
    signed = realm.enrolled(registration.inventory, "desk1")
    assert signed is not None
    assert (signed["name"], signed["site"], signed["tenant"]) == ("desk1", "lyon", "acme")
    assert signed["host_id"] == driver.on("desk1", "cat /var/lib/bocage/host_id").strip()
    assert signed["mesh_key"] == driver.on("desk1", "wg pubkey < /etc/bocage/mesh/private.key").strip()
    # the SSH host key that it has proven is pinned, and counts from now on
    pinned = ["-o", f"UserKnownHostsFile={registration.known_hosts}", "-o", "GlobalKnownHostsFile=/dev/null"]
    key = ["-i", str(driver.ROOT / ".lab" / "ssh" / "id_ed25519")]
    strict = ["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ControlPath=none"]
    command = ["ssh", "-F", "none", *pinned, *key, *strict, "root@198.18.3.40", "hostname"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip() == "desk1"
    again = registration.enrol()
    assert again.ok and again.changed_tasks == []


def test_attack_another_machine_of_the_realm_says_that_it_is_the_host(registration: Registration) -> None:
    # It uses its own account, and says that this is the one that is declared.
    facts = {"enrol_kerberos_principal": f"{CACHE}@{realm.REALM}"}
    lie = f"result['ansible_facts'] = {{**{facts!r}, '__enrol_asked': {{'principal': {facts['enrol_kerberos_principal']!r}}}}}"
    variables = realm.lying("wrs1", f"s#{DESK}@#{CACHE}@#g", lie)
    words = f"The machine that answers for desk1 is {CACHE}@{realm.REALM} in the realm, not {ACCOUNT}"
    registration.refused(words, VERIFY, **STRANGER, **variables)


def test_attack_the_mesh_key_is_changed_on_the_way(registration: Registration) -> None:
    # in what is read, and in the request that is signed
    lie = """
other = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='
if 'public_key' in result:
    pathlib.Path('/root/kept').write_text(result['public_key'])
    result['public_key'] = other
if 'request' in result:
    key = pathlib.Path('/root/kept').read_text()
    request = base64.b64decode(result['request']).decode()
    result['request'] = base64.b64encode(request.replace(key, other).encode()).decode()
"""
    registration.refused("What desk1 says is not what it proved", VERIFY, **realm.lying("desk1", answered=lie))


def test_attack_an_old_request_is_sent_again(registration: Registration) -> None:
    # one that the host made for an earlier question, and that never arrived
    lie = f"""
if 'request' in result:
    import gssapi
    old = json.loads(base64.b64decode(result['request']))
    old['nonce'] = 'o' * 43
    data = json.dumps(old, sort_keys=True, separators=(',', ':')).encode()
    host, service = (gssapi.Name(name, gssapi.NameType.kerberos_principal) for name in ({ACCOUNT!r}, {realm.SERVICE!r}))
    store = {{'client_keytab': '/etc/krb5.keytab', 'ccache': 'MEMORY:old'}}
    credentials = gssapi.Credentials(name=host, usage='initiate', store=store)
    context = gssapi.SecurityContext(name=service, creds=credentials, flags=gssapi.RequirementFlag.integrity)
    token = context.step()
    for name, value in (('request', data), ('token', token), ('signature', context.get_signature(data))):
        result[name] = base64.b64encode(value).decode()
"""
    words = "The host desk1 answered another question than it was asked"
    registration.refused(words, VERIFY, **realm.lying("desk1", answered=lie))


def test_attack_a_ticket_for_another_service(registration: Registration) -> None:
    variables = realm.lying("desk1", f"s#{realm.SERVICE}#host/erp1@{realm.REALM}#g")
    registration.refused("its ticket is for another service than", VERIFY, **variables)


def test_a_realm_that_does_not_answer_is_a_sentence(registration: Registration) -> None:
    driver.on("erp1", "systemctl stop lab-realm")
    registration.refused("The host desk1 got no ticket: the realm does not answer", PROVE)
