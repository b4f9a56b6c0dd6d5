# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import wapt_vectors
from bocage_core._common.errors import BadInput
from bocage_core._packages.matching import Machine, matches
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st

TABLE = wapt_vectors.table("matching.json")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def of_filter(given: dict[str, Any]) -> Machine:
    named = {key: given.get(key, ()) for key in ("architectures", "locales", "maturities", "target_os")}
    lists = {key: (value,) if isinstance(value, str) else tuple(value) for key, value in named.items()}
    # A filter of WAPT has a range; a machine has one version, which is both ends of it.
    assert given.get("min_os_version") == given.get("max_os_version")
    return Machine(**lists, os_version=given.get("min_os_version", ""))


def of_host(given: dict[str, Any]) -> Machine:
    return Machine(
        architectures=(given["architecture"],),
        locales=tuple(given["packages_locales"]),
        maturities=tuple(given["packages_maturities"]),
        target_os=(given["os"].lower(),),
        os_version=given["os_version"],
        wapt_version=given["wapt_version"],
    )


def test_filters_take_what_those_of_wapt_take() -> None:
    assert not [row for row in TABLE["filters"] if (matches(row[1], of_filter(row[0])) == "") is not row[2]]


def test_machines_take_what_those_of_wapt_take() -> None:
    assert not [
        row for row in TABLE["host_capabilities"] if (matches(row[1], of_host(row[0]), NOW) == "") is not row[2]
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"architecture": "x86,arm"}, "its architecture is x86,arm and the machine takes x64"),
        ({"locale": "de"}, "its locale is de and the machine takes fr,en"),
        ({"maturity": "DEV"}, "its maturity is DEV and the machine takes PROD"),
        ({"target_os": "windows"}, "its operating system is windows and the machine takes linux,debian"),
        ({"min_os_version": "12.6"}, "its min_os_version is 12.6 and the machine has 12.5"),
        ({"max_os_version": "12.4.9"}, "its max_os_version is 12.4.9 and the machine has 12.5"),
        ({"min_os_version": "trixie"}, "its min_os_version trixie is no version"),
        ({"max_os_version": "1." * 20 + "1"}, "is no version"),
        ({"min_wapt_version": "2.0"}, "its min_wapt_version is 2.0 and the machine has 1.8.2"),
        ({"valid_from": "2026-11-22"}, "it is valid from 2026-11-22 only"),
        ({"valid_until": "2026-11-21T00:00:00"}, "it was valid until 2026-11-21T00:00:00 only"),
        ({"valid_from": "soon"}, "its valid_from soon is no date"),
        ({"locale": "fr" * 600}, "its locale is"),
    ],
)
def test_why_a_package_is_not_for_a_machine(fields: dict[str, str | int], reason: str) -> None:
    machine = Machine(("x64",), ("fr", "en"), ("PROD",), ("linux", "debian"), "12.5", "1.8.2")
    assert reason in matches(fields, machine, NOW)
    assert matches(fields, Machine()) == ""


def test_what_a_package_names_with_others_or_in_other_words() -> None:
    machine = Machine(("x64",), ("fr",), ("PROD",), ("linux",), "12.5", "1.8.2")
    fields = {
        "architecture": "arm, x64",
        "locale": "all,de",
        "maturity": "",
        "target_os": ",",
        "min_os_version": "12.5.0",
    }
    bounds = {"max_os_version": "12.5", "valid_from": "20261120", "valid_until": "2026-11-21T02:00:00+01:00"}
    assert matches({**fields, **bounds}, machine, NOW) == ""
    assert matches({"valid_until": "2020-01-01"}, machine) == ""


def test_the_version_of_a_machine_is_a_version() -> None:
    with pytest.raises(BadInput, match="The version 'sid' of the machine's operating system is not numbers with dots"):
        Machine(os_version="sid")
    with pytest.raises(BadInput, match="of the machine's agent is not"):
        Machine(wapt_version="1.8-2")


words = st.text(max_size=6) | st.sampled_from(["all", "x64", "fr,en", "PROD", "10.0", "2026-01-01", "٣"])


@few
@given(
    st.dictionaries(
        st.sampled_from(["architecture", "locale", "maturity", "target_os", "min_os_version", "valid_from"]), words
    )
)
def test_fuzz_any_field_has_an_answer(fields: dict[str, str | int]) -> None:
    reason = matches(fields, Machine(("x64",), ("fr",), ("PROD",), ("linux",), "10", "1"), NOW)
    assert not reason or reason.startswith(("its ", "it "))
    assert "\n" not in reason
