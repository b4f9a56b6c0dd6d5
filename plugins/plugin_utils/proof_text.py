# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of probes in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TITLES = {
    "overlay": "hosts reach each other over the overlay, and no others",
    "names": "names of the estate resolve",
    "mtu": "each path carries the planned size in one piece, and not a byte more",
    "pages": "pages open through the gateways",
    "outsiders": "hosts outside the overlay reach none of it",
    "state": "every host's state is fresh",
    "listeners": "nothing listens outside overlay and loopback",
    "tunnel-down": "with its tunnel down, a host reaches nothing of it",
}


def summary(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a proof, in the order of the titles."""
    found: dict[str, dict[str, Any]] = {}
    for result in results:
        row = found.setdefault(
            result["proof"], {"proof": result["proof"], "passed": 0, "total": 0, "slowest_seconds": 0.0}
        )
        row["total"] += 1
        row["passed"] += bool(result["passed"])
        row["slowest_seconds"] = max(row["slowest_seconds"], float(result.get("seconds", 0)))
    order = list(TITLES)
    return sorted(
        found.values(),
        key=lambda row: (order.index(row["proof"]) if row["proof"] in order else len(order), row["proof"]),
    )


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The proofs as lines of text."""
    titles = [TITLES.get(row["proof"], row["proof"]) for row in rows]
    width = max((len(title) for title in titles), default=0)
    lines = [""]
    for row, title in zip(rows, titles, strict=True):
        verdict = "proved" if row["passed"] == row["total"] else "FAILED"
        lines.append(
            f"  {verdict}  {title:<{width}}  {row['passed']:>4} of {row['total']:<4} slowest {row['slowest_seconds']:.2f} s"
        )
    return "\n".join(lines) + "\n"


def failures(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence a failed probe."""
    return [
        f"{result['about']} ({result['kind']} {result['target']}): "
        + (result.get("reason") or ("did not work" if result["reach"] else "worked, and must not"))
        for result in results
        if not result["passed"]
    ]
