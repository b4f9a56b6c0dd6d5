# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the solver beside libsolv, which also referees each universe: whether it can be met, and with how much.

Both begin with candidates in memory and end with what shall be there; libsolv's solving without its reading is told
too. By itself: tests/bench/packages_solve.py [--names 2000] [--universes 40]; it ends with 1 if the two disagree.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "build/src"), str(ROOT / "tests/unit/plugins/module_utils/_packages")]

from bocage_core._packages.solver import Impossible, Solution, solve  # noqa: E402
from figures import figure  # noqa: E402
from random_universes import Drawn, draw, shapes  # noqa: E402
from referee import Referee, changes, wrong  # noqa: E402
from runs import BenchError, say  # noqa: E402

NAMES = 2_000


def measure(names: int = NAMES, universes: int = 40) -> None:
    """Prints the figures. Raises BenchError where the referee says otherwise, or a selection is wrong."""
    ours: list[float] = []
    theirs: list[float] = []
    solving: list[float] = []
    counts: Counter[str] = Counter()
    for name, shape in shapes(names):
        before = counts.copy()
        start = len(ours)
        for seed in range(max(1, universes // 5)):
            drawn = draw(seed, shape)
            started = time.process_time()
            referee = Referee(drawn.universe, drawn.goal)
            read = time.process_time()
            verdict = referee.solve()
            solved = time.process_time()
            found = _answer(drawn)
            ours.append(time.process_time() - solved)
            theirs.append(solved - started)
            solving.append(solved - read)
            if (found is None) != (verdict is None):
                raise BenchError(f"libsolv disagrees: {name}, seed {seed}, {'possible' if verdict else 'impossible'}.")
            counts["possible" if found else "impossible"] += 1
            if found is None or verdict is None:
                continue
            if mistakes := wrong(drawn.universe, drawn.goal, found.chosen):
                raise BenchError(f"The selection of {name}, seed {seed}, is wrong: {mistakes[0]}.")
            mine, other = changes(drawn.universe, found.chosen), changes(drawn.universe, verdict)
            counts.update({found.found_by: 1, "changes": mine, "the referee's": other, "more": max(0, mine - other)})
            counts["removals"] += sum(one not in found.chosen for one in drawn.universe.installed)
            counts["the referee's removals"] += sum(one not in verdict for one in drawn.universe.installed)
        slowest = max(ours[start:])
        say(f"   {name}: slowest {slowest:.2f} s, {dict(counts - before)}")
    figure(f"packages.solve.{names}.seconds", statistics.median(ours), "s", statistics.median(theirs))
    figure(f"packages.solve.{names}.max_seconds", max(ours), "s", max(theirs))
    figure(f"packages.solve.{names}.ratio_to_libsolv", sum(ours) / sum(theirs), "ratio")
    figure(f"packages.solve.{names}.ratio_to_libsolv_without_reading", sum(ours) / sum(solving), "ratio")
    figure(f"packages.solve.{names}.universes_agreed", counts["possible"] + counts["impossible"], "universes")
    figure(f"packages.solve.{names}.changes", counts["changes"], "changes", counts["the referee's"])
    figure(f"packages.solve.{names}.changes_beyond_libsolv", counts["more"], "changes")
    figure(f"packages.solve.{names}.removals", counts["removals"], "removals", counts["the referee's removals"])


def _answer(drawn: Drawn) -> Solution | None:
    try:
        return solve(drawn.universe, drawn.goal)
    except Impossible:
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument("--universes", type=int, default=40)
    options = parser.parse_args()
    try:
        measure(options.names, options.universes)
    except BenchError as error:
        say(f"packages_solve.py: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
