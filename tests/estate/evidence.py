# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill showed is kept in build/drills under its name, for `make bench` and for whoever wants to look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import driver


def keep(name: str, found: Mapping[str, Any]) -> None:
    """In place of what the last drill of that name left."""
    folder = driver.ROOT / "build" / "drills"
    folder.mkdir(parents=True, exist_ok=True)
    kept = {"made_at": datetime.now(UTC).isoformat(timespec="seconds"), **found}
    (folder / f"{name}.json").write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
