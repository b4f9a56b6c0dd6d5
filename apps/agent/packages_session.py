# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up a user's session: what packages have to do in each user's own account, once for each version.

It runs as the user, with what the installation laid down for all to read; nothing of it needs rights on the host.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from bocage_core._common import atomic
from bocage_core._common.errors import BocageError

from .packages_runner import Hook, Runner

_MAX_SETUP = 4 * 1024 * 1024
DONE = "session-setup.json"


def set_up(sessions: Path, home: Path, seconds: int, log: Callable[[str], None], runner: Runner | None = None) -> bool:
    """Run what this user has not had yet; whether all of it went well."""
    runner = runner or Runner(False, home=str(home))
    state = Path(os.environ.get("XDG_STATE_HOME", home / ".local" / "state")) / "bocage"
    done = _read(state / DONE)
    good = True
    for folder in sorted(sessions.iterdir()) if sessions.is_dir() else ():
        try:
            control = json.loads(atomic.read_bounded(folder / "control.json", 1024 * 1024))
            setup = atomic.read_bounded(folder / "setup.py", _MAX_SETUP)
        except (OSError, ValueError, BocageError):
            continue  # it is being replaced just now; the next session has it
        name, version = str(control.get("package", folder.name)), str(control.get("version", ""))
        if done.get(name) == version:
            continue
        with tempfile.TemporaryDirectory(prefix="bocage-session-") as place:
            work = Path(place)
            (work / "content").mkdir()
            (work / "content" / "setup.py").write_bytes(setup)
            hook = Hook("session_setup", name, version, work / "content", work, control)
            outcome = runner.run(hook, seconds, _line(log, name))
        if outcome.ok:
            done[name] = version
            _write(state, done)
            log(f"{name} {version}: session set up")
        else:
            good = False
            log(f"{name} {version}: session-setup failed: {outcome.reason}")
    return good


def _line(log: Callable[[str], None], name: str) -> Callable[[str], None]:
    return lambda text: log(f"{name}| {text}")


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(atomic.read_bounded(path, 1024 * 1024))
    except (OSError, ValueError, BocageError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(state: Path, done: dict[str, str]) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True)
        atomic.write_file(state / DONE, json.dumps(done, sort_keys=True).encode(), 0o600)
    except OSError as error:
        raise BocageError(f"{state / DONE} cannot be written: {error.strerror}.") from error
