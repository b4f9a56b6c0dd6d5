# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a run that starts from reports: a thousand hosts, of which ten report another digest than is desired.

The run is what site.yml does before the first role: the inventory is checked, what is desired is worked out for all
hosts, and those that differ are asked. Beside it stands an empty play on the same hosts, which reads the same
inventory with all its signatures. Calls of ssh are counted; hosts that did not change have no address.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "build/src"))

from bench_lab import hosts  # noqa: E402
from changed_data import Changed  # noqa: E402
from figures import figure  # noqa: E402
from runs import ROOT, BenchError, Done, Sessions, counted_sessions, interleaved, playbook, say  # noqa: E402

HOSTS = 1000
ONLY_CHANGED = ("-e", "bocage_converge=changed")


def prepare(folder: Path, count: int) -> Changed:
    """Hosts whose reports say that they are as desired, but ten."""
    estate = Changed(folder, count, list(hosts().values()), ROOT / ".lab")
    estate.write()
    plan = folder / "plan.json"
    playbook(estate.inventory, HERE / "changed_plan.yml", "-e", f"plan_file={plan}")
    estate.report(json.loads(plan.read_text()))
    return estate


def measure(rounds: int, quick: bool) -> None:
    count = HOSTS // 10 if quick else HOSTS
    with tempfile.TemporaryDirectory(prefix="bocage-bench-") as name:
        folder = Path(name)
        say(f"{count} hosts, their keys and reports ...")
        estate = prepare(folder, count)
        profile = folder / "profile.json"

        def compare(**environment: str) -> Done:
            return playbook(
                estate.inventory, HERE / "changed.yml", *ONLY_CHANGED, BOCAGE_PROFILE_PATH=str(profile), **environment
            )

        contacted = count_contacted(estate, compare)
        found = interleaved(
            rounds,
            {
                "empty play": lambda: playbook(estate.inventory, HERE / "empty.yml").seconds,
                "changed": lambda: compare().seconds,
            },
        )
        figure("converge.changed.hosts_contacted", contacted, "hosts", baseline=count)
        figure("converge.changed.seconds", found["changed"], "s", baseline=found["empty play"])
        for task in json.loads(profile.read_text())["tasks"]:
            say(f"of these {task['seconds']:.1f} s: {task['name']}")


def count_contacted(estate: Changed, compare: Callable[..., Done]) -> int:
    """How many hosts were called at all; that they are those that changed is a condition of the figures."""
    sessions: Sessions
    with counted_sessions() as (environment, sessions):
        compare(**environment)
    contacted = {*sessions.hosts, *sessions.forwards}
    if contacted != set(estate.changed.values()):
        raise BenchError(f"Contacted were {sorted(contacted)}, but {sorted(estate.changed.values())} had changed.")
    return len(contacted)
