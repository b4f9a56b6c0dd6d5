# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugins called as Ansible calls them, with the remote half of a module in the hand of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.template import Templar


class Remote:
    """Answers of modules in order, or errors to raise; and what was asked."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def execute(self, name: str, module_args: dict[str, Any], **_more: Any) -> dict[str, Any]:
        self.asked.append({"module": name, **module_args})
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


Make = Callable[..., Any]


@pytest.fixture
def make_action(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """``make(ActionModule, remote, check=False, **arguments)`` gives an action that is ready to run."""

    def make(kind: type[ActionBase], remote: Remote | None = None, check: bool = False, **arguments: Any) -> Any:
        loader = DataLoader()
        task = Task()
        task.args = arguments
        task.check_mode = check
        task.async_val = 0
        connection = Mock(has_pipelining=True)
        connection._shell.tmpdir = None
        connection._shell.join_path = lambda *parts: "/".join(parts)
        action = kind(
            task=task,
            connection=connection,
            play_context=Mock(check_mode=check),
            loader=loader,
            templar=Templar(loader=loader),
            shared_loader_obj=Mock(),
        )
        if remote is not None:
            monkeypatch.setattr(action, "_execute_module", remote.execute)
        monkeypatch.setattr(action, "_display", Mock())
        return action

    yield make


@pytest.fixture
def make_remote() -> type[Remote]:
    return Remote
