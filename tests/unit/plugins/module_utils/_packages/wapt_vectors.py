# SPDX-License-Identifier: GPL-3.0-or-later
"""The data that WAPT's own code judged; see its README for what is what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[4] / "vectors" / "wapt"


def table(name: str) -> dict[str, Any]:
    """One file of verdicts."""
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found
