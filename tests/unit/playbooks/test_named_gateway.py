# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/plays/named_gateway.yml: what drain and undrain say where no gateway is meant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spoken import refusal

GROUPS = {"gateways": ["gw1", "gw2"], "hypervisors": ["desk1"]}
NAMED, GATEWAY = "Check that a gateway is named", "Check that it is a gateway"


def said(name: str, **variables: Any) -> str | None:
    return refusal("playbooks/plays/named_gateway.yml", name, **{"groups": GROUPS, **variables})


@pytest.mark.parametrize("given", [{}, {"gateway": ""}])
def test_no_name(given: dict[str, str]) -> None:
    assert said(NAMED, **given) == "No gateway is named; say which one: -e gateway=<name>, one of: gw1, gw2."


@pytest.mark.parametrize("name", ["desk1", "gw", "gw3", "all"])
def test_a_name_of_something_else(name: str) -> None:
    assert said(NAMED, gateway=name) is None
    assert said(GATEWAY, gateway=name) == f"Host {name} is not in group gateways; name one of these: gw1, gw2."


def test_an_estate_without_gateways_is_told_as_well() -> None:
    assert (
        said(GATEWAY, gateway="gw1", groups={})
        == "Host gw1 is not in group gateways; name one of these: the inventory has none."
    )


def test_a_gateway() -> None:
    assert said(NAMED, gateway="gw2") is None and said(GATEWAY, gateway="gw2") is None
