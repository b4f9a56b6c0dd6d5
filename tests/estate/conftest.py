# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for all tests of the whole estate, made new and taken down after."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import driver


@pytest.fixture(scope="session", autouse=True)
def the_lab() -> Iterator[None]:
    """A new lab with new trust; KEEP_LAB=1 uses and leaves what stands, LEAVE_LAB=1 leaves it to drills that follow."""
    keep = os.environ.get("KEEP_LAB") == "1"
    leave = keep or os.environ.get("LEAVE_LAB") == "1"
    shutil.rmtree(driver.ROOT / "build" / "test-artifacts", ignore_errors=True)
    if not keep:
        driver.lab("down")
    driver.lab("up")
    yield
    if not leave:
        driver.lab("down")
