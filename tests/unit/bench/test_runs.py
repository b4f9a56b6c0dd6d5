# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs are measured only where they did what they were to do; sessions are counted by what ssh was called with."""

from __future__ import annotations

import subprocess
import sys

import pytest
import runs
from runs import BenchError, Done, Sessions

RECAP = """
PLAY RECAP *********************************************************************
gw1                        : ok=3    changed={}    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0
gw2                        : ok=3    changed=0    unreachable={}    failed=0    skipped=0    rescued=0    ignored=0
"""


def test_a_run_counts_where_all_hosts_took_part_and_nothing_changed() -> None:
    assert runs.without_change(Done(1.5, RECAP.format(0, 0)), ["gw1", "gw2"], "it") == 1.5
    with pytest.raises(BenchError, match=r"changed: \['gw1'\]"):
        runs.without_change(Done(1.5, RECAP.format(2, 0)), ["gw1", "gw2"], "it")
    with pytest.raises(BenchError, match=r"not in the run: \['gw3'\]"):
        runs.without_change(Done(1.5, RECAP.format(0, 0)), ["gw1", "gw3"], "it")
    with pytest.raises(BenchError, match="The host gw2 failed"):
        runs.without_change(Done(1.5, RECAP.format(0, 1)), ["gw1", "gw2"], "it")


def test_a_program_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(BenchError, match="ended with 3:\nno"):
        runs.run(sys.executable, "-c", "print('no'); raise SystemExit(3)")
    assert runs.run(sys.executable, "-c", "import os; print(os.environ['WORD'])", WORD="yes").output == "yes\n"


def test_rounds_are_interleaved(capsys: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []
    taken = iter([1.0, 10.0, 2.0, 30.0, 3.0, 20.0])

    def work(name: str) -> float:
        order.append(name)
        return next(taken)

    assert runs.interleaved(3, {"a": lambda: work("a"), "b": lambda: work("b")}) == {"a": 2.0, "b": 20.0}
    assert order == ["a", "b"] * 3
    shown = capsys.readouterr()
    assert (shown.out, shown.err.splitlines()[0]) == ("", "round 1 of 3: a: 1.0 s")


def sessions_of(*calls: list[str]) -> Sessions:
    found = Sessions()
    for call in calls:
        runs.note(call, found)
    return found


def test_calls_of_ssh_are_told_apart() -> None:
    options = ["-C", "-o", "ControlMaster=auto", "-oUser=root", "-o", "ControlPath=/tmp/x"]
    found = sessions_of(
        ["ssh", *options, "198.18.3.10", "/bin/sh -c 'echo -N'"],
        ["ssh", *options, "-tt", "root@198.18.3.10", "/bin/sh"],
        ["ssh", *options, "-O", "exit", "198.18.3.10"],
        ["sftp", *options, "-b", "-", "[198.18.3.21]"],
        ["ssh", "-N", "-T", "-L", "/tmp/s:[fd7b::1]:443", "-p", "22", "-l", "root", "--", "198.18.3.10"],
        ["ssh", "-V"],
    )
    assert found.hosts == {"198.18.3.10": 2, "198.18.3.21": 1}
    assert found.forwards == {"198.18.3.10": 1}


def test_calls_are_counted_and_carried_out() -> None:
    with runs.counted_sessions() as (environment, sessions):
        done = runs.run("ssh", "-V", **environment)
        failed = subprocess.run(
            ["ssh", "-F", "none", "-o", "ProxyCommand=false", "host1.invalid", "true"],
            env=environment, check=False, capture_output=True,
        )  # fmt: skip
    assert "OpenSSH" in done.output and failed.returncode == 255
    assert sessions.hosts == {"host1.invalid": 1}
    assert not sessions.forwards
