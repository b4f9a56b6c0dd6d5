# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of drills: takeovers, going back, new keys, a drain. They are read from the evidence that drills keep.

The drills of the demo estate (tests/drills) and the scenario `segments` write it to build/drills, one file each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from figures import figure, missing
from runs import PYTHON, ROOT, BenchError, run, say

FOLDER = ROOT / "build/drills"
# Name of the figure, its unit, and how it is read. What is counted says how much a drill looked at.
Read = Callable[[Mapping[str, Any]], float]


def _number(name: str) -> Read:
    return lambda found: found[name] + 0


def _seconds(label: str) -> list[tuple[str, str, Read]]:
    return [(f"{label}.{key}", "s", _number(key)) for key in ("p50_seconds", "p99_seconds", "max_seconds")]


def _total(name: str) -> Read:
    return lambda found: sum(found[name].values())


def _of_probes(name: str) -> Read:
    return lambda found: sum(one[name] for one in found["probes"].values())


FIGURES: Mapping[str, list[tuple[str, str, Read]]] = {
    "failover": [
        *_seconds("mesh.failover"),
        ("mesh.failover.takeovers", "takeovers", lambda found: len(found["takeovers"])),
        ("mesh.failback.lost_probes", "probes", _number("failback_lost_probes")),
        ("mesh.failback.probes", "probes", _total("sent")),
    ],
    "segments": [
        *_seconds("mesh.segment_takeover"),
        ("mesh.segment_takeover.takeovers", "takeovers", lambda found: len(found["takeovers"])),
    ],
    "rotation": [
        ("mesh.rotation.lost_probes", "probes", _of_probes("lost")),
        ("mesh.rotation.probes", "probes", _of_probes("sent")),
    ],
    "drain": [
        ("mesh.drain.lost_probes", "probes", _total("lost")),
        ("mesh.drain.probes", "probes", _total("sent")),
    ],
}


# Each deletes what an earlier run left, so that no figure is older than it seems.
DRILLS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "drills of the demo estate": (
        ("failover", "drain", "rotation"),
        (
            str(PYTHON), "-m", "pytest", "--long", "-p", "no:cacheprovider", "tests/drills/test_failover.py",
            "tests/drills/test_operations.py::test_drain_and_undrain_lose_nothing",
            "tests/drills/test_rotation.py::test_a_whole_rotation_loses_nothing",
        ),
    ),
    "takeovers of a segment": (("segments",), ("tests/molecule.sh", "segments")),
}  # fmt: skip


def measure() -> None:
    """Run the drills, and print their figures; raises BenchError after them where one failed."""
    problems = []
    run("lab/bootstrap.sh", "lab")
    for title, (kept, command) in DRILLS.items():
        say(f"{title} ...")
        for name in kept:
            (FOLDER / f"{name}.json").unlink(missing_ok=True)
        try:
            run(*command, PATH=f"{PYTHON.parent}:{os.environ['PATH']}")
        except BenchError as error:
            # what was kept until then is printed all the same
            problems.append(str(error))
    if problems:
        report(FOLDER, demand=False)
        raise BenchError("\n".join(problems))
    report(FOLDER)


def report(folder: Path, demand: bool = True) -> None:
    """Print the figures by the evidence that was kept; raises BenchError after them where some is missing.

    Without `demand` a figure without evidence is a line that says so.
    """
    problems = []
    for drill, figures in FIGURES.items():
        try:
            made_at, values = read_evidence(folder / f"{drill}.json", [read for _name, _unit, read in figures])
        except BenchError as error:
            problems.append(str(error))
            for name, unit, _read in figures:
                missing(name, unit, str(error))
            continue
        for (name, unit, _read), value in zip(figures, values, strict=True):
            figure(name, value, unit, made_at=made_at)
    if problems and demand:
        raise BenchError("\n".join(problems))


def read_evidence(
    path: Path, reads: Sequence[Read], maker: str = "make bench BENCH=mesh, or with make drills"
) -> tuple[str, list[float]]:
    """When a drill was made, and its figures; raises BenchError where the file is not there or is no evidence.

    `maker` is what makes it, for the sentence of that error.
    """
    how = f"make one with {maker}."
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        made_at = datetime.fromisoformat(found["made_at"]).isoformat()
        return made_at, [read(found) for read in reads]
    except FileNotFoundError:
        raise BenchError(f"There is no evidence of a drill in {path}; {how}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(f"The file {path} is no evidence of a drill ({error!r}); {how}") from error
