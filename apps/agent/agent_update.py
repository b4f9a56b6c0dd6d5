# SPDX-License-Identifier: GPL-3.0-or-later
"""The first half of an update of the agent by a package: all that is done before the new one runs.

It works in the process of the package's hook, with the code of the agent that is there. That code is copied aside: it
watches the trial, and returns to itself where the new one fails.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bocage_core._common import atomic, canonical, fields, programs
from bocage_core._common.commands import Run
from bocage_core._common.errors import BocageError

from . import agent_trial, commands
from .agent_reports import read_outcome
from .agent_trial import Trial
from .collect_agent import Home, home

ARCHIVE = "agent.tar.gz"
ABOUT = "agent.json"
PROGRAM = Path("bin/bocage-agent")
KEEPER = programs.DIRECTORY / "agent-keeper"
WATCHER = Path("/etc/systemd/system/bocage-agent-update.path")
_LIBRARY = ("bocage_agent", "bocage_core")
_ABOUT = frozenset({"version"})
_NONE: frozenset[str] = frozenset()
_SECONDS = 600


@dataclass(frozen=True)
class Places:
    """Where an agent and what belongs to it lies on this host."""

    home: Home
    lists: Path
    keeper: Path
    watcher: Path
    status: Path


def places(status: Path = Path("/var/lib/bocage/agent/status.json")) -> Places:
    """Of the agent that this code is of; raises BocageError where nothing can be updated."""
    found = home()
    if found is None:
        raise BocageError("This agent was not installed by a role or a package, so that no package can update it.")
    return Places(found, programs.LISTS / "agent", KEEPER, WATCHER, status)


def update(content: Path, package: str, folder: Path, at: Places | None = None, run: Run | None = None) -> str:
    """Make the agent in `content` ready for its trial, which begins when this run is over; what was done, in words."""
    at, run = at or places(), run or _run
    what = f"{ABOUT} of the package"
    about = fields.record(canonical.loads(atomic.read_bounded(content / ABOUT, 4096), what), what)
    fields.only(about, _ABOUT, _NONE, what)
    new = programs.check_version(fields.text(about, "version", what))
    root = at.home.root
    before = programs.current(root)
    trial = agent_trial.read(folder)
    if trial is not None and (trial.package, trial.new) == (package, new):
        return f"The agent {new} is on trial already."
    if trial is not None:
        raise BocageError(f"The agent {trial.new} is on trial on this host; wait until that is over.")
    if before is None:
        raise BocageError(f"No agent is installed in {root}; run the role agent.")
    whole = programs.is_whole(root, new, at.lists)
    if before == new and whole:
        programs.set_managed(at.lists, new)
        return f"The agent {new} runs already."
    # what a package brought goes back by a package, as where a ring of a rollout is taken back
    if programs.managed(at.lists) != before and programs.is_newer(before, new):
        return f"The agent {before} is of a newer release than {new}, and stays."
    if before == new:
        raise BocageError(f"The agent {new} runs and was altered; run the role agent, then this again.")
    if not at.watcher.exists():
        raise BocageError(f"{at.watcher} is missing, which watches an update of the agent; run the role agent.")
    if not whole:
        programs.unpack(run, content / ARCHIVE, root / new, at.lists)
    if not os.access(root / new / PROGRAM, os.X_OK):
        raise BocageError(f"The agent {new} of the package has no program {PROGRAM}; make the package anew.")
    _keep(root / before, at.keeper)
    status = read_outcome(at.status)
    agent_trial.drop_verdict(folder)
    agent_trial.write(
        folder,
        Trial(
            package=package,
            old=before,
            new=new,
            managed=programs.managed(at.lists) or "",
            refused_before=status is not None and status.refused,
        ),
    )
    return f"The agent {new} is on trial when this run is over; {before} comes back where it does not report."


def release(folder: Path, at: Places | None = None) -> str:
    """The package goes; the agent stays, and roles look after it again."""
    at = at or places()
    if agent_trial.read(folder) is not None:
        raise BocageError("An update of the agent is on trial on this host; wait until that is over.")
    programs.set_managed(at.lists, None)
    return "The agent stays; the role agent looks after it again."


def _keep(version: Path, keeper: Path) -> None:
    """Copy the code that watches: what it needs is Python and the agent's own sources."""
    fresh, stale = keeper.with_name(f".{keeper.name}.new"), keeper.with_name(f".{keeper.name}.old")
    for left in (fresh, stale):
        if left.exists():
            # of a run that was cut off
            shutil.rmtree(left)
    shutil.copytree(version / "bin", fresh / "bin")
    for name in _LIBRARY:
        shutil.copytree(version / "lib" / name, fresh / "lib" / name)
    if keeper.exists():
        keeper.replace(stale)
    fresh.replace(keeper)
    atomic.sync_directory(keeper.parent)
    if stale.exists():
        shutil.rmtree(stale)


def _run(command: list[str]) -> tuple[int, str, str]:
    before = os.umask(0o022)
    try:
        return commands.run(command, _SECONDS)
    finally:
        os.umask(before)
