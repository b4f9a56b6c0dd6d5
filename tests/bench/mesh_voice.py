# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a call through a full uplink, with the role voice and without it, on the lab of the scenario of that name.

The lab is made where it does not stand, and removed again.
"""

from __future__ import annotations

import json
import os

from figures import figure, missing
from runs import PYTHON, ROOT, BenchError, run, say

SECONDS = 20
PODMAN = ROOT / "lab/bin/podman"
HOME = "bocage-voice-voice-home"
NAME = "mesh.voice.p99_ms_loaded"


def _molecule(*steps: str) -> None:
    for step in steps:
        run(
            PYTHON.with_name("molecule"), step, "--scenario-name", "voice",
            MOLECULE_GLOB="molecule/*/molecule.yml", PATH=f"{PYTHON.parent}:{os.environ['PATH']}",
        )  # fmt: skip


def measure(seconds: int = SECONDS) -> None:
    """The delay of a call beside a flood; its baseline is the same call without classes."""
    try:
        stood = HOME in run(PODMAN, "ps", "--format", "{{.Names}}").output.split()
        if not stood:
            say("the lab of the scenario voice ...")
        try:
            # what stands was perhaps changed by a test
            _molecule("create", "prepare", "converge")
            found = json.loads(run(PYTHON, ROOT / "molecule/voice/files/measure.py", PODMAN, str(seconds)).output)
        finally:
            if not stood:
                _molecule("destroy")
    except BenchError as error:
        missing(NAME, "ms", str(error).splitlines()[0])
        return
    loaded, without, alone = found["with"], found["without"], found["alone"]
    figure(NAME, loaded["p99_ms"], "ms", without["p99_ms"])
    figure("mesh.voice.p99_ms_alone", alone["p99_ms"], "ms")
    for name, one in (("loaded", loaded), ("loaded_without_classes", without)):
        figure(f"mesh.voice.lost_percent_{name}", 100 * one["lost"] / one["sent"], "%")


if __name__ == "__main__":
    measure()
