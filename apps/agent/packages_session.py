# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up a user's session: what packages have to do in each user's own account, once for each version.

It runs as the user, with what the installation laid down for all to read; nothing of it needs rights on the host.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bocage_core._common import atomic
from bocage_core._common.errors import BocageError

from . import packages_platform as platform
from .packages_runner import Hook, Outcome, Runner

_MAX_SETUP = 4 * 1024 * 1024
_RUNTIME = Path("/run/user")
# What tells programs of a desktop where they show themselves.
_OF_DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE")
DONE = "session-setup.json"


@dataclass(frozen=True)
class Failure:
    package: str
    version: str
    reason: str


def set_up(
    sessions: Path, home: Path, seconds: int, log: Callable[[str], None], runner: Runner | None = None
) -> list[Failure] | None:
    """Run what this user has not had yet; what of it failed, or None where there was nothing to run."""
    runner = runner or Runner(False, home=str(home), session=environment(os.environ, _RUNTIME))
    state = Path(os.environ.get("XDG_STATE_HOME", home / ".local" / "state")) / "bocage"
    done = _read(state / DONE)
    due = [one for one in placed(sessions) if done.get(one.package) != one.version]
    if not due:
        return None
    with _alone(state) as alone:
        if not alone:
            return None  # another session of this user does it just now
        done = _read(state / DONE)
        failed: list[Failure] = []
        for hook in due:
            if done.get(hook.package) == hook.version:
                continue
            outcome = _run(runner, hook, seconds, log)
            if outcome.ok:
                done[hook.package] = hook.version
                _write(state, done)
                log(f"{hook.package} {hook.version}: session set up")
            else:
                failed.append(Failure(hook.package, hook.version, outcome.reason))
                log(f"{hook.package} {hook.version}: session-setup failed: {outcome.reason}")
        return failed


def environment(own: Mapping[str, str], runtime: Path) -> dict[str, str]:
    """What a hook needs to reach the user's desktop and bus, where there are some, beside what every hook gets."""
    found = {name: own[name] for name in _OF_DESKTOP if own.get(name)}
    if platform.WINDOWS:
        return found
    folder = runtime / str(os.getuid())
    # the places that systemd makes; others of the same names would be somebody else's
    if _is_mine(folder, stat.S_ISDIR):
        found["XDG_RUNTIME_DIR"] = str(folder)
        if _is_mine(folder / "bus", stat.S_ISSOCK):
            found["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={folder / 'bus'}"
    return found


def _is_mine(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return kind(found.st_mode) and found.st_uid == os.getuid()


def placed(sessions: Path) -> Iterator[Hook]:
    """What installations laid down; `folder` is where it lies."""
    for folder in sorted(sessions.iterdir()) if sessions.is_dir() else ():
        try:
            control = json.loads(atomic.read_bounded(folder / "control.json", 1024 * 1024))
        except (OSError, ValueError, BocageError):
            continue  # it is being replaced just now; the next session has it
        name, version = str(control.get("package", folder.name)), str(control.get("version", ""))
        yield Hook("session_setup", name, version, folder, folder, control)


def _run(runner: Runner, hook: Hook, seconds: int, log: Callable[[str], None]) -> Outcome:
    """In a folder of the user's own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bocage-session-") as place:
        work = Path(place)
        (work / "content").mkdir()
        try:
            setup = atomic.read_bounded(hook.folder / "setup.py", _MAX_SETUP)
        except (OSError, BocageError) as error:
            return Outcome(False, f"its setup.py cannot be read: {error}")
        (work / "content" / "setup.py").write_bytes(setup)
        mine = Hook(hook.name, hook.package, hook.version, work / "content", work, hook.control)
        return runner.run(mine, seconds, lambda text: log(f"{hook.package}| {text}"))


@contextmanager
def _alone(state: Path) -> Iterator[bool]:
    """Whether no other session of this user is at it; what was done is kept before anything is done."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(state / "session-setup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BocageError(f"{state} cannot be written: {error.strerror}; nothing was set up.") from error
    try:
        yield platform.WINDOWS or platform.take_lock(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(atomic.read_bounded(path, 1024 * 1024))
    except (OSError, ValueError, BocageError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(state: Path, done: dict[str, str]) -> None:
    try:
        atomic.write_file(state / DONE, json.dumps(done, sort_keys=True).encode(), 0o600)
    except OSError as error:
        raise BocageError(f"{state / DONE} cannot be written: {error.strerror}.") from error
