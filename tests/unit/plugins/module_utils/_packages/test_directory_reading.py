# SPDX-License-Identifier: GPL-3.0-or-later
"""Few searches in pages, TLS before any word, and half of an answer is none. tests/estate asks a real slapd."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._packages import directory_reading
from bocage_core._packages.directory import Entry
from bocage_core._packages.directory_reading import Source, read
from directory_server import Directory, certificate, listening, refusing_tls, silent, speaking_tls


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Directory:
    return Directory(tmp_path, monkeypatch, directory_reading.ldap)


@pytest.fixture
def source(known: Directory) -> Source:
    return Source(
        "ldaps://directory.example", known.ca_file, "dc=x", "ou=groups,dc=x", "cn=reader,dc=x", known.password_file
    )


def real(folder: Path, url: str) -> Source:
    """Of a directory that is asked over a socket."""
    certificate(folder, "right", "127.0.0.1")
    (folder / "password").write_text("secret-of-reader")
    (folder / "password").chmod(0o600)
    return Source(url, folder / "right.pem", "dc=x", "", "cn=reader,dc=x", folder / "password", timeout_seconds=1)


def test_computers_and_groups_in_two_searches(known: Directory, source: Source) -> None:
    known.add("cn=desk1,ou=Lyon,dc=x", objectClass=["device"], cn="desk1")
    known.add("cn=pc2,ou=Lyon,dc=x", objectClass=["computer"], cn="pc2", memberOf=["cn=a,ou=groups,dc=x"])
    known.add("cn=anna,ou=Lyon,dc=x", objectClass=["person"], cn="anna")
    known.add("cn=a,ou=groups,dc=x", objectClass=["groupOfNames"], cn="a", member=["cn=desk1,ou=Lyon,dc=x"])
    known.add("cn=b,ou=groups,dc=x", objectClass=["groupOfUniqueNames"], cn="b", uniqueMember=["cn=a,ou=groups,dc=x"])
    known.add("cn=c,ou=elsewhere,dc=x", objectClass=["group"], cn="c")
    found = read(source)
    assert sorted(found.computers, key=str) == [
        Entry("cn=desk1,ou=Lyon,dc=x", ("desk1",)),
        Entry("cn=pc2,ou=Lyon,dc=x", ("pc2",), member_of=("cn=a,ou=groups,dc=x",)),
    ]
    assert sorted(found.groups, key=str) == [
        Entry("cn=a,ou=groups,dc=x", ("a",), members=("cn=desk1,ou=Lyon,dc=x",)),
        Entry("cn=b,ou=groups,dc=x", ("b",), members=("cn=a,ou=groups,dc=x",)),
    ]
    assert known.searches == 2
    assert read(replace(source, groups_base="")).groups == []


def test_a_large_estate_in_pages(known: Directory, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1200):
        known.add(f"cn=pc{number},dc=x", objectClass=["device"], cn=f"pc{number}")
    found = read(replace(source, groups_base=""))
    assert {one.names[0] for one in found.computers} == {f"pc{number}" for number in range(1200)}
    assert known.searches == 3
    monkeypatch.setattr(directory_reading, "MAX_ENTRIES", 1000)
    with pytest.raises(BocageError, match="more than 1000 entries; name smaller bases or filters"):
        read(source)


def test_attack_a_referral_gets_no_password_and_any_certificate_no_belief(known: Directory, source: Source) -> None:
    known.add("cn=desk1,dc=x", objectClass=["device"], cn="desk1")
    read(replace(source, groups_base=""))
    assert known.options["auto_referrals"] is False
    tls = known.options["server"].tls
    assert (tls.validate, tls.ca_certs_file) == (ssl.CERT_REQUIRED, str(known.ca_file))


@pytest.mark.parametrize("code", [3, 4, 10, 11, 32, 50])
def test_half_of_an_answer_is_none(
    known: Directory, source: Source, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the library lets a result pass: limits of size and time, a referral."""
    known.add("cn=desk1,dc=x", objectClass=["device"], cn="desk1")

    def cut(connection: Any) -> None:
        connection.result = {**connection.result, "result": code, "description": "notAll"}

    altered(known, monkeypatch, cut)
    with pytest.raises(BocageError, match="does not tell all below dc=x: notAll; hosts keep what they had"):
        read(source)


def altered(known: Directory, monkeypatch: pytest.MonkeyPatch, alter: Callable[[Any], None]) -> None:
    """The directory, with something done to the connection after each search."""
    made = known._connection

    def connect(*arguments: Any, **options: Any) -> Any:
        connection = made(*arguments, **options)
        search = connection.search

        def then(*given: Any, **more: Any) -> Any:
            # each is the first page: a cookie that was made up would be refused
            search(*given, **{**more, "paged_cookie": None})
            alter(connection)

        connection.search = then
        return connection

    monkeypatch.setattr(directory_reading.ldap, "Connection", connect)


def test_attack_pages_without_an_end_are_not_read_for_ever(
    known: Directory, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.add("cn=desk1,dc=x", objectClass=["device"], cn="desk1")
    page = {"1.2.840.113556.1.4.319": {"value": {"cookie": b"more"}}}

    def more(connection: Any) -> None:
        connection.result = {**connection.result, "controls": page}
        connection.response = []

    altered(known, monkeypatch, more)
    with pytest.raises(BocageError, match="it takes longer than 1 seconds; hosts keep what they had"):
        read(replace(source, groups_base="", total_seconds=1))


def test_attack_an_answer_that_trickles_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """Each byte comes in time, so that the time for one read never ends."""
    folder = tmp_path

    def trickling(caller: socket.socket, heard: list[bytes]) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "right.pem", folder / "right.key")
        with context.wrap_socket(caller, server_side=True) as secret:
            secret.recv(4096)
            secret.sendall(b"\x30\x84\x00\x01\x00\x00")
            for _number in range(200):
                secret.sendall(b"\x02")
                time.sleep(0.05)

    source = real(tmp_path, "")
    before = signal.getsignal(signal.SIGALRM)
    with listening(trickling) as (port, _heard):
        begun = time.monotonic()
        with pytest.raises(BocageError, match="it takes longer than 2 seconds; hosts keep what they had"):
            read(replace(source, url=f"ldaps://127.0.0.1:{port}", total_seconds=2))
        assert time.monotonic() - begun < 8
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_other_directories_are_named_and_not_asked(
    known: Directory, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.add("cn=desk1,dc=x", objectClass=["device"], cn="desk1")
    places = ["CN=Configuration,DC=x", "DC=DomainDnsZones,DC=x", "DC=ForestDnsZones,DC=x"]

    def refer(connection: Any) -> None:
        connection.response += [{"type": "searchResRef", "uri": [f"ldaps://x/{place}"]} for place in places]

    altered(known, monkeypatch, refer)
    source = replace(source, groups_base="")
    assert read(source).problems == ()
    places += ["DC=paris,DC=x", "OU=Old%20ones,DC=x??sub"]
    (problem,) = read(source).problems
    assert problem.endswith("refers to others for DC=paris,DC=x, OU=Old ones,DC=x; what is there was not read.")


def test_who_asks_is_known_or_nobody(known: Directory, source: Source) -> None:
    known.password_file.write_text("wrong")
    with pytest.raises(
        BocageError, match=r"ldaps://directory.example does not answer as it should: invalidCredentials"
    ):
        read(source)
    known.password_file.write_text("\n")
    with pytest.raises(BadInput, match=r"The password .* is empty"):
        read(source)
    known.password_file.chmod(0o640)
    with pytest.raises(BadInput, match=r"Others can read the password .*; set its mode to 0600"):
        read(source)
    known.password_file.unlink()
    with pytest.raises(BadInput, match=r"The password .* cannot be read: No such file"):
        read(source)
    with pytest.raises(BadInput, match="cn=reader,dc=x has no password; name its file, or no bind_dn"):
        read(replace(source, password_file=None))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "http://x"}, "is none of a directory; write ldap://NAME or ldaps://NAME"),
        ({"url": "ldap://x:0"}, "is none of a directory"),
        ({"url": "ldap://x/dc=y?sub"}, "is none of a directory"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "cannot be believed: the authority /nowhere/ca.pem is missing"),
        ({"computer_attribute": "cn)(x"}, "is no attribute of a directory"),
        ({"computers_filter": "((("}, "is asked with a filter that cannot be used: "),
    ],
)
def test_mistakes_are_named(source: Source, change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput) as told:
        read(replace(source, **change))
    assert words in str(told.value)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(
        BocageError,
        match=rf"^The directory ldap://127.0.0.1:{port} does not answer as it should: .*refused; hosts keep",
    ):
        read(real(tmp_path, f"ldap://127.0.0.1:{port}"))


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_a_directory_that_says_nothing(tmp_path: Path, scheme: str) -> None:
    with listening(silent) as (port, _heard), pytest.raises(BocageError, match="hosts keep what they had"):
        read(real(tmp_path, f"{scheme}://127.0.0.1:{port}"))


def test_attack_whoever_leaves_tls_out_hears_no_password(tmp_path: Path) -> None:
    with listening(refusing_tls) as (port, heard), pytest.raises(BocageError, match="hosts keep what they had"):
        read(real(tmp_path, f"ldap://127.0.0.1:{port}"))
    assert b"1.3.6.1.4.1.1466.20037" in heard[0]
    assert b"reader" not in b"".join(heard)


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        ("right", "127.0.0.2", "its certificate is for another name"),
        ("other", "127.0.0.1", "certificate verify failed"),
    ],
)
def test_attack_a_directory_with_the_certificate_of_another(
    tmp_path: Path, name: str, address: str, words: str
) -> None:
    asked = real(tmp_path, "")
    certificate(tmp_path, name, address)
    with listening(speaking_tls(tmp_path, name)) as (port, heard), pytest.raises(BocageError) as told:
        read(replace(asked, url=f"ldaps://127.0.0.1:{port}"))
    assert words in str(told.value)
    assert b"reader" not in b"".join(heard)
