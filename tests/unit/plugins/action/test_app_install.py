# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half: the host is asked first, and the archive travels only where it is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.bocage.fleet.plugins.action.app_install import MODULE, ActionModule

OPTIONS = {"name": "agent", "version": "1"}
MISSING = {"changed": True, "missing": True}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "agent.tar.gz"
    path.write_bytes(b"x")
    return path


def prepared(action: Any) -> Any:
    """An action whose transfers are remembered."""
    action._make_tmp_path = Mock(return_value="/tmp/remote")
    action._transfer_file = Mock()
    action._fixup_perms2 = Mock()
    action._remove_tmp_path = Mock()
    return action


def test_a_host_that_has_the_version_is_asked_once(make_action: Any, make_remote: Any, archive: Path) -> None:
    remote = make_remote({"changed": False, "missing": False, "path": "/opt/bocage/agent/1"})
    action = prepared(make_action(ActionModule, remote, **OPTIONS, archive=str(archive)))
    assert action.run(task_vars={})["path"] == "/opt/bocage/agent/1"
    assert remote.asked == [{"module": MODULE, **OPTIONS, "archive": ""}]
    action._transfer_file.assert_not_called()


def test_a_missing_version_is_sent_and_installed(make_action: Any, make_remote: Any, archive: Path) -> None:
    remote = make_remote(MISSING, {"changed": True, "missing": False})
    action = prepared(make_action(ActionModule, remote, **OPTIONS, archive=str(archive)))
    assert action.run(task_vars={})["missing"] is False
    action._transfer_file.assert_called_once_with(str(archive), "/tmp/remote/archive.tar.gz")
    assert remote.asked[1] == {"module": MODULE, **OPTIONS, "archive": "/tmp/remote/archive.tar.gz"}
    action._remove_tmp_path.assert_called_once()


def test_check_mode_sends_nothing(make_action: Any, make_remote: Any, archive: Path) -> None:
    remote = make_remote(MISSING)
    action = prepared(make_action(ActionModule, remote, check=True, **OPTIONS, archive=str(archive)))
    assert action.run(task_vars={})["changed"]
    action._transfer_file.assert_not_called()


def test_a_host_that_cannot_answer_fails(make_action: Any, make_remote: Any, archive: Path) -> None:
    remote = make_remote({"failed": True, "msg": "no space"})
    result = prepared(make_action(ActionModule, remote, **OPTIONS, archive=str(archive))).run(task_vars={})
    assert (result["failed"], result["msg"]) == (True, "no space")


def test_a_path_from_the_home_folder(
    make_action: Any, make_remote: Any, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(archive.parent))
    action = prepared(make_action(ActionModule, make_remote(MISSING, MISSING), **OPTIONS, archive="~/agent.tar.gz"))
    action.run(task_vars={})
    action._transfer_file.assert_called_once_with(str(archive), "/tmp/remote/archive.tar.gz")


def test_an_archive_that_is_not_there_is_named(make_action: Any, make_remote: Any) -> None:
    action = prepared(make_action(ActionModule, make_remote(MISSING), **OPTIONS, archive="/nowhere/agent.tar.gz"))
    result = action.run(task_vars={})
    assert result["failed"]
    assert result["msg"] == (
        "The archive /nowhere/agent.tar.gz is not on the controller; run bocage.fleet.app_archive first."
    )
