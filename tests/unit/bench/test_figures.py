# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks say what they found in one form, and count what they plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import figures
import pytest

ROOT = Path(__file__).resolve().parents[3]
BENCH = ROOT / "tests/bench"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BENCH / "run.sh", *arguments],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_group_that_is_not_there_is_named() -> None:
    done = run("nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "run.sh: there is no group 'nonsense'; the groups are converge mesh packages state\n"
    assert run("mesh", "state").returncode == 2


def test_the_figures_of_the_mesh() -> None:
    done = run("mesh", ARGS="--only plan --hosts 500 --rounds 1")
    assert done.returncode == 0, done.stderr
    figures: dict[str, dict[str, Any]] = {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert all(list(one) == ["name", "value", "unit", "baseline", "ratio"] for one in figures.values())
    seconds = figures["mesh.plan.500.seconds"]
    assert seconds["unit"] == "s" and seconds["value"] > 0 and seconds["baseline"] > 0 and seconds["ratio"] > 0
    # A tenant of nine sites with 50 hosts and one of a site with 49. On each site are two gateways, which have all hosts
    # of their tenant and the hub, and four or five hosts off the LAN, which have the gateways and the hub.
    first = 9 * (2 * 450 + 43 * (44 + 16 + 1) + 5 * (18 + 1))
    second = 2 * 49 + 43 * (44 + 1) + 4 * (2 + 1)
    assert figures["mesh.plan.500.peers"]["value"] == first + second + 499
    assert figures["mesh.plan.500.largest_peer_list"]["value"] == 499
    assert figures["mesh.plan.500.bytes_per_host"]["value"] > 1000


def test_a_group_that_fails_is_told() -> None:
    done = run("mesh", ARGS="--nonsense")
    assert done.returncode == 1
    assert done.stderr.endswith("run.sh: the group mesh failed\n")


def test_what_cannot_be_had_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    figures.missing("converge.role20.mitogen.seconds", "s", "It is not installed.")
    assert json.loads(capsys.readouterr().out) == {
        "name": "converge.role20.mitogen.seconds",
        "value": None,
        "unit": "s",
        "baseline": None,
        "ratio": None,
        "missing": "It is not installed.",
    }
