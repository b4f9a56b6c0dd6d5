# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the mesh: plans of estates (`plan`), a full mesh as files (`render`), one changed peer (`one_peer`),
the rules of a gateway (`gateway`), a call through a full uplink (`voice`), takeovers and other drills (`drills`)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build" / "src"))

import mesh_drills
import mesh_gateway
import mesh_one_peer
import mesh_plan
import mesh_render
import mesh_voice
from runs import BenchError, say

PARTS = ("plan", "render", "one_peer", "gateway", "voice", "drills")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=PARTS, help="one part of the figures")
    parser.add_argument("--hosts", type=int, help="plan this many hosts only")
    parser.add_argument("--quick", action="store_true", help="one round, and no plan of 25,000 hosts")
    parser.add_argument(
        "--evidence", nargs="?", const=mesh_drills.FOLDER, type=Path, metavar="FOLDER",
        help="figures of drills by what the last ones kept (in build/drills); runs nothing",
    )  # fmt: skip
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    wanted = PARTS if options.only is None else (options.only,)
    if options.evidence is not None:
        wanted = ("drills",)
    if "plan" in wanted:
        say("-> plans of estates")
        sizes = mesh_plan.SIZES[: 2 if options.quick else None]
        for hosts in (options.hosts,) if options.hosts else sizes:
            mesh_plan.measure(hosts, min(rounds, 3))
    if "render" in wanted:
        say("-> a full mesh as files, beside wg-meshconf")
        mesh_render.measure(rounds)
    if "one_peer" in wanted:
        say("-> one changed peer among a thousand")
        mesh_one_peer.measure(rounds)
    if "gateway" in wanted:
        say("-> through a gateway with its rules and without")
        mesh_gateway.measure(rounds)
    if "voice" in wanted:
        say("-> a call through a full uplink, with classes and without")
        mesh_voice.measure()
    if "drills" in wanted:
        say("-> takeovers, a drain, new keys")
        try:
            drills(options)
        except BenchError as error:
            sys.exit(f"mesh: {error}")


def drills(options: argparse.Namespace) -> None:
    """They take long: among all groups of figures, and in haste, what was kept of the last ones will do."""
    if options.evidence is not None:
        mesh_drills.report(options.evidence)
    elif options.only is None and (options.quick or os.environ.get("BOCAGE_BENCH_GROUPS") == "all"):
        mesh_drills.report(mesh_drills.FOLDER, demand=False)
    else:
        mesh_drills.measure()


if __name__ == "__main__":
    main()
