# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as JSON, one object a line: name, value, unit, baseline, ratio.

The baseline is the same work done by a peer or by the bare machine in the same
run; a peer that is missing is told in words, never left out in silence.
"""

from __future__ import annotations

import json

# Enough for any figure, and short enough to read.
_DIGITS = 4


def figure(
    name: str,
    value: float,
    unit: str,
    baseline: float | None = None,
    *,
    missing_baseline: str | None = None,
    made_at: str | None = None,
) -> None:
    """Print one figure; `missing_baseline` says why there is nothing to compare with where there should be.

    A figure that was measured earlier has the time of it in `made_at`.
    """
    found: dict[str, object] = {
        "name": name,
        "value": _short(value),
        "unit": unit,
        "baseline": None if baseline is None else _short(baseline),
        "ratio": _short(value / baseline) if baseline else None,
    }
    if missing_baseline is not None:
        found["missing_baseline"] = missing_baseline
    if made_at is not None:
        found["made_at"] = made_at
    print(json.dumps(found), flush=True)


def missing(name: str, unit: str, why: str) -> None:
    """A figure that cannot be had, with the reason in one sentence."""
    print(
        json.dumps({"name": name, "value": None, "unit": unit, "baseline": None, "ratio": None, "missing": why}),
        flush=True,
    )


def _short(value: float) -> float:
    """Integers as they are, others with a few significant digits."""
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")
