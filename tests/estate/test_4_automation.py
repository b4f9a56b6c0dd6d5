# SPDX-License-Identifier: GPL-3.0-or-later
"""The project as a job of AWX: a private data folder, an inventory source, environment and extra variables."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import driver


def test_the_project_runs_as_a_job(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "envvars").write_text(json.dumps({"ANSIBLE_FORCE_COLOR": "False", "LC_ALL": "C.UTF-8"}))
    (tmp_path / "env" / "extravars").write_text(json.dumps({"agent_report_jitter_seconds": 5}))
    (tmp_path / "project").symlink_to(driver.ROOT)
    done = subprocess.run(
        ["ansible-runner", "run", str(tmp_path), "-p", "playbooks/site.yml", "--inventory", "inventories/lab", "-i", "job1"],
        cwd=driver.ROOT, env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    events = [json.loads(path.read_text()) for path in (tmp_path / "artifacts" / "job1" / "job_events").glob("*.json")]
    stats = next(event["event_data"] for event in events if event["event"] == "playbook_on_stats")
    assert set(stats["ok"]) == set(driver.MANAGED)
    assert not stats["changed"]


def test_the_inventory_source_is_stable() -> None:
    """Twice the same while no host reports; AWX shows a difference only where there is one."""
    for host in driver.MANAGED:
        driver.on(host, "systemctl stop bocage-agent-report.timer")
    try:
        first, _said = driver.inventory_list()
        second, _said = driver.inventory_list()
        assert first == second
    finally:
        for host in driver.MANAGED:
            driver.on(host, "systemctl start bocage-agent-report.timer")


def test_the_estate_is_shown() -> None:
    picture = driver.ROOT / "build" / "estate.svg"
    picture.unlink(missing_ok=True)
    run = driver.playbook("playbooks/show.yml")
    assert run.ok, run.failures
    for host in driver.MANAGED:
        assert host in run.stdout
        assert host in picture.read_text()
