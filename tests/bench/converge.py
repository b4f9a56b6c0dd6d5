# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of converging: `noop` (the demo estate), `role20` (beside peers) and `changed` (a thousand hosts)."""

from __future__ import annotations

import argparse

import converge_changed
import converge_noop
import converge_role20
from bench_lab import bench_lab
from runs import say


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("noop", "role20", "changed"), help="one part of the figures")
    parser.add_argument(
        "--quick", action="store_true", help="one round, on labs that stand and stay, without the cold figure"
    )
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    if options.only in (None, "noop"):
        say("-> the demo estate, unchanged")
        converge_noop.measure(rounds, options.quick)
    if options.only == "noop":
        return
    with bench_lab(keep=options.quick):
        if options.only in (None, "role20"):
            say("-> a role of twenty resources, beside peers")
            converge_role20.measure(rounds, options.quick)
        if options.only in (None, "changed"):
            say("-> a thousand hosts that report, ten of them changed")
            converge_changed.measure(rounds, options.quick)


if __name__ == "__main__":
    main()
