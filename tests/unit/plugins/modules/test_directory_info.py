# SPDX-License-Identifier: GPL-3.0-or-later
"""The module directory_info as Ansible calls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._packages import directory_reading
from ansible_collections.bocage.fleet.plugins.modules import directory_info
from directory_server import Directory

BEFORE = {"desk1": {"units": ["OU=Old,DC=x"], "profiles": []}}


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Directory:
    return Directory(tmp_path, monkeypatch, directory_reading.ldap)


@pytest.fixture
def options(known: Directory) -> dict[str, Any]:
    return {
        "url": "ldaps://directory.example",
        "ca_file": str(known.ca_file),
        "bind_dn": "cn=reader,dc=x",
        "password_file": str(known.password_file),
        "computers_base": "dc=x",
        "groups_base": "dc=x",
        "hosts": {"desk1": "PC-0815", "gw1": "gw1"},
        "before": BEFORE,
    }


def test_where_the_hosts_are(known: Directory, options: dict[str, Any], call_module: Any) -> None:
    known.add("cn=pc-0815,ou=Desks,ou=Lyon,dc=x", objectClass=["device"], cn="pc-0815")
    known.add(
        "cn=Editors,dc=x", objectClass=["groupOfNames"], cn="Editors", member=["cn=PC-0815,ou=Desks,ou=Lyon,dc=x"]
    )
    known.add("cn=stranger,dc=x", objectClass=["device"], cn="stranger")
    for check in (True, False, True, False):
        found = call_module(directory_info, check=check, **options)
        assert not found["changed"]
        assert found["hosts"] == {
            "desk1": {"units": ["OU=Lyon,DC=x", "OU=Desks,OU=Lyon,DC=x"], "profiles": ["Editors"]}
        }
        assert found["problems"] == ["Of the directory's computers are no hosts of the estate: stranger."]
        assert "secret" not in str(found["hosts"]) + str(found["problems"])


def test_what_is_unclear_leaves_a_host_as_it_was(known: Directory, options: dict[str, Any], call_module: Any) -> None:
    for unit in ("a", "b"):
        known.add(f"cn=pc-0815,ou={unit},dc=x", objectClass=["device"], cn="pc-0815")
    found = call_module(directory_info, **options)
    assert found["hosts"] == BEFORE
    assert found["problems"] == [
        "desk1 keeps what it had: the directory has it 2 times, as cn=pc-0815,ou=a,dc=x and cn=pc-0815,ou=b,dc=x."
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "The directory shows no computer there; check the base and the rights of who asks."),
        ({"timeout_seconds": 0}, "timeout_seconds must be at least 1."),
        ({"url": "x"}, "The address 'x' is none of a directory; write ldap://NAME or ldaps://NAME."),
        ({"before": {"desk1": []}}, "What was read from the directory before is not an object."),
        ({"bind_dn": None}, "missing parameter(s) required by 'password_file': bind_dn"),
    ],
)
def test_failures_are_sentences(options: dict[str, Any], call_module: Any, change: dict[str, Any], words: str) -> None:
    found = call_module(directory_info, **{**options, **change})
    assert found["failed"] and found["msg"] == words


def test_without_the_library(options: dict[str, Any], call_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_info, "MISSING_LIBRARY", "ldap3")
    found = call_module(directory_info, **options)
    assert found["failed"] and "ldap3" in found["msg"]
