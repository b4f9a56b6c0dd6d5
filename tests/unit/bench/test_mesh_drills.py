# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of drills are those of the evidence, with its time; what is not there is not made up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import mesh_drills
import pytest
from bocage_core._gateway.drill import gaps, judge
from runs import BenchError

MADE_AT = "2026-11-22T08:00:00+00:00"


def verdict() -> dict[str, Any]:
    """As a drill keeps it: 2,000 probes, of which 30 are lost while a gateway is away and 2 as it comes back."""
    lost = {*range(500, 530), *range(1200, 1202)}
    probes = [(100 + number / 100, number not in lost) for number in range(2000)]
    fault = {"cause": "wan", "gateway": "gw1", "started_at": 105.0, "ended_at": 108.0, "settled_at": 111.0}
    return judge([fault], {"198.18.1.20": gaps(probes, 0.02)}, [], 1.0) | {"sent": {"198.18.1.20": 2000}}


def keep(folder: Path) -> None:
    probes = {"tele1 -> hub": {"sent": 9000, "lost": 0}, "desk1 -> gw": {"sent": 8000, "lost": 1}}
    for name, found in {
        "failover": verdict(),
        "segments": verdict(),
        "rotation": {"probes": probes},
        "drain": {"sent": {"ipv4": 3000, "ipv6": 3100}, "lost": {"ipv4": 0, "ipv6": 0}},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps({"made_at": MADE_AT, **found}))


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}


def test_the_figures_of_the_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path)
    mesh_drills.report(tmp_path)
    found = printed(capsys)
    assert {one["made_at"] for one in found.values()} == {MADE_AT}
    assert {name: (one["value"], one["unit"]) for name, one in found.items()} == {
        **{
            f"mesh.{drill}.{key}_seconds": (0.31, "s")
            for drill in ("failover", "segment_takeover")
            for key in ("p50", "p99", "max")
        },
        "mesh.failover.takeovers": (1, "takeovers"),
        "mesh.segment_takeover.takeovers": (1, "takeovers"),
        "mesh.failback.lost_probes": (2, "probes"),
        "mesh.failback.probes": (2000, "probes"),
        "mesh.rotation.lost_probes": (1, "probes"),
        "mesh.rotation.probes": (17000, "probes"),
        "mesh.drain.lost_probes": (0, "probes"),
        "mesh.drain.probes": (6100, "probes"),
    }


def test_evidence_that_is_missing_or_broken_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path)
    (tmp_path / "drain.json").unlink()
    (tmp_path / "rotation.json").write_text('{"made_at": "yesterday"}')
    (tmp_path / "segments.json").write_text(json.dumps({"made_at": MADE_AT}))
    with pytest.raises(BenchError) as error:
        mesh_drills.report(tmp_path)
    said = str(error.value).splitlines()
    assert [line.partition(";")[0] for line in said] == [
        f"The file {tmp_path}/segments.json is no evidence of a drill (KeyError('p50_seconds'))",
        f"The file {tmp_path}/rotation.json is no evidence of a drill (ValueError(\"Invalid isoformat string: 'yesterday'\"))",
        f"There is no evidence of a drill in {tmp_path}/drain.json",
    ]
    assert all(line.endswith("; make one with make bench BENCH=mesh, or with make drills.") for line in said)
    found = printed(capsys)
    assert found["mesh.failover.max_seconds"]["value"] == 0.31
    assert found["mesh.drain.lost_probes"]["value"] is None
    assert found["mesh.drain.lost_probes"]["missing"] == said[2]
    # among all groups of figures a line is enough
    mesh_drills.report(tmp_path, demand=False)
    assert printed(capsys) == found


def test_the_program_prints_evidence_without_running_a_drill(tmp_path: Path) -> None:
    program = [sys.executable, Path(mesh_drills.__file__).with_name("mesh.py"), "--evidence", tmp_path]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1].startswith(f"mesh: There is no evidence of a drill in {tmp_path}/failover.json;")
    keep(tmp_path)
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = [json.loads(line)["name"] for line in done.stdout.splitlines()]
    assert names == [name for figures in mesh_drills.FIGURES.values() for name, _unit, _read in figures]


def test_a_drill_that_fails_leaves_no_figure_of_an_earlier_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path)

    def run(*command: str, **_environment: str) -> None:
        if command[0] == "tests/molecule.sh":
            raise BenchError("The scenario failed.")
        if command[0] != "lab/bootstrap.sh":
            keep(tmp_path)

    monkeypatch.setattr(mesh_drills, "FOLDER", tmp_path)
    monkeypatch.setattr(mesh_drills, "run", run)
    with pytest.raises(BenchError, match="The scenario failed"):
        mesh_drills.measure()
    found = printed(capsys)
    assert found["mesh.drain.lost_probes"]["value"] == 0
    assert found["mesh.segment_takeover.p99_seconds"]["value"] is None
