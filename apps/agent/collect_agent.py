# SPDX-License-Identifier: GPL-3.0-or-later
"""The section `agent`: which version runs, and whether its folder is as who verified its bytes left it.

All of it is looked at before each report, and read again where an inode changed, or once a day. What is found is kept
beside the agent's own state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
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
_FIELDS = frozenset({"version", "list", "owner", "inodes", "findings", "read_at"})
_MOST_KEPT = 100
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
    path = lists / f"{place.version}.json"
    folder = place.root / place.version
    digest = _digest(path)
    seen = _seen(state / SEEN, place.version, now)
    if seen is not None and seen["list"] == digest and seen["inodes"] == program_list.inodes(folder):
        return [*_above(place, int(seen["owner"])), *seen["findings"]], seen["read_at"]
    listed = program_list.read(path)
    if listed is None:
        return [f"The list of files of the agent {place.version} is missing or damaged; run the role agent."], None
    found = program_list.compare(folder, listed)
    document = {
        "version": place.version,
        "list": digest,
        "owner": listed["owner"],
        "inodes": found.inodes,
        "findings": [sentence(one)[:200] for one in found.findings[:_MOST_KEPT]],
        "read_at": timestamps.write(now),
    }
    if state.is_dir():
        atomic.write_file(state / SEEN, json.dumps(document, sort_keys=True).encode(), 0o600)
    return [*_above(place, listed["owner"]), *document["findings"]], document["read_at"]


def _above(place: Home, owner: int) -> Iterator[str]:
    return program_list.above([place.root.parent, place.root, place.root / "current"], owner)


def _digest(path: Path) -> str:
    try:
        return canonical.digest(atomic.read_bounded(path, program_list.MAX_BYTES))
    except (FileNotFoundError, NotADirectoryError, BocageError):
        return ""


def _seen(path: Path, version: str, now: datetime) -> dict[str, Any] | None:
    """What the last reading of all contents found; None where it is of another version, or too long ago."""
    what = f"the file {path}"
    try:
        document = fields.record(canonical.loads(atomic.read_bounded(path, 1024 * 1024), what), what)
        fields.only(document, _FIELDS, _NONE, what)
        for name in ("list", "inodes"):
            fields.text(document, name, what, fields.SHA256)
        fields.integer(document, "owner", what)
        fields.texts(document, "findings", what, most=_MOST_KEPT)
        before = timestamps.parse(document["read_at"], what)
    except (FileNotFoundError, BocageError):
        return None
    # one of the future was made by another clock
    fresh = document["version"] == version and timedelta() <= now - before < READ_AGAIN
    return document if fresh else None
