# SPDX-License-Identifier: GPL-3.0-or-later
"""One demo estate for all drills: that of the tests before them, or one made new and converged; taken down after."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "estate")]

import driver  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="more takeovers, and drills that mostly wait")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: mostly waits; only with --long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    left = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session", autouse=True)
def the_estate() -> Iterator[None]:
    """KEEP_LAB=1 uses and leaves what stands, as it stands; USE_LAB=1 uses it and takes it down."""
    keep = os.environ.get("KEEP_LAB") == "1"
    if not keep and os.environ.get("USE_LAB") != "1":
        driver.lab("down")
        driver.lab("up")
        for name, extra in (("trust", {}), ("enrol", {"enrol_key_holder": "lab"}), ("site", {})):
            run = driver.playbook(f"playbooks/{name}.yml", extra=extra)
            assert run.ok, run.failures
    yield
    if not keep:
        driver.lab("down")
