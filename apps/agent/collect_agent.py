# SPDX-License-Identifier: GPL-3.0-or-later
"""The section `agent`: which version runs, and whether its folder is as who verified its bytes left it.

All of it is looked at before each report, and read again where an inode changed, or once a day. What is found is kept
beside the agent's own state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, canonical, fields, program_list, programs, timestamps
from bocage_core._common.errors import BocageError

from .commands import sentence

SEEN = "folder.json"
MAX_FINDINGS = 5
READ_AGAIN = timedelta(hours=24)
_LISTS = programs.LISTS / "agent"
_FIELDS = frozenset({"version", "inodes", "altered", "read_at"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Home:
    """Where an agent is installed: the folder of all versions, and the one that this program is of."""

    root: Path
    version: str


def home(file: str = __file__) -> Home | None:
    """None for an agent that runs from sources or from a wheel."""
    place = Path(file).resolve()
    if place.parent.parent.name != "lib":
        return None
    version = place.parents[2]
    return Home(version.parent, version.name) if (version.parent / "current").is_symlink() else None


def collect_agent(state: Path, now: datetime, place: Home | None = None, lists: Path = _LISTS) -> dict[str, Any] | None:
    """The section; None where the agent is not installed as the role or a package installs it."""
    place = place or home()
    if place is None:
        return None
    findings, read_at = look(state, now, place, lists)
    shown = [sentence(one)[:200] for one in findings[:MAX_FINDINGS]]
    if len(findings) > MAX_FINDINGS:
        shown[-1] = f"{len(findings) - MAX_FINDINGS + 1} more files of the agent are not as they were installed."
    return {
        "version": place.version,
        "managed": programs.managed(lists) == place.version,
        "read_at": read_at,
        "drift": shown,
    }


def look(state: Path, now: datetime, place: Home, lists: Path = _LISTS) -> tuple[list[str], str | None]:
    """What is wrong with the folder, in sentences; and when its contents were last read."""
    listed = program_list.read(lists / f"{place.version}.json")
    if listed is None:
        return [f"The list of files of the agent {place.version} is missing or damaged; run the role agent."], None
    seen = _seen(state / SEEN, place.version, now)
    known, altered = (None, ()) if seen is None else (seen["inodes"], tuple(seen["altered"]))
    found = program_list.compare(place.root / place.version, listed, known, altered)
    read_at = timestamps.write(now) if seen is None or found.was_read else seen["read_at"]
    if found.was_read and state.is_dir():
        document = {
            "version": place.version,
            "inodes": found.inodes,
            "altered": list(found.altered),
            "read_at": read_at,
        }
        atomic.write_file(state / SEEN, json.dumps(document, sort_keys=True).encode(), 0o600)
    above = [place.root.parent, place.root, place.root / "current"]
    return [*program_list.above(above, listed["owner"]), *found.findings], read_at


def _seen(path: Path, version: str, now: datetime) -> dict[str, Any] | None:
    """What the last reading of all contents found; None where it is of another version, or too long ago."""
    what = f"the file {path}"
    try:
        document = fields.record(canonical.loads(atomic.read_bounded(path, program_list.MAX_BYTES), what), what)
        fields.only(document, _FIELDS, _NONE, what)
        fields.text(document, "inodes", what, fields.SHA256)
        fields.texts(document, "altered", what, most=100_000)
        before = timestamps.parse(document["read_at"], what)
    except (FileNotFoundError, BocageError):
        return None
    # one of the future was made by another clock
    fresh = document["version"] == version and timedelta() <= now - before < READ_AGAIN
    return document if fresh else None
