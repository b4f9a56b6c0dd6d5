# SPDX-License-Identifier: GPL-3.0-or-later
"""Each peer has its figures, or a line that says why it has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import converge_role20
import pytest
import yaml
from converge_role20 import Role20, peers, report

ROLE = Path(converge_role20.__file__).parent / "role20/roles/bench20"


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    return {
        one["name"].removeprefix("converge.role20."): one
        for one in map(json.loads, capsys.readouterr().out.splitlines())
    }


def test_a_peer_that_is_missing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"tasks": 80.0, "tasks_tuned": 40.0, "pyinfra": 4.0, "sealed": 2.0, "sealed_connected": 1.0}
    report(found, {"mitogen": "It is not installed."})
    figures = printed(capsys)
    assert figures["sealed.seconds"] | {"name": ""} == {
        "name": "", "value": 2.0, "unit": "s", "baseline": 80.0, "ratio": 0.025
    }  # fmt: skip
    assert figures["ratio_to_tasks"]["value"] == 0.025 and figures["ratio_to_pyinfra"]["value"] == 0.5
    assert figures["ratio_to_pyinfra_connected"]["value"] == 0.25
    for name in ("mitogen.seconds", "ratio_to_mitogen"):
        assert figures[name]["value"] is None and figures[name]["missing"] == "It is not installed."


def test_peers_that_are_not_installed_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converge_role20, "PEERS", tmp_path)
    works, absent = peers(Role20(tmp_path))
    assert works == {}
    assert absent == {
        name: f"{name} is not installed; make bench installs it into .venv-bench." for name in ("mitogen", "pyinfra")
    }


def test_the_role_has_twenty_resources_a_task_each() -> None:
    tasks = yaml.safe_load((ROLE / "tasks/main.yml").read_text())
    kinds = [next(key for key in one if key.startswith("ansible.builtin.")).rpartition(".")[2] for one in tasks]
    assert sorted(kinds) == ["apt"] * 2 + ["copy"] * 6 + ["file"] * 3 + ["systemd_service"] * 3 + ["template"] * 6
    assert not any("loop" in one for one in tasks)
