# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the command line as programs make them: arguments in, one JSON document and an exit code out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from bocage_packager.main import main

# what the tests of this folder share
sys.path.insert(0, str(Path(__file__).parent))

from packager_calls import Call, Developer, Repository, Say, store_of
from packager_calls import developer as make_developer


@pytest.fixture(scope="session")
def developer(tmp_path_factory: pytest.TempPathFactory) -> Developer:
    return make_developer(tmp_path_factory.mktemp("developer"))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """The exit code and the JSON document of a call."""

    def made(*arguments: object) -> tuple[int, dict[str, Any]]:
        status = main([*(str(one) for one in arguments), "--json"])
        output = capsys.readouterr().out
        assert output.count("\n") == 1, "one document, on one line"
        return status, json.loads(output)

    return made


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """The exit code, standard output and standard error of a call for people."""

    def made(*arguments: object) -> tuple[int, str, str]:
        status = main([str(one) for one in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return made


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return store_of(tmp_path / "theirs", "root-ca")


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    (tmp_path / "ours").mkdir()
    return tmp_path / "ours"


@pytest.fixture
def repository(tmp_path: Path, call: Call, developer: Developer) -> Repository:
    made = Repository(tmp_path / "repository", call, developer)
    for version in ("1.9-1", "1.10-1"):
        made.add(version)
    made.index()
    return made
