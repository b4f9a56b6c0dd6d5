# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's half; what it does to paths is tested in test_files.py of the library."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._host.units import Stamp, forget
from ansible_collections.bocage.fleet.plugins.modules import config_files

WHO = {"owner": str(os.getuid()), "group": str(os.getgid())}


@pytest.fixture
def stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "units"
    monkeypatch.setattr(config_files, "forget", partial(forget, stamps=folder))
    return folder


def test_four_calls(call_module: Any, tmp_path: Path, stamps: Path) -> None:
    folder = tmp_path / "names"
    files = [
        {"path": str(folder), "state": "directory", **WHO},
        {"path": str(folder / "hosts"), "content": "fd7b::1 hub1\n", "validate": "test -s %s", **WHO},
    ]
    predicted = call_module(config_files, check=True, files=files)
    assert predicted["changed"] and not folder.exists()
    done = call_module(config_files, diff=True, files=files)
    assert done["changed_paths"] == [str(folder), str(folder / "hosts")] == predicted["changed_paths"]
    assert done["diff"][1]["after"] == "fd7b::1 hub1\n"
    assert [one["mode"] for one in done["files"]] == ["0755", "0644"]
    for check in (True, False):
        assert not call_module(config_files, check=check, files=files)["changed"]


def test_units_that_read_a_changed_file_are_to_be_restarted(call_module: Any, tmp_path: Path, stamps: Path) -> None:
    path = tmp_path / "a.conf"
    Stamp("0", (str(path),)).write(stamps / "a.service.json")
    files = [{"path": str(path), "content": "x", **WHO}]
    call_module(config_files, check=True, files=files)
    assert len(list(stamps.iterdir())) == 1
    call_module(config_files, files=files)
    assert list(stamps.iterdir()) == []


def test_a_refusal_is_one_sentence_and_changes_nothing(call_module: Any, tmp_path: Path, stamps: Path) -> None:
    path = tmp_path / "a.conf"
    failing = [{"path": str(path), "content": "x", "validate": "ls %s/none", **WHO}]
    message = call_module(config_files, files=failing)["msg"]
    assert message.startswith(f"ls refuses the new {path}, and nothing was changed: ")
    assert "\n" not in message and not path.exists()
    unknown = [{"path": str(path), "content": "x", "owner": "no-such-user"}]
    assert call_module(config_files, files=unknown)["msg"] == (
        f"The user no-such-user, who should own {path}, is not known on this host."
    )
