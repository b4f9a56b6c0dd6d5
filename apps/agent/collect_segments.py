# SPDX-License-Identifier: GPL-3.0-or-later
"""The section `segments`: of each layer-2 segment of a gateway, whether its way into the LAN is by this gateway."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from bocage_core._state.sections import MAX_SEGMENTS

# Written by bocage-segments every two seconds, and taken away when it stops.
STATUS_FILE = Path("/run/bocage/segments/status.json")
_SILENT_SECONDS = 60


def collect_segments(status_file: Path = STATUS_FILE, now: float | None = None) -> dict[str, Any] | None:
    """The section, or None on a host that elects nobody; what is wrong is said in `drift`, never raised."""
    section: dict[str, Any] = {"segments": [], "drift": []}
    try:
        age = (time.time() if now is None else now) - status_file.stat().st_mtime
        entries = json.loads(status_file.read_text()).items()
        section["segments"] = [
            {"name": str(name), "active": one["active"] is True, "fitness": str(one["fitness"])[:32]}
            for name, one in sorted(entries)
        ][:MAX_SEGMENTS]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        section["drift"].append("What the election of segments wrote cannot be read; see bocage-segments-elector.")
        return section
    if age > _SILENT_SECONDS:
        section["drift"].append(f"The election of segments has been silent for {int(age)} seconds.")
        section["segments"] = [{**one, "active": False} for one in section["segments"]]
    return section
