# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of the estate and what is written about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from bocage_core._common.estate_schema import (
    ESTATE_OPTIONS,
    HOST_OPTIONS,
    SHARED_OPTIONS,
    SITE_OPTIONS,
    TENANT_OPTIONS,
    known_options,
)

README = Path(__file__).resolve().parents[5] / "roles/validate_estate/README.md"
ALL_NAMES = [*ESTATE_OPTIONS, *HOST_OPTIONS, *SHARED_OPTIONS, *SITE_OPTIONS, *TENANT_OPTIONS]


@pytest.mark.parametrize("name", ALL_NAMES)
def test_every_variable_is_documented(name: str) -> None:
    assert f"`{name}`" in README.read_text()


def test_the_estate_says_what_its_variables_are_whatever_a_role_says() -> None:
    known = known_options({"mesh_mtu": {"type": "int"}, "host_index": {"type": "str"}})
    assert known["mesh_mtu"] == {"type": "int"}
    assert known["host_index"] == {"type": "int", "required": True}
