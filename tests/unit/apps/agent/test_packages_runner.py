# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks in a real child: what it sees, what it may take, what is left of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from bocage_agent import packages_runner
from bocage_agent.packages_child import HOOKS
from bocage_agent.packages_runner import Hook, Outcome, Runner, undo_of

LINES: list[str] = []


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "content").mkdir()
    LINES.clear()
    return tmp_path


def run(work: Path, setup: str, hook: str = "install", *, seconds: int = 20, lines: int = 500) -> Outcome:
    (work / "content" / "setup.py").write_text(setup)
    asked = Hook(hook, "tool", "1.2", work / "content", work, {"package": "tool", "version": "1.2"})
    return Runner(False, lines).run(asked, seconds, LINES.append)


def test_it_sees_its_package_and_a_small_environment(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the agent")
    setup = (
        "import os, sys\n"
        "def install():\n"
        "    print(control['package'], os.getcwd() == basedir, sorted(os.environ))\n"
        "    print([name for name in sys.path if 'bocage' in name or 'build/src' in name])\n"
        "    import helper_of_the_package\n"
    )
    (work / "content" / "helper_of_the_package.py").write_text("print('imported')")
    assert run(work, setup) == Outcome(True)
    assert LINES[0].startswith("tool True ['BOCAGE_PACKAGE', 'BOCAGE_VERSION', 'DEBIAN_FRONTEND', 'HOME', 'LANG',")
    assert "SECRET" not in LINES[0]
    assert LINES[1:] == ["[]", "imported"]


def test_helpers_of_other_spellings_can_be_imported(work: Path) -> None:
    setup = "from setuphelpers import *\ndef install():\n    mkdirs(makepath(basedir, 'x'))\n    print(isdir('x'))\n"
    assert run(work, setup).ok
    assert LINES == ["True"]


def test_the_control_file_is_read_as_packages_of_wapt_do(work: Path) -> None:
    setup = (
        "# -*- coding: utf-8 -*-\nfrom setuphelpers import *\nuninstallkey = []\n"
        "def install():\n"
        "    print(u'%s %s' % (control.package, control.version), control['version'], control.get('package'))\n"
        "    print(repr(control.impacted_process), isinstance(control, dict))\n"
        "    control.verison\n"
    )
    found = run(work, setup)
    assert LINES[:2] == ["tool 1.2 1.2 tool", "'' True"]
    assert not found.ok and "the control file has no verison" in str(found)


def test_each_hook_is_found_by_its_name(work: Path) -> None:
    setup = "".join(f"def {hook}():\n    print('{hook}')\n" for hook in HOOKS)
    for hook in HOOKS:
        assert run(work, setup, hook).ok
    assert list(HOOKS) == LINES
    assert run(work, "", "update_package") == Outcome(True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("error('the licence is missing')", "the licence is missing"),
        ("run(['false'])", "false ended with status 1"),
        ("run('echo why; exit 3')", "echo why; exit 3 ended with status 3: why"),
        ("run(['/no/such/program'])", "/no/such/program cannot be run: No such file or directory"),
        ("run(['sleep', '9'], timeout=0.1)", "sleep 9 did not end in 0.1 seconds"),
        ("1/0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(4)", "setup.py ended with status 4"),
        ("return False", "install answered False"),
        ("return 'ERROR'", "install answered 'ERROR'"),
        ("remove('/')", "remove refuses /: it is no part of any package"),
        ("remove('relative')", "relative is not a full path"),
        ("copy('absent', '/nowhere/x')", "absent cannot be copied to /nowhere/x: No such file or directory"),
        ("service('x', 'broken')", "service x: the state 'broken' is none of started, stopped, restarted, reloaded"),
    ],
)
def test_failures_are_one_sentence(work: Path, body: str, reason: str) -> None:
    outcome = run(work, f"def install():\n    {body}\n")
    assert (outcome.ok, outcome.reason) == (False, reason.strip())


def test_a_setup_that_is_no_python_is_a_failure(work: Path) -> None:
    assert run(work, "def install(:").reason.startswith("SyntaxError: ")


def test_the_time_limit_ends_it_and_all_that_it_started(work: Path) -> None:
    mark = work / "process"
    setup = (
        "import subprocess, time\n"
        "def install():\n"
        "    other = subprocess.Popen(['sleep', '300'])\n"
        f"    open({str(mark)!r}, 'w').write(str(other.pid))\n"
        "    print('waiting')\n"
        "    time.sleep(300)\n"
    )
    began = time.monotonic()
    outcome = run(work, setup, seconds=2)
    assert outcome.reason == "install did not end in 2 seconds"
    assert time.monotonic() - began < 10
    assert LINES == ["waiting"]
    other = int(mark.read_text())
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Path(f"/proc/{other}/cmdline").exists() and _alive(other):
        time.sleep(0.01)
    assert not _alive(other)


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_output_is_bounded_and_cannot_control_a_terminal(work: Path) -> None:
    setup = (
        "def install():\n    print('\\x1b[2J' + 'x' * 10000)\n    for number in range(100):\n        print(number)\n"
    )
    assert run(work, setup, lines=10).ok
    assert len(LINES) == 11
    assert LINES[-1] == "(more than 10 lines; the others are left out)"
    assert all("\x1b" not in line and len(line) <= 500 for line in LINES)


def test_something_that_keeps_the_output_open_does_not_hold_the_agent(work: Path) -> None:
    setup = (
        "import os, time\n"
        "def install():\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        time.sleep(8)\n"
        "        os._exit(0)\n"
    )
    began = time.monotonic()
    assert run(work, setup).ok
    assert time.monotonic() - began < 7


def test_a_file_is_written_with_the_folders_above_it(work: Path) -> None:
    target = work / "new" / "version"
    found = run(work, f"def install():\n    write({str(target)!r}, control['version'])\n")
    assert target.read_text() == "1.2"
    assert found.undo == (("remove_empty", str(work / "new")), ("remove", str(target)))
    refused = run(work, f"def install():\n    write({str(work / 'content')!r}, 'a folder')\n")
    assert f"{work / 'content'} cannot be written: Is a directory" in refused.reason


def test_what_helpers_did_is_noted_before_it_is_done(work: Path) -> None:
    there = work / "there"
    there.write_text("of somebody else")
    setup = (
        "def install():\n"
        f"    mkdir({str(work / 'new')!r})\n"
        f"    copy('setup.py', {str(work / 'new')!r})\n"
        f"    write({str(there)!r}, 'changed')\n"
    )
    assert run(work, setup).undo == (("remove_empty", str(work / "new")), ("remove", str(work / "new" / "setup.py")))
    assert (work / "new" / "setup.py").exists()


def test_a_note_that_was_cut_off_is_of_nothing(work: Path) -> None:
    (work / "undo.jsonl").write_bytes(b'["remove", "/a/b"]\n["remove", "/c')
    assert undo_of(work) == (("remove", "/a/b"),)


def test_nothing_is_left_in_the_environment_of_the_agent(work: Path) -> None:
    before = dict(os.environ), Path.cwd()
    run(work, "import os\nos.environ['X'] = '1'\nos.chdir('/')\ndef install():\n    pass\n")
    assert (dict(os.environ), Path.cwd()) == before


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs in the place of systemd's, which write down how they were called."""
    programs = tmp_path / "programs"
    programs.mkdir()
    run = f"""#!/bin/sh
printf '%s\\n' "$@" > {tmp_path}/asked
while [ "$1" != -- ]; do
  case "$1" in --setenv=*) export "${{1#--setenv=}}";; esac
  shift
done
shift
exec setsid --wait "$@"
"""
    for name, text in {"systemd-run": run, "systemctl": f'#!/bin/sh\necho "$@" >> {tmp_path}/stopped\n'}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    path = f"{programs}:{packages_runner._PATH}"
    monkeypatch.setattr(packages_runner, "_PATH", path)
    monkeypatch.setenv("PATH", path)
    return tmp_path


def test_where_systemd_runs_a_hook_is_a_unit(work: Path, systemd: Path) -> None:
    folder = work / "7"
    (folder / "content").mkdir(parents=True)
    (folder / "content" / "setup.py").write_text("def install():\n    print(control['package'])\n")
    asked = Hook("install", "tool", "1.2", folder / "content", folder, {"package": "tool"})
    assert Runner(True).run(asked, 20, LINES.append) == Outcome(True)
    assert LINES == ["tool"]
    words = (systemd / "asked").read_text().splitlines()
    assert words[:5] == ["--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"]
    assert {"--unit=bocage-package-7", "--property=RuntimeMaxSec=20", "--property=KillMode=control-group"} <= set(words)
    Runner(True).stop_leftover(folder)
    assert (systemd / "stopped").read_text() == "stop -- bocage-package-7.service\n"


def test_a_unit_that_does_not_end_is_stopped(work: Path, systemd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages_runner, "_GRACE_SECONDS", 0)
    (work / "content" / "setup.py").write_text("import time\ndef install():\n    time.sleep(60)\n")
    asked = Hook("install", "tool", "1.2", work / "content", work, {})
    assert Runner(True).run(asked, 1, LINES.append).reason == "install did not end in 1 seconds"
    assert "stop --" in (systemd / "stopped").read_text()
