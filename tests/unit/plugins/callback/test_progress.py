# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback in a real run: on a terminal, in a pipe, with a failure, in check mode."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")

# The local connection under another name, so that it counts as remote.
CONNECTION = """\
from __future__ import annotations
DOCUMENTATION = "{name: pretend, short_description: x, description: x, author: x, options: {}}"
from ansible.plugins.connection.local import Connection as LocalConnection
class Connection(LocalConnection):
    transport = "pretend"
"""
INVENTORY = """\
all:
  vars: {ansible_connection: pretend, ansible_python_interpreter: /usr/bin/python3}
  hosts: {alpha: , beta: }
"""
PLAYBOOK = """\
- name: Work
  hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.debug:
        msg: hello from beta
      when: inventory_hostname == 'beta'
      tags: [say]
    - name: Look
      ansible.builtin.command: "true"
      changed_when: false
    - name: Write
      ansible.builtin.copy:
        content: "new text\\n"
        dest: "{{ folder }}/written"
        mode: "0600"
      when: inventory_hostname == 'alpha'
      notify: React
    - name: Loop
      ansible.builtin.command: "true"
      changed_when: item == 2 and inventory_hostname == 'beta'
      loop: [1, 2, 3]
    - name: Elsewhere
      ansible.builtin.command: "true"
      changed_when: false
      delegate_to: localhost
    - name: Role
      ansible.builtin.import_role:
        name: small
    - name: Break
      ansible.builtin.command: sh -c "echo broken thing; exit 3"
      when: break_it | default(false) and inventory_hostname == 'alpha'
      tags: [break]
  handlers:
    - name: React
      ansible.builtin.command: "true"
"""


@dataclass
class Project:
    """A playbook in a folder of its own."""

    folder: Path

    @property
    def profile(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "profiles/profile.json").read_text()))

    def command(self, *arguments: str) -> list[str]:
        extra = json.dumps({"folder": str(self.folder)})
        return [str(ANSIBLE_PLAYBOOK), "-i", "hosts.yml", "play.yml", "-e", extra, *arguments]

    def environment(self, **settings: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "BOCAGE_"))}
        return {
            **kept,
            "ANSIBLE_STDOUT_CALLBACK": "bocage.fleet.progress",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_CONNECTION_PLUGINS": str(self.folder / "connection"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "BOCAGE_PROFILE_PATH": str(self.folder / "profiles/profile.json"),
            **settings,
        }

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run_on_terminal(self, *arguments: str) -> str:
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(TERM="xterm", COLUMNS="80", ANSIBLE_NOCOLOR="1"),
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        output = b""
        while True:
            try:
                piece = os.read(controller, 65536)
            except OSError:
                break  # how a terminal says that its other end is closed
            if not piece:
                break
            output += piece
        os.close(controller)
        assert process.wait() == 0, output.decode()
        return output.decode()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    files = {
        "hosts.yml": INVENTORY,
        "play.yml": PLAYBOOK,
        "connection/pretend.py": CONNECTION,
        "roles/small/tasks/main.yml": "- name: Inside\n  ansible.builtin.command: 'true'\n  changed_when: false\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Project(tmp_path)


def without_seconds(output: str) -> list[str]:
    return re.sub(r" \d+\.\ds(?=;|$)", "", output, flags=re.MULTILINE).splitlines()


def test_in_a_pipe_each_task_has_its_line(project: Project) -> None:
    run = project.run()
    assert run.returncode == 0, run.stdout
    lines = without_seconds(run.stdout)
    for line in (
        '    "msg": "hello from beta"',
        "TASK [Say] ok=1 changed=0 skipped=1 failed=0",
        "TASK [Look] ok=2 changed=0 skipped=0 failed=0",
        "TASK [Write] ok=0 changed=1 skipped=1 failed=0; changed: alpha",
        "TASK [Loop] ok=1 changed=1 skipped=0 failed=0; changed: beta",
        "TASK [Elsewhere] ok=2 changed=0 skipped=0 failed=0",
        "TASK [small : Inside] ok=2 changed=0 skipped=0 failed=0",
        "TASK [Break] ok=0 changed=0 skipped=2 failed=0",
        "HANDLER [React] ok=0 changed=1 skipped=0 failed=0; changed: alpha",
        "remote calls per host: median 6.5, maximum 8 (alpha)",
    ):
        assert line in lines, run.stdout
    assert not any(line.startswith(("ok: [alpha]", "skipping:", "changed:")) for line in lines)
    assert "\r" not in run.stdout
    assert "DEPRECATION" not in run.stdout
    assert "WARNING" not in run.stdout

    profile = project.profile
    # alpha: Look, Write (2), Loop (3), Inside and React; beta the same without Write and React.
    assert {name: host["remote_calls"] for name, host in profile["hosts"].items()} == {"alpha": 8, "beta": 5}
    assert profile["roles"]["small"]["remote_calls"] == 2
    assert {task["name"]: task["remote_calls"] for task in profile["tasks"]} == {
        "Say": 0,
        "Look": 2,
        "Write": 2,
        "Loop": 6,
        "Elsewhere": 0,
        "small : Inside": 2,
        "Break": 0,
        "React": 1,
    }
    assert profile["seconds"] >= max(host["seconds"] for host in profile["hosts"].values()) > 0


def test_a_failure_is_printed_in_full_and_named(project: Project) -> None:
    run = project.run("--tags", "break", "-e", '{"break_it": true}')
    assert run.returncode == 2
    assert "TASK [Break] ok=0 changed=0 skipped=1 failed=1; failed: alpha" in without_seconds(run.stdout)
    assert "fatal: [alpha]: FAILED! => {" in run.stdout
    assert '"stdout": "broken thing"' in run.stdout
    # The durations of a run that stopped half way are not remembered.
    assert not (project.folder / "home/tmp/bocage_progress.json").exists()


def test_differences_in_check_mode(project: Project) -> None:
    run = project.run("--check", "--diff", BOCAGE_PROGRESS_REMEMBER="false", ANSIBLE_CHECK_MODE_MARKERS="true")
    assert run.returncode == 0, run.stdout
    assert "PLAY [Work] [CHECK MODE]" in run.stdout
    assert "DRY RUN" in run.stdout
    lines = without_seconds(run.stdout)
    assert (
        lines.index("+new text")
        < lines.index("changed: [alpha]")
        < lines.index("TASK [Write] ok=0 changed=1 skipped=1 failed=0; changed: alpha")
    )
    assert not (project.folder / "written").exists()
    assert not (project.folder / "home/tmp/bocage_progress.json").exists()


def test_a_verbose_run_whose_profile_cannot_be_written(project: Project) -> None:
    path = project.folder / "hosts.yml/profile.json"
    run = project.run("-v", "--tags", "say", BOCAGE_PROFILE_PATH=str(path), BOCAGE_PROFILE_SHOW="false")
    assert run.returncode == 0
    assert "ok: [beta] => {" in run.stdout
    assert "skipping: [alpha] => {" in run.stdout
    assert f"The profile could not be written to {path}: File exists." in " ".join(run.stdout.split())
    assert "PROFILE" not in run.stdout


def test_on_a_terminal_one_line_lives(project: Project) -> None:
    assert " left" not in project.run_on_terminal()
    memory = project.folder / "home/tmp/bocage_progress.json"
    assert list(json.loads(memory.read_text())) == [str(project.folder / "play.yml")]
    (project.folder / "written").unlink()
    output = project.run_on_terminal()
    # Every live line is drawn over the one before and removed before anything else is printed.
    drawn = re.findall(r"\r\x1b\[K([^\r\n]*)", output)
    assert any(re.fullmatch(r"\d:\d\d  about \d:\d\d left  hosts 1/2  Work > Look", line) for line in drawn)
    assert any(line.endswith("hosts 0/1  Work > React") for line in drawn)
    assert all(len(line) < 80 for line in drawn)
    printed = re.sub(r"\r\x1b\[K(\d:\d\d[^\r\n]*)?", "", output)
    assert " left " not in printed
    lines = printed.replace("\r\n", "\n").splitlines()
    for line in (
        "changed: [alpha]",
        "changed: [beta] => (item=2)",
        '    "msg": "hello from beta"',
        "remote calls per host: median 6.5, maximum 8 (alpha)",
    ):
        assert line in lines, printed
    assert not any(line.startswith(("ok: [alpha]", "skipping:")) for line in lines)
    assert not any(line.startswith("TASK [") and "ok=" in line for line in lines)
