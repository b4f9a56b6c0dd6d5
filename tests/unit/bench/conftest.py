# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks are programs in a folder, not a package."""

from __future__ import annotations

import sys
from pathlib import Path

BENCH = str(Path(__file__).resolve().parents[3] / "tests/bench")
if BENCH not in sys.path:
    sys.path.append(BENCH)
