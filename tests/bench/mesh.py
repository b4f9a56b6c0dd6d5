# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the mesh: plans of estates (`plan`), a full mesh as files (`render`), one changed peer (`one_peer`),
the rules of a gateway (`gateway`), a call through a full uplink (`voice`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build" / "src"))

import mesh_gateway
import mesh_one_peer
import mesh_plan
import mesh_render
import mesh_voice
from runs import say

PARTS = ("plan", "render", "one_peer", "gateway", "voice")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=PARTS, help="one part of the figures")
    parser.add_argument("--hosts", type=int, help="plan this many hosts only")
    parser.add_argument("--quick", action="store_true", help="one round, and no plan of 25,000 hosts")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    wanted = PARTS if options.only is None else (options.only,)
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


if __name__ == "__main__":
    main()
