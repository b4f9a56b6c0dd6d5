# SPDX-License-Identifier: GPL-3.0-or-later
"""How large packets may be on the paths of this host: a few are measured before each report, and remembered.

A path is measured again when something about it changed, and now and then: what is between may change unseen.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, timestamps
from bocage_core._common.commands import Run
from bocage_core._common.errors import BocageError
from bocage_core._mesh.path_sizes import PathSize, measure
from bocage_core._state.sections import MAX_PATHS

CACHE_FILE = "mtu.json"
PATHS_FILE = "paths.json"
# In one report: a path as planned takes four packets, and all of them wait together.
MOST_AT_ONCE = 16
_AGAIN_SECONDS = 6 * 3600
# A peer that did not answer.
_SILENT_SECONDS = 600
_TIMEOUT_SECONDS = 0.8
_DEADLINE_SECONDS = 5.0
_MAX_BYTES = 4 * 1024 * 1024

Measure = Callable[..., list[PathSize]]


def collect_mtu(run: Run, mesh_directory: Path, state_directory: Path, measurer: Measure = measure) -> list[Any]:
    """What the section `mesh` says in `paths`: those that were measured, those that carry too little first."""
    paths, known = known_paths(mesh_directory, state_directory)
    if not paths:
        return []
    now = int(timestamps.now().timestamp())
    due = [path for path in paths if known[path["address"]].get("until", 0) <= now]
    # else those behind many dead ones would wait for ever
    due.sort(key=lambda path: known[path["address"]].get("until", 0))
    if due:
        for size in measurer(run, due[:MOST_AT_ONCE], _TIMEOUT_SECONDS, _DEADLINE_SECONDS):
            known[size.address] = _remembered(size, now)
        kept = {address: entry for address, entry in known.items() if entry}
        if state_directory.is_dir():
            atomic.write_file(state_directory / CACHE_FILE, json.dumps(kept).encode(), 0o600)
    measured = [
        {"peer": path["peer"], "planned": path["mtu"], **entry["size"]}
        for path in paths
        if (entry := known[path["address"]]).get("size")
    ]
    measured.sort(key=lambda path: (path["measured"] >= path["planned"], path["peer"]))
    return measured[:MAX_PATHS]


def known_paths(mesh_directory: Path, state_directory: Path) -> tuple[list[Any], dict[str, dict[str, Any]]]:
    """The paths as planned, and by address what is remembered of each; `size` is None where nobody answered."""
    paths = _read(mesh_directory / PATHS_FILE, list)
    cache = _read(state_directory / CACHE_FILE, dict) if paths else {}
    return paths, {path["address"]: _usable(cache.get(path["address"]), path) for path in paths}


def _usable(entry: object, path: Mapping[str, Any]) -> dict[str, Any]:
    """What is remembered of a path, unless something else is planned now."""
    return entry if isinstance(entry, dict) and entry.get("planned") == path["mtu"] else {}


def _remembered(size: PathSize, now: int) -> dict[str, Any]:
    if size.measured is None or size.allowed is None:
        return {"planned": size.planned, "until": now + _SILENT_SECONDS, "size": None}
    # not all paths of all hosts at the same time again; and what is not as planned may be repaired soon
    spread = zlib.crc32(f"{now}{size.address}".encode()) % (_AGAIN_SECONDS // 3)
    again = _SILENT_SECONDS if size.measured < size.planned else _AGAIN_SECONDS - spread
    return {
        "planned": size.planned,
        "until": now + again,
        "size": {"allowed": size.allowed, "measured": size.measured, "underlay": size.underlay},
    }


def _read(path: Path, kind: type[Any]) -> Any:
    """A JSON file of this host; one that is absent or damaged is as good as an empty one."""
    try:
        document = json.loads(atomic.read_bounded(path, _MAX_BYTES))
    except (FileNotFoundError, ValueError, BocageError):
        return kind()
    return document if isinstance(document, kind) else kind()
