# SPDX-License-Identifier: GPL-3.0-or-later
"""Running one hook of a package in a supervised child: a transient unit where systemd runs, else a group of processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bocage_core._common import atomic
from bocage_core._common.errors import BocageError

from . import packages_platform as platform
from .commands import sentence

RESULT = "result.json"
PROCESS = "process.json"
UNDO = "undo.jsonl"
UNIT = "bocage-package"
# how much longer than systemd the agent waits for a unit to end
_GRACE_SECONDS = 10
_MAX_LINE = 4096
_MAX_RECORD = 16 * 1024 * 1024
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LIBRARY = str(Path(__file__).parents[1])
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from bocage_agent.packages_child import main; sys.exit(main())"


@dataclass(frozen=True)
class Hook:
    """What to run, of which package, where it lies, and where the child may write what came of it."""

    name: str
    package: str
    version: str
    folder: Path
    work: Path
    control: Mapping[str, Any] = field(default_factory=dict)
    undo: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True)
class Outcome:
    ok: bool
    reason: str = ""
    value: str | None = None
    undo: tuple[tuple[Any, ...], ...] = ()
    """What the helpers noted, in the order in which it was done."""


class Runner:
    """Runs hooks; `supervised` is whether each is a unit of systemd, `session` what they get of a user's environment."""

    def __init__(
        self,
        supervised: bool | None = None,
        most_lines: int = 500,
        home: str = "/root",
        session: Mapping[str, str] | None = None,
    ) -> None:
        self._supervised = platform.systemd_runs() if supervised is None else supervised
        self._most_lines = most_lines
        self._home = home
        self._session = session or {}

    def run(self, hook: Hook, seconds: int, line: Callable[[str], None]) -> Outcome:
        """Run it to its end, at most so long; `line` gets what it prints, as it prints it."""
        (hook.work / "tmp").mkdir(mode=0o700, exist_ok=True)
        (hook.work / RESULT).unlink(missing_ok=True)
        environment = {
            **self._session,
            "PATH": _PATH,
            "LANG": "C.UTF-8",
            "HOME": self._home,
            "TMPDIR": str(hook.work / "tmp"),
            "DEBIAN_FRONTEND": "noninteractive",
            "BOCAGE_PACKAGE": hook.package,
            "BOCAGE_VERSION": hook.version,
        }
        process = self._start(hook, environment, seconds)
        shown = _Lines(line, self._most_lines)
        reader = threading.Thread(target=shown.read, args=(process.stdout,), daemon=True)
        reader.start()
        begun = time.monotonic()
        late = False
        try:
            self._ask(process, hook)
            # a unit ends itself; the agent waits a little longer than systemd does
            process.wait(seconds + (_GRACE_SECONDS if self._supervised else 0))
        except subprocess.TimeoutExpired:
            late = True
        finally:
            self._end(process, hook)
        # what the package left behind may hold the other end open for ever
        reader.join(2)
        if late or (self._supervised and time.monotonic() - begun >= seconds):
            return Outcome(False, f"{hook.name} did not end in {seconds} seconds", undo=undo_of(hook.work))
        return outcome_of(hook.work) or Outcome(
            False,
            sentence(f"{hook.name} ended with status {process.returncode} and no result. {shown.last}"),
            undo=undo_of(hook.work),
        )

    def stop_leftover(self, work: Path) -> None:
        """End what a killed agent left running; the work folder says what that was."""
        if self._supervised:
            command = ["systemctl", "stop", "--", f"{UNIT}-{work.name}.service"]
            subprocess.run(command, capture_output=True, check=False, timeout=60)
        try:
            document = json.loads(atomic.read_bounded(work / PROCESS, 4096))
            process, started = int(document["process"]), document["started"]
        except (OSError, ValueError, KeyError, TypeError, BocageError):
            return
        for _try in range(500):
            if started is None or platform.started_at(process) != started:
                return
            platform.end_group(process)
            time.sleep(0.01)
        raise BocageError(f"The process {process} of an interrupted package does not end; end it, or restart the host.")

    def _start(self, hook: Hook, environment: dict[str, str], seconds: int) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-I", "-B", "-c", _PROGRAM, _LIBRARY]
        if self._supervised:
            options = {
                "RuntimeMaxSec": str(seconds),
                "KillMode": "control-group",
                "TimeoutStopSec": "5",
                "TasksMax": "4096",
                "UMask": "0022",
                "OOMPolicy": "stop",
            }
            program = [
                *("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"),
                f"--unit={UNIT}-{hook.work.name}",
                f"--description=Package {hook.package} {hook.version}: {hook.name}",
                *(f"--property={name}={value}" for name, value in options.items()),
                *(f"--setenv={name}={value}" for name, value in environment.items()),
                "--",
                *program,
            ]
        try:
            process = subprocess.Popen(
                program,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environment,
                umask=0o022,
                start_new_session=True,
            )
        except OSError as error:
            raise BocageError(
                f"The {hook.name} of {hook.package} cannot be run: {error.strerror}: {program[0]}."
            ) from error
        except ValueError as error:  # a name with a zero byte
            raise BocageError(f"The {hook.name} of a package cannot be run: {error}.") from error
        if not self._supervised:
            # read by the next agent, should this one be killed; a unit has its name instead
            started = platform.started_at(process.pid)
            document = {"process": process.pid, "started": started}
            atomic.write_file(hook.work / PROCESS, json.dumps(document).encode(), 0o600)
        return process

    def _ask(self, process: subprocess.Popen[bytes], hook: Hook) -> None:
        request = {
            "hook": hook.name,
            "folder": str(hook.folder),
            "work": str(hook.work),
            "control": dict(hook.control),
            "undo": [list(one) for one in hook.undo],
            "library": _LIBRARY,
        }
        try:
            if process.stdin is not None:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                # not closed: the child ends when it closes
                process.stdin.flush()
        except BrokenPipeError:
            return  # it ended at once, and says why where its result is read

    def _end(self, process: subprocess.Popen[bytes], hook: Hook) -> None:
        """Nothing of it goes on, however it ended."""
        if self._supervised and process.poll() is None:
            command = ["systemctl", "stop", "--", f"{UNIT}-{hook.work.name}.service"]
            subprocess.run(command, capture_output=True, check=False, timeout=60)
        platform.end_group(process.pid)
        process.wait()
        if process.stdin is not None:
            try:
                process.stdin.close()
            except BrokenPipeError:
                return  # what was not read is not needed any more


class _Lines:
    """Hands on lines as they come, bounded in length and number; the last ones are kept for a failure."""

    def __init__(self, line: Callable[[str], None], most: int) -> None:
        self._line = line
        self._most = most
        self._count = 0
        self._kept: deque[str] = deque(maxlen=3)

    @property
    def last(self) -> str:
        return " ".join(self._kept)

    def read(self, stream: Any) -> None:
        with stream:
            while raw := stream.readline(_MAX_LINE):
                text = sentence(raw.decode("utf-8", "replace"))
                if not text:
                    continue
                self._kept.append(text)
                self._count += 1
                if self._count <= self._most:
                    self._line(text)
                elif self._count == self._most + 1:
                    self._line(f"(more than {self._most} lines; the others are left out)")


def outcome_of(work: Path) -> Outcome | None:
    """What the child wrote when it was over; None where it did not come so far."""
    try:
        document = json.loads(atomic.read_bounded(work / RESULT, 65536))
        value = document["value"]
        return Outcome(
            document["ok"] is True,
            sentence(str(document["reason"])),
            None if value is None else sentence(str(value)),
            undo_of(work),
        )
    except (OSError, ValueError, KeyError, TypeError, BocageError):
        return None


def undo_of(work: Path) -> tuple[tuple[Any, ...], ...]:
    """What the helpers noted; a last line that was cut off is of a deed that was not done."""
    try:
        raw = atomic.read_bounded(work / UNDO, _MAX_RECORD)
    except (FileNotFoundError, BocageError):
        return ()
    found = []
    for line in raw.split(b"\n")[:-1]:
        try:
            deed = json.loads(line)
        except ValueError:
            break
        if isinstance(deed, list) and deed and all(isinstance(one, str) for one in deed):
            found.append(tuple(deed))
    return tuple(found)
