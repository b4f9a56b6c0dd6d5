# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules kerberos_request on a host and kerberos_proof on the controller, as Ansible calls them."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._state import kerberos
from ansible_collections.bocage.fleet.plugins.modules import host_identity, kerberos_proof, kerberos_request, mesh_key
from fake_gssapi import Realm

HOST, SERVICE = "host/desk1@EXAMPLE.COM", "bocage-enrol/demo.internal@EXAMPLE.COM"
ASKED = {"name": "desk1", "estate": "fd7b:4c1e:90a2::/48", "nonce": "n" * 43, "principal": HOST, "service": SERVICE}


@pytest.fixture
def realm(monkeypatch: pytest.MonkeyPatch) -> Realm:
    found = Realm(HOST, SERVICE)
    monkeypatch.setattr(kerberos, "library", lambda _machine: found)
    return found


@pytest.fixture
def files(tmp_path: Path, call_module: Any) -> dict[str, str]:
    """A host with keys of its own, SSH's too, and its keytab."""
    made = {
        "report_key_file": str(tmp_path / "etc/report.key"),
        "id_file": str(tmp_path / "var/host_id"),
        "mesh_key_file": str(tmp_path / "etc/mesh/private.key"),
        "keytab": str(tmp_path / "krb5.keytab"),
        "ssh_directory": str(tmp_path / "ssh"),
    }
    call_module(host_identity, key_file=made["report_key_file"], id_file=made["id_file"])
    (tmp_path / "etc/mesh").mkdir()
    if shutil.which("wg"):
        call_module(mesh_key, path=made["mesh_key_file"])
    (tmp_path / "ssh").mkdir()
    for kind in ("ed25519", "ecdsa"):
        file = tmp_path / "ssh" / f"ssh_host_{kind}_key"
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file], check=True)
    (tmp_path / "krb5.keytab").write_text(HOST)
    return made


@pytest.fixture
def answer(realm: Realm, files: dict[str, str], call_module: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the host answers, and what was read from it before."""
    if not shutil.which("wg"):
        public = base64.b64encode(bytes(32)).decode()
        Path(files["mesh_key_file"]).write_text("private")
        monkeypatch.setattr(kerberos_request.keys, "public_key", lambda _run, _private, _path: public)
    found = call_module(kerberos_request, **ASKED, **files)
    assert not found["changed"]
    request = kerberos_proof.registration.Request.from_bytes(base64.b64decode(found["request"]), "desk1")
    assert len(request.host_keys) == 2
    read = {"host_id": request.host_id, "report_key": request.report_key, "mesh_key": request.mesh_key}
    return {**{name: found[name] for name in ("request", "token", "signature")}, **read}


@pytest.fixture
def options(answer: dict[str, str], tmp_path: Path) -> dict[str, Any]:
    keytab = tmp_path / "enrol.keytab"
    keytab.write_text(SERVICE)
    keytab.chmod(0o600)
    return {**ASKED, **answer, "keytab": str(keytab)}


def test_a_host_proves_its_keys_and_they_are_pinned(options: dict[str, Any], tmp_path: Path, call_module: Any) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("192.0.2.9 ssh-rsa OTHER\n192.0.2.1 ssh-rsa OLD\n")
    pinned = {**options, "known_hosts_file": str(known), "known_hosts_name": "192.0.2.1"}
    predicted = call_module(kerberos_proof, check=True, diff=True, **pinned)
    assert predicted["changed"] and predicted["principal"] == HOST
    assert "OLD" in known.read_text() and "OLD" not in predicted["diff"]["after"]
    kerberos.library("").used.clear()
    done = call_module(kerberos_proof, diff=True, **pinned)
    assert done["changed"] and done["diff"] == predicted["diff"]
    assert known.read_text() == done["diff"]["after"]
    assert [f"192.0.2.1 {key}" for key in done["host_keys"]] == known.read_text().splitlines()[1:]
    for check in (True, False):
        kerberos.library("").used.clear()
        assert not call_module(kerberos_proof, check=check, **pinned)["changed"]


def test_nothing_private_is_answered(answer: dict[str, str], files: dict[str, str]) -> None:
    said = base64.b64decode(answer["request"]).decode() + str(answer)
    for file in (
        *(files[name] for name in ("report_key_file", "mesh_key_file")),
        f"{files['ssh_directory']}/ssh_host_ed25519_key",
    ):
        for line in Path(file).read_text().splitlines():
            assert line.startswith("-----") or line not in said


def test_attack_a_machine_of_the_realm_that_is_another(
    options: dict[str, Any], files: dict[str, str], call_module: Any
) -> None:
    other = "host/wrs1@EXAMPLE.COM"
    Path(files["keytab"]).write_text(other)
    answered = call_module(kerberos_request, **{**ASKED, "principal": other}, **files)
    options |= {name: answered[name] for name in ("request", "token", "signature")}
    found = call_module(kerberos_proof, **options)
    assert found["failed"]
    assert found["msg"].startswith(f"The machine that answers for desk1 is {other} in the realm, not {HOST}")


def test_attack_a_request_is_not_read_before_it_is_proven(options: dict[str, Any], call_module: Any) -> None:
    found = call_module(kerberos_proof, **{**options, "request": base64.b64encode(b"{").decode()})
    assert found["msg"].startswith("What desk1 says is not what it proved")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nonce": "o" * 43}, "The host desk1 answered another question than it was asked"),
        ({"request": "!"}, "The request of desk1 is not base64; nothing was signed."),
        ({"token": "ä"}, "The token of desk1 is not base64; nothing was signed."),
        ({"principal": "desk1"}, "The enrol_kerberos_principal 'desk1' is no principal"),
        ({"service": "bocage-enrol@x"}, "it has no key of bocage-enrol@x; write it again"),
        (
            {"keytab": "/nowhere"},
            "The keytab /nowhere of the enrolment service is missing; write one for bocage-enrol/",
        ),
        ({"known_hosts_file": "/tmp"}, "missing parameter(s) required by 'known_hosts_file': known_hosts_name"),
        ({"known_hosts_file": "/nowhere/known", "known_hosts_name": "desk1"}, "No such file or directory: '/nowhere"),
    ],
)
def test_failures_are_sentences(options: dict[str, Any], call_module: Any, change: dict[str, str], words: str) -> None:
    found = call_module(kerberos_proof, **{**options, **change})
    assert found["failed"] and words in found["msg"]


def test_files_that_cannot_be_used_are_named(options: dict[str, Any], call_module: Any, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_bytes(b"\xff")
    found = call_module(kerberos_proof, **options, known_hosts_file=str(known), known_hosts_name="desk1")
    assert found["msg"] == f"The file {known} is no text, so that no SSH host key can be pinned there; name another."
    Path(options["keytab"]).chmod(0o640)
    found = call_module(kerberos_proof, **options)
    assert found["msg"] == f"Others can read the keytab {options['keytab']}; set its mode to 0600."


def test_a_host_without_keys_or_with_a_wrong_question(realm: Realm, files: dict[str, str], call_module: Any) -> None:
    found = call_module(kerberos_request, **{**ASKED, "nonce": "x"}, **files)
    assert found["msg"] == "The nonce is none of kerberos_question; hand its result over as it is."
    Path(files["id_file"]).unlink()
    found = call_module(kerberos_request, **ASKED, **files)
    assert (
        found["msg"]
        == f"The host desk1 has no {files['id_file']}; make its keys first, with host_identity and mesh_key."
    )
    assert realm.stores == []


def keytab_of(principal: str) -> bytes:
    """A keytab as MIT writes it, with one key for AES-256 (format 0x502)."""

    def counted(data: bytes) -> bytes:
        return len(data).to_bytes(2, "big") + data

    names, realm = principal.split("@")
    parts = names.split("/")
    entry = len(parts).to_bytes(2, "big") + b"".join(counted(part.encode()) for part in (realm, *parts))
    entry += (1).to_bytes(4, "big") + bytes(4) + b"\x02" + (18).to_bytes(2, "big") + counted(bytes(range(32)))
    return b"\x05\x02" + len(entry).to_bytes(4, "big") + entry


REAL = "/usr/bin/python3"
MISSING = subprocess.run([REAL, "-c", "import gssapi"], capture_output=True, check=False).returncode != 0


@pytest.mark.skipif(MISSING, reason="python3-gssapi is not installed")
@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (SERVICE, "The proof of desk1 does not count: Kerberos says "),
        ("host/other@EXAMPLE.COM", f"it has no key of {SERVICE}; write it again for that."),
    ],
)
def test_the_real_library_is_asked_as_it_wants(owner: str, words: str, tmp_path: Path) -> None:
    keytab = tmp_path / "keytab"
    keytab.write_bytes(keytab_of(owner))
    script = f"""
from pathlib import Path
from bocage_core._state import kerberos
try:
    kerberos.accept(kerberos.library("here"), kerberos.Proof(b"no token", b""), b"", {SERVICE!r}, Path({str(keytab)!r}), "desk1")
except kerberos.BocageError as error:
    print(error)
"""
    source = Path(__file__).resolve().parents[4] / "build" / "src"
    environment = {**os.environ, "PYTHONPATH": str(source), "KRB5_CONFIG": "/dev/null"}
    done = subprocess.run(
        [REAL, "-c", script], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert words in done.stdout, done.stdout + done.stderr
