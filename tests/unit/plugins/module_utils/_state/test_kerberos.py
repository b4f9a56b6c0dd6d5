# SPDX-License-Identifier: GPL-3.0-or-later
"""Proofs by an account of a realm, and each way in which they fail."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError, Untrusted
from bocage_core._state import kerberos
from bocage_core._state.kerberos import Proof
from fake_gssapi import Realm

HOST, SERVICE = "host/desk1@EXAMPLE.COM", "bocage-enrol/demo.internal@EXAMPLE.COM"
DATA = b"a request"


@pytest.fixture
def realm(tmp_path: Path) -> Realm:
    (tmp_path / "host").write_text(HOST)
    (tmp_path / "service").write_text(f"{SERVICE}\nhost/controller@EXAMPLE.COM")
    return Realm(HOST, SERVICE, "ldap/dc1@EXAMPLE.COM")


def prove(realm: Realm, folder: Path, **change: str) -> Proof:
    options: dict[str, Any] = {"principal": HOST, "service": SERVICE, **change}
    return kerberos.prove(realm, DATA, keytab=folder / "host", host="desk1", **options)


def accept(realm: Realm, proof: Proof, folder: Path, data: bytes = DATA, service: str = SERVICE) -> str:
    return kerberos.accept(realm, proof, data, service, folder / "service", "desk1")


def test_a_proof_names_the_account(realm: Realm, tmp_path: Path) -> None:
    assert accept(realm, prove(realm, tmp_path), tmp_path) == HOST
    kerberos.check_initiator(HOST, HOST, "desk1")
    # no ticket stays behind on the host, and only the one keytab is used
    assert realm.stores[0]["ccache"].startswith("MEMORY:")
    assert realm.stores[1] == {"keytab": f"FILE:{tmp_path / 'service'}"}


@pytest.mark.parametrize(
    "other",
    ["host/DESK1@EXAMPLE.COM", "host/desk1@EXAMPLE.ORG", "host/desk1.x@EXAMPLE.COM", "desk1$@EXAMPLE.COM", ""],
)
def test_attack_another_account_of_the_realm(other: str) -> None:
    with pytest.raises(Untrusted, match=r"in the realm, not host/desk1@EXAMPLE.COM; nothing was signed") as refused:
        kerberos.check_initiator(other, HOST, "desk1")
    assert f"answers for desk1 is {other} in" in str(refused.value)


def test_attack_a_request_that_was_changed_on_the_way(realm: Realm, tmp_path: Path) -> None:
    proof = prove(realm, tmp_path)
    with pytest.raises(Untrusted, match="What desk1 says is not what it proved: somebody changed it on the way"):
        accept(realm, proof, tmp_path, data=DATA + b" ")


def test_attack_a_proof_that_counted_before(realm: Realm, tmp_path: Path) -> None:
    proof = prove(realm, tmp_path)
    accept(realm, proof, tmp_path)
    with pytest.raises(Untrusted, match=r"this very proof was used before; run the play again. Nothing was signed"):
        accept(realm, proof, tmp_path)


def test_attack_a_ticket_for_another_service_of_the_realm(realm: Realm, tmp_path: Path) -> None:
    proof = prove(realm, tmp_path, service="ldap/dc1@EXAMPLE.COM")
    with pytest.raises(Untrusted, match=f"its ticket is for another service than {SERVICE}"):
        accept(realm, proof, tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mech": "ntlm"}, "The proof of desk1 is none of Kerberos in one message"),
        ({"complete": False}, "The proof of desk1 is none of Kerberos in one message"),
        ({"flags": 2}, "The proof of desk1 does not protect what it says"),
    ],
)
def test_attack_a_proof_of_a_weaker_kind(realm: Realm, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    proof = prove(realm, tmp_path)
    for name, value in change.items():
        setattr(realm, name, value)
    with pytest.raises(Untrusted, match=words):
        accept(realm, proof, tmp_path)


@pytest.mark.parametrize("proof", [Proof(b"x" * 65537, b""), Proof(b"", b"x" * 4097)])
def test_a_proof_that_is_too_large_is_not_looked_at(realm: Realm, tmp_path: Path, proof: Proof) -> None:
    with pytest.raises(Untrusted, match="larger than any that Kerberos makes"):
        accept(realm, proof, tmp_path)


def test_bytes_that_are_no_token(realm: Realm, tmp_path: Path) -> None:
    with pytest.raises(Untrusted, match=r"does not count: Kerberos says 'Major .589824.: Invalid token was supplied"):
        accept(realm, Proof(b"x", b""), tmp_path)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Clock skew too great", "the clocks of host and realm differ by more than five minutes"),
        ("Cannot contact any KDC for realm 'EXAMPLE.COM'", "the realm does not answer"),
        ('Cannot find KDC for realm "EXAMPLE.COM"', "name it in /etc/krb5.conf there"),
        (f"Client '{HOST}' not found in Kerberos database", f"the realm does not know {HOST}; join the host to it"),
        ("Preauthentication failed", "is not the one of the realm; make the host's keytab again"),
        ("Something\nelse", "Kerberos says 'Major (851968): Unspecified GSS failure, Minor (1): Something else'."),
    ],
)
def test_no_ticket_is_a_sentence(realm: Realm, tmp_path: Path, said: str, words: str) -> None:
    realm.fails = said
    with pytest.raises(BadInput) as failed:
        prove(realm, tmp_path)
    assert str(failed.value).startswith("The host desk1 got no ticket: ") and words in str(failed.value)


def test_what_is_missing_on_the_host_is_a_sentence(realm: Realm, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the realm does not know the service bocage-enrol/x@R; make it"):
        prove(realm, tmp_path, service="bocage-enrol/x@R")
    with pytest.raises(BadInput, match=r"has no key of DESK1\$@EXAMPLE.COM; write a keytab for it, or correct"):
        prove(realm, tmp_path, principal="DESK1$@EXAMPLE.COM")
    with pytest.raises(BadInput, match="The enrol_kerberos_principal 'desk1' is no principal; write it in full"):
        prove(realm, tmp_path, principal="desk1")
    realm.complete = False
    with pytest.raises(BocageError, match="could not prove itself in one message"):
        prove(realm, tmp_path)
    (tmp_path / "host").unlink()
    with pytest.raises(BadInput, match=r"The host desk1 has no keytab .*; join it to the realm first."):
        prove(realm, tmp_path)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Clock skew too great", "the clocks of host and controller differ by more than five minutes"),
        ("Ticket expired", "its ticket has ended"),
        ("Ticket not yet valid", "its ticket does not count yet"),
        (f"Request ticket server {SERVICE} kvno 3 not found in keytab", "an older or later key than the realm"),
        (f"Cannot decrypt ticket for {SERVICE} using keytab key for {SERVICE}", "has another key than the realm"),
        (f"Cannot decrypt ticket for host/a@R using keytab key for {SERVICE}", "its ticket is for another service"),
    ],
)
def test_a_proof_that_does_not_count_is_a_sentence(realm: Realm, tmp_path: Path, said: str, words: str) -> None:
    proof = prove(realm, tmp_path)
    realm.fails = said
    with pytest.raises(Untrusted, match=rf"The proof of desk1 does not count: .*{words}"):
        accept(realm, proof, tmp_path)


def test_a_keytab_without_the_service_is_a_sentence(realm: Realm, tmp_path: Path) -> None:
    proof = prove(realm, tmp_path)
    with pytest.raises(BadInput, match=r"cannot be used: it has no key of bocage-enrol/x@R; write it again for that"):
        accept(realm, proof, tmp_path, service="bocage-enrol/x@R")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(
        BadInput, match="The Python library gssapi is missing on desk1; install Debian's package python3-gs"
    ):
        kerberos.library("desk1")
