# SPDX-License-Identifier: GPL-3.0-or-later
"""A seal holds though a package put another version of the agent beside the role's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bocage_core._common import program_list, programs
from sealed_host import SealedHost, file

ROOT = "/opt/bocage/agent"
LINK: dict[str, Any] = {**file(f"{ROOT}/current"), "state": "link"}


def tree(version: str) -> dict[str, Any]:
    return {"kind": "tree", "name": f"{ROOT}/{version}"}


def listed(version: str) -> dict[str, Any]:
    return file(f"{programs.LISTS}/agent/{version}.json")


@pytest.fixture
def one(sealed: SealedHost) -> SealedHost:
    for version in ("1-role", "2-package"):
        sealed.put(f"{ROOT}/{version}/lib/main.py", version)
        for path in (sealed.path("/opt/bocage"), *sealed.path("/opt/bocage").rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        lists(sealed).mkdir(parents=True, exist_ok=True)
        program_list.write(lists(sealed) / f"{version}.json", sealed.path(f"{ROOT}/{version}"))
    sealed.path(f"{ROOT}/current").symlink_to("1-role")
    sealed.seal(LINK, tree("1-role"), listed("1-role"), role="agent")
    assert status(sealed) == "intact"
    return sealed


def status(sealed: SealedHost) -> str:
    return str(sealed.check("agent")["seals"]["agent"]["status"])


def lead(sealed: SealedHost, version: str) -> None:
    link = sealed.path(f"{ROOT}/current")
    link.unlink()
    link.symlink_to(version)


def lists(sealed: SealedHost) -> Path:
    return sealed.path(f"{programs.LISTS}/agent")


def test_another_version_that_no_package_brought_breaks_the_seal(one: SealedHost) -> None:
    lead(one, "2-package")
    assert status(one) == "broken"


def test_an_altered_list_breaks_the_seal(one: SealedHost) -> None:
    (lists(one) / "1-role.json").write_text("{}")
    assert status(one) == "broken"


def test_a_version_that_a_package_brought_does_not(one: SealedHost) -> None:
    programs.set_managed(lists(one), "2-package")
    lead(one, "2-package")
    assert status(one) == "intact"
    # the role's own goes when a third version comes
    one.path(f"{ROOT}/1-role/lib/main.py").unlink()
    (lists(one) / "1-role.json").unlink()
    assert status(one) == "intact"


def test_the_word_counts_for_the_version_alone_that_runs(one: SealedHost) -> None:
    programs.set_managed(lists(one), "3-other")
    lead(one, "2-package")
    assert status(one) == "broken"


def test_what_the_role_sealed_of_a_package_is_looked_at(one: SealedHost) -> None:
    programs.set_managed(lists(one), "2-package")
    lead(one, "2-package")
    one.seal(LINK, tree("2-package"), role="agent")
    assert status(one) == "intact"
    one.put(f"{ROOT}/2-package/lib/main.py", "evil")
    assert status(one) == "broken"


def test_what_a_package_brought_and_somebody_altered_breaks_the_seal(one: SealedHost) -> None:
    """So that the role puts its own there again."""
    programs.set_managed(lists(one), "2-package")
    lead(one, "2-package")
    one.put(f"{ROOT}/2-package/lib/main.py", "evil")
    assert status(one) == "broken"
