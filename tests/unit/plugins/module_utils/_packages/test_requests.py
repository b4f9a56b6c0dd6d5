# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import wapt_vectors
from bocage_core._common.errors import BadInput
from bocage_core._packages.requests import Request, parse_request, parse_requests
from bocage_core._packages.versions import Version
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st

ROWS = wapt_vectors.table("matching.json")["requests"]
operators = st.sampled_from(["=", "==", ">=", "<=", ">", "<"])
versions = st.from_regex(r"[0-9]{1,2}(\.[0-9]){0,3}(-[0-9])?", fullmatch=True)


def matched(text: str, package: str, version: str) -> bool:
    try:
        return parse_request(text).matches(package, Version.parse(version))
    except BadInput:
        return False


def test_every_request_allows_what_it_allows_for_wapt() -> None:
    wrong = [row for row in ROWS if matched(*row[:3]) is not (row[3] is True)]
    assert len(ROWS) > 100 and not wrong


def test_differs_from_wapt_which_matches_in_a_second_way() -> None:
    """For upgrades WAPT lets =1.0 match 1.0.1-1, and for dependencies not: here one answer serves both."""
    disagreeing = [row for row in ROWS if row[3] in (True, False) and row[3] is not row[4]]
    assert ["tis-a(=1.0)", "tis-a", "1.0.1-1", False, True] in disagreeing
    assert not [row for row in disagreeing if matched(*row[:3]) is not row[3]]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "tis-a (=1.0-1)",
            "tis-a (1.0)",
            "tis-a(1.0)",
            "tis-a(=>1.0)",
            "tis-a(>=)",
            "tis-a(=1.0-1",
            "tis-a(=1.0))",
            "a b",
        ),
        *("", "()", "a(=1)b", "a>=1", "a(=1)(=2)", "a(>=1,<2)", "a\x00", "a" * 256, "(" * 600),
    ],
)
def test_what_is_no_request_is_told_in_a_sentence(text: str) -> None:
    """WAPT takes the first for names with a space in them, which nothing has: a dependency that is never fulfilled."""
    with pytest.raises(BadInput, match=r"The request '.*' cannot be used; write a package's name"):
        parse_request(text)


def test_the_version_of_a_request_is_a_version() -> None:
    with pytest.raises(BadInput, match=r"The version '1\.0\.0\.0\.0' cannot be used"):
        parse_request("tis-a(=1.0.0.0.0)")


def test_a_list_is_all_of_its_requests() -> None:
    found = parse_requests(" b , c(>= 1.0 ),,c(<2),")
    assert [str(one) for one in found] == ["b", "c(>=1.0)", "c(<2)"]
    assert parse_requests("") == parse_requests(" ,") == ()
    both = Request("c", found[1].constraints + found[2].constraints)
    assert [both.allows(Version.parse(one)) for one in ("0.9", "1.0-5", "1.9.9", "2-1")] == [False, True, True, False]
    assert parse_requests(str(both)) == found[1:]


def test_a_long_list_is_not_read() -> None:
    with pytest.raises(BadInput, match="A list of requests has 65537 characters"):
        parse_requests("," * 65537)


@few
@given(operators, versions, versions)
def test_a_request_agrees_with_the_order_of_versions(operator: str, bound: str, found: str) -> None:
    one, other = Version.parse(found), Version.parse(bound)
    if other.packaging is None:
        one = Version.parse(found.partition("-")[0])
    expected = {"=": one == other, "==": one == other, ">=": one >= other, "<=": one <= other}
    expected |= {">": one > other, "<": one < other}
    request = parse_request(f"a({operator}{bound})")
    assert request.allows(Version.parse(found)) is expected[operator]
    assert parse_request(str(request)) == request


@few
@given(st.text(max_size=80) | st.text("ab(), <>=1.-", max_size=30))
def test_fuzz_text_is_a_list_of_requests_or_refused(text: str) -> None:
    try:
        found = parse_requests(text)
    except BadInput as error:
        assert str(error).endswith(".")
    else:
        assert parse_requests(",".join(str(one) for one in found)) == found
