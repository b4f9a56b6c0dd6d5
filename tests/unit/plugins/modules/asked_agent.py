# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent in this process, as modules call it on a host: a real repository, real signatures, real state."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._packages import agent_calls

sys.path.insert(0, str(Path(__file__).parents[2] / "apps" / "agent"))

from bocage_agent import packages_platform  # beside those who need the path above
from bocage_agent.main import main
from package_estate import Estate, RealHost
from package_fakes import touching

Ask = Callable[..., dict[str, Any]]


class AskedHost(RealHost):
    """A host whose agent a module reaches; `asked` are the calls."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asked: list[list[str]] = []

    def answer(self, command: list[str]) -> tuple[int, str, str]:
        self.asked.append(command[1:])
        config = self.folder / "packages.json"
        if not config.exists() or self.changes:
            config.write_text(json.dumps(self.document))
        more = ["--packages-config", str(config), "--config", str(self.folder / "agent.json")]
        output, error = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(error):
            status = main([command[1], *more, *command[2:]])
        return status, output.getvalue(), error.getvalue()

    def publish(self, package: str, version: str, **options: Any) -> None:
        self.estate.publish(package, version, touching(self.folder / "made" / package), **options)

    def made(self, package: str) -> str:
        path = self.folder / "made" / package
        return path.read_text() if path.exists() else ""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskedHost:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    # neither who runs the tests nor their machine matters
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages_platform, "is_administrator", lambda: True)
    monkeypatch.setattr(packages_platform, "systemd_runs", lambda: False)
    (tmp_path / "made").mkdir()
    program = tmp_path / "bocage-agent"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(agent_calls, "AGENT", str(program))
    found = AskedHost(tmp_path, estate=Estate(tmp_path, timestamps.now()))
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, command: found.answer(command))
    return found
