# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a bad package in rings, by the evidence that tests/estate/test_8_rollouts.py keeps in build/drills."""

from __future__ import annotations

from figures import figure, missing
from mesh_drills import FOLDER, read_evidence
from runs import BenchError

FIGURES = (
    ("rollout.bad.hosts_broken", "hosts", lambda found: found["hosts_broken"]),
    ("rollout.bad.hosts", "hosts", lambda found: found["hosts"]),
    ("rollout.bad.seconds_to_stop", "seconds", lambda found: found["seconds_to_stop"]),
)
MAKER = "make test-estate"


def report() -> None:
    """A figure without evidence is a line that says so: a bench of packages needs no lab."""
    try:
        made_at, values = read_evidence(FOLDER / "rollout.json", [read for _name, _unit, read in FIGURES], MAKER)
    except BenchError as error:
        for name, unit, _read in FIGURES:
            missing(name, unit, str(error))
        return
    for (name, unit, _read), value in zip(FIGURES, values, strict=True):
        figure(name, value, unit, made_at=made_at)
