# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between operating systems, in one place: paths, locks, groups of processes, who a user is."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

try:
    import fcntl
    import grp
    import pwd
except ImportError:  # Windows has none of them
    WINDOWS = True
else:
    WINDOWS = False

SYSTEMD = Path("/run/systemd/system")
_REPORT_SECONDS = 20


@dataclass(frozen=True)
class Places:
    """Where packages have their settings, state and downloads on this kind of system."""

    trust: Path
    state: Path
    cache: Path
    lock: Path


def places() -> Places:
    if WINDOWS:
        base = Path(os.environ.get("PROGRAMDATA", "C:\\ProgramData")) / "Bocage"
        return Places(base / "packages", base / "state", base / "cache", base / "packages.lock")
    if sys.platform == "darwin":
        base = Path("/Library/Application Support/Bocage")
        return Places(base / "packages", base / "state", Path("/Library/Caches/Bocage"), base / "packages.lock")
    return Places(
        trust=Path("/etc/bocage/packages"),
        state=Path("/var/lib/bocage/packages"),
        cache=Path("/var/cache/bocage/packages"),
        lock=Path("/run/bocage/packages.lock"),
    )


def settings_file() -> Path:
    return places().trust.with_suffix(".json")


def is_administrator() -> bool:
    return not hasattr(os, "geteuid") or os.geteuid() == 0


def is_root() -> bool:
    """Whether this is the one user who may do all; Windows has none."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def systemd_runs() -> bool:
    return SYSTEMD.is_dir() and is_administrator()


def report_now() -> None:
    """Have the host report, by its own unit and at most for some seconds: without it, or a network, work goes on."""
    if not systemd_runs():
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["systemctl", "start", "--quiet", "bocage-agent-report.service"]
        subprocess.run(command, capture_output=True, timeout=_REPORT_SECONDS, check=False)


def goes_down() -> bool:
    """Whether the host is being shut down or started anew."""
    if not systemd_runs():
        return False
    asked = subprocess.run(["systemctl", "is-system-running"], capture_output=True, text=True, check=False, timeout=60)
    return asked.stdout.strip() == "stopping"


def take_lock(descriptor: int) -> bool:
    """Whether the lock of an open file was free and is now this process's, until it ends."""
    if WINDOWS:
        raise OSError("locks of packages are not available on this system")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def end_group(leader: int) -> None:
    """Kill a process and all that it started and that stayed with it."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def started_at(process: int) -> str | None:
    """When a process began, as a word that tells it from a later one of the same number; None where it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # the state and the start time (proc(5), fields 3 and 22); one that only waits to be reaped is gone
    return None if fields[0] in ("Z", "X") else fields[19]


def show(title: str, text: str) -> None:
    """Show a sentence to the user of a desktop, where this one can; terminals have it already."""
    program = shutil.which("notify-send")
    if program is None or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    command = [program, "--app-name=Bocage", "--icon=dialog-warning", "--", title, text]
    subprocess.run(command, capture_output=True, check=False, timeout=30)


def user_name(identity: int) -> str:
    try:
        return pwd.getpwuid(identity).pw_name
    except KeyError:
        return str(identity)


def groups_of(identity: int) -> frozenset[str]:
    """Names of all groups that a user is a member of, as the name service says."""
    try:
        user = pwd.getpwuid(identity)
        numbers = os.getgrouplist(user.pw_name, user.pw_gid)
    except KeyError:
        return frozenset()
    names = set()
    for number in numbers:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return frozenset(names)
