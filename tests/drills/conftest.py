# SPDX-License-Identifier: GPL-3.0-or-later
"""One demo estate for all drills: that of the tests before them, or made new, converged and taken down after."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "estate")]

import driver  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def the_estate() -> Iterator[None]:
    """KEEP_LAB=1 uses and leaves what stands, as it stands."""
    keep = os.environ.get("KEEP_LAB") == "1" or driver.brought_up
    if not keep:
        driver.lab("down")
        driver.lab("up")
        for name, extra in (("trust", {}), ("enrol", {"enrol_key_holder": "lab"}), ("site", {})):
            run = driver.playbook(f"playbooks/{name}.yml", extra=extra)
            assert run.ok, run.failures
    yield
    if not keep:
        driver.lab("down")
