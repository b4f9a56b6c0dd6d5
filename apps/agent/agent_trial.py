# SPDX-License-Identifier: GPL-3.0-or-later
"""An update of the agent on trial: what is written down of it, so that it survives whatever cuts it off.

`prepared` -> `switched` -> `kept`, or -> `returning` -> `returned`, or -> `left` where others put a version in place.
The verdict is then taken into the state of packages by the agent that runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, canonical
from bocage_core._common import fields as checks
from bocage_core._common.errors import BocageError

# The name under which the agent is a package.
PACKAGE = "bocage-agent"
FOLDER = "agent"
STEPS = ("prepared", "switched", "kept", "returning", "returned", "left")
OUTCOMES = ("kept", "returned", "left")
ON_TRIAL = "It is on trial until it has made a report that the registry takes"
TRIAL_SECONDS = 300
_TRIAL = "trial.json"
_VERDICT = "verdict.json"
_MAX_BYTES = 65536
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Trial:
    package: str
    """Version of the package."""
    old: str
    """Version of the agent that was there before, and to which is returned."""
    new: str
    step: str = "prepared"
    managed: str = ""
    """The version that a package had put there before; empty where a role did."""
    refused_before: bool = False
    """Whether the registry refused reports of the agent before, too."""
    waited: int = 0
    """Seconds of its time that are over."""
    starts: int = 0
    """How often who watches it was begun anew, as after a crash of the host."""
    rounds: int = 0
    """How often its time was over without any answer of the registry, to whichever version."""
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    package: str
    agent: str
    outcome: str
    reason: str = ""


def read(folder: Path) -> Trial | None:
    """What is on trial; a document that is damaged is none, and is told by whoever finds no verdict."""
    document = _read(folder / _TRIAL, Trial)
    return Trial(**document) if document is not None and document["step"] in STEPS else None


def write(folder: Path, trial: Trial) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic.write_file(folder / _TRIAL, canonical.dumps(asdict(trial)), 0o600)


def is_damaged(folder: Path) -> bool:
    return (folder / _TRIAL).exists() and read(folder) is None


def read_verdict(folder: Path) -> Verdict | None:
    document = _read(folder / _VERDICT, Verdict)
    return Verdict(**document) if document is not None and document["outcome"] in OUTCOMES else None


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """The verdict first, then there is no trial any more."""
    atomic.write_file(folder / _VERDICT, canonical.dumps(asdict(verdict)), 0o600)
    end(folder)


def end(folder: Path) -> None:
    (folder / _TRIAL).unlink(missing_ok=True)
    atomic.sync_directory(folder)


def drop_verdict(folder: Path) -> None:
    (folder / _VERDICT).unlink(missing_ok=True)


def concerns(folder: Path, package: str) -> bool:
    """Whether this version of the package is on trial, or was and nobody has looked at the verdict."""
    trial, verdict = read(folder), read_verdict(folder)
    return package in (trial and trial.package, verdict and verdict.package)


def _read(path: Path, kind: type[Trial] | type[Verdict]) -> dict[str, Any] | None:
    what = f"the file {path}"
    try:
        document = checks.record(canonical.loads(atomic.read_bounded(path, _MAX_BYTES), what), what)
        checks.only(document, frozenset(one.name for one in fields(kind)), _NONE, what)
        for one in fields(kind):
            if one.type == "int":
                checks.integer(document, one.name, what)
            elif one.type == "bool":
                checks.flag(document, one.name, what)
            else:
                checks.text(document, one.name, what)
        return document
    except (FileNotFoundError, NotADirectoryError, BocageError):
        return None
