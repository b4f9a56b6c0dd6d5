# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make role NAME=` makes is a role like the others: one source of its defaults, and every task known to seals."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import tree
import yaml
from bocage_core._seals import recorder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(tree.ROOT / "docs" / "role-template", tmp_path / "docs" / "role-template")
    shutil.copy(tree.ROOT / "docs" / "new-role.sh", tmp_path / "docs")
    (tmp_path / "roles").mkdir()
    return tmp_path


def new_role(root: Path, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([root / "docs" / "new-role.sh", name], capture_output=True, text=True, check=False)


def test_the_role_is_whole(copy: Path) -> None:
    done = new_role(copy, "clock")
    assert done.returncode == 0, done.stderr
    assert "bocage_converge_clock" in done.stdout
    role = copy / "roles" / "clock"
    files = {str(path.relative_to(role)) for path in role.rglob("*") if path.is_file()}
    assert {"tasks/main.yml", "meta/seal.yml", "templates/etc/systemd/system/bocage-clock.service.j2"} <= files
    assert not any("NAME" in path.read_text() or "NAME" in path.name for path in role.rglob("*") if path.is_file())
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    assert {name: option["default"] for name, option in options.items()} == defaults
    tasks = (role / "tasks/main.yml").read_text()
    used = set(re.findall(r"^\s+((?:ansible\.builtin|bocage\.fleet)\.\w+):", tasks, re.MULTILINE))
    assert used and used <= recorder._NOTHING | recorder._RECORDERS.keys()
    assert list((copy / "roles").iterdir()) == [role]


@pytest.mark.parametrize("name", ["", "Clock", "../clock", "clock work", "1clock", "x" * 40])
def test_an_unusable_name_is_refused_in_one_sentence(copy: Path, name: str) -> None:
    done = new_role(copy, name)
    assert done.returncode == 2
    assert done.stderr == (
        f"new-role: '{name}' cannot be the name of a role; give NAME= small letters, digits and underscores\n"
    )
    assert list((copy / "roles").iterdir()) == []


def test_a_role_that_exists_is_left_alone(copy: Path) -> None:
    assert new_role(copy, "clock").returncode == 0
    before = (copy / "roles/clock/tasks/main.yml").read_text()
    done = new_role(copy, "clock")
    assert (done.returncode, "there is a role roles/clock already" in done.stderr) == (2, True)
    assert (copy / "roles/clock/tasks/main.yml").read_text() == before
