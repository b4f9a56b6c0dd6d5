# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names: split by the library, compared as a directory compares them, written as packages are called."""

from __future__ import annotations

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._packages import directory_names as names
from hypothesis import given
from hypothesis import strategies as st
from ldap3.utils.dn import escape_rdn


def units(text: str) -> tuple[list[str], list[str]]:
    return names.units(names.levels(text))


def test_the_units_of_a_computer_outermost_first() -> None:
    found = units("CN=desk1,OU=Desks,ou=Lyon,CN=Sites,dc=acme,DC=example")
    assert found == (["OU=Lyon,CN=Sites,DC=acme,DC=example", "OU=Desks,OU=Lyon,CN=Sites,DC=acme,DC=example"], [])
    assert units("CN=desk1,CN=Computers,DC=acme") == ([], [])
    assert units("OU=a unit and no computer,DC=acme") == ([], []), "an entry does not lie in itself"


@pytest.mark.parametrize(
    "same",
    [
        "cn=desk1, ou=Mobile Desks , dc=acme",
        "CN=DESK1,OU=mobile  desks,DC=ACME",
        "cn=desk\\31,ou=Mobile\\20Desks,dc=acme",
    ],
)
def test_one_name_in_several_ways_to_write_it(same: str) -> None:
    assert names.key(names.levels(same)) == names.key(names.levels("cn=desk1,ou=Mobile Desks,dc=acme"))


@pytest.mark.parametrize(
    "other", ["cn=desk1,ou=Mobile,dc=acme", "cn=desk1\\,ou\\=Mobile Desks,dc=acme", "ou=desk1,dc=acme"]
)
def test_other_names_are_others(other: str) -> None:
    assert names.key(names.levels(other)) != names.key(names.levels("cn=desk1,ou=Mobile Desks,dc=acme"))


def test_letters_that_servers_escape_are_letters() -> None:
    assert units(r"cn=a,ou=Comptabilit\C3\A9,dc=acme")[0] == ["OU=Comptabilité,DC=acme"]


def test_several_attributes_in_one_level() -> None:
    one, other = names.levels("cn=a+uid=1,dc=x"), names.levels("uid=1+cn=A,dc=X")
    assert one != other and names.key(one) == names.key(other)
    assert units("cn=a,ou=b+cn=c,dc=x") == ([], ["No package can be called 'OU=b,DC=x'"])


@pytest.mark.parametrize(
    "name", [r"a\,OU\=b", r"a\+b", r"a\=b", r"a\2COU\3Db", r"{{ x }}", r"a\0a", r"\<b\>", "a/b", "a" * 256]
)
def test_attack_a_unit_that_would_pass_for_another_has_no_name(name: str) -> None:
    """Whoever may make a unit inside of his own could else be in any; braces would be read by whoever templates."""
    found, refused = units(f"cn=desk1,OU={name},OU=c,DC=x")
    assert found == ["OU=c,DC=x"]
    assert len(refused) == 1 and refused[0].startswith("No package can be called")


@pytest.mark.parametrize(
    "text", ["", "desk1", "cn", "=desk1,dc=x", "cn=,dc=x", "cn=#04024869,dc=x", r"cn=\ff,dc=x", "cn=a+", "a" * 5000]
)
def test_what_is_no_name_is_said(text: str) -> None:
    with pytest.raises(BadInput, match="is no distinguished name"):
        names.levels(text)


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        found = names.levels(text)
    except BadInput:
        return
    for unit in names.units(found)[0]:
        assert names.is_name(unit)


@given(
    st.lists(
        st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12), min_size=1, max_size=4
    )
)
def test_what_is_escaped_is_one_level(values: list[str]) -> None:
    """However strange a value is: as many levels as were written, and no unit more than there are."""
    values = [one.strip() or "x" for one in values]
    text = ",".join(f"OU={escape_rdn(one)}" for one in ["host", *values])
    try:
        found = names.levels(text)
    except BadInput:
        # the library's check of values is stricter than its own escapes
        return
    assert len(found) == len(values) + 1
    assert sum(map(len, names.units(found))) == len(values)
