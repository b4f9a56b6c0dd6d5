# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit that runs with the configuration that is on the disk.

The digest of what a unit was last started with stays on the host in a stamp. A run that wrote a configuration and
was interrupted leaves the old stamp, so the next run restarts the unit; nothing is asked about times. Whoever changes
a file by way of this package removes the stamps that speak of it first, so that a unit which somebody restarted with
an altered file does not go on with it after the file was put right.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import stat
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._common import systemd
from .._common.atomic import write_file
from .._common.commands import Run, must
from .._common.errors import BadInput, BocageError
from .._common.systemd import UnitState, read_units

STAMPS = Path(systemd.STAMPS)
_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]+\.[a-z]+")


def content_digest(paths: Sequence[str]) -> str:
    """One digest of files, links, folders and absences: contents alone, neither times nor owners."""
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        for kind, name, value in _contents(Path(path)):
            for part in (kind, name, value):
                total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def _contents(path: Path) -> Iterator[tuple[bytes, bytes, bytes]]:
    name = str(path).encode(errors="surrogateescape")
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        yield b"absent", name, b""
        return
    if stat.S_ISLNK(mode):
        yield b"link", name, str(path.readlink()).encode(errors="surrogateescape")
    elif stat.S_ISDIR(mode):
        yield b"directory", name, b""
        for inside in sorted(path.iterdir()):
            if inside.name != "__pycache__":
                yield from _contents(inside)
    elif stat.S_ISREG(mode):
        with path.open("rb") as stream:
            yield b"file", name, hashlib.file_digest(stream, "sha256").digest()
    else:
        yield b"special", name, b""


@dataclass(frozen=True)
class Stamp:
    """What a unit was last started with by us."""

    digest: str
    paths: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Stamp | None:
        try:
            value = json.loads(path.read_bytes())
            return cls(str(value["digest"]), tuple(map(str, value["paths"])))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            # a broken note only costs one restart more
            return None

    def write(self, path: Path) -> None:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        text = json.dumps({"digest": self.digest, "paths": list(self.paths)}, sort_keys=True)
        write_file(path, text.encode() + b"\n", 0o600)


def forget(changing: Collection[str], stamps: Path = STAMPS) -> None:
    """Before these paths are changed: no unit counts as started with them any more."""
    for path in sorted(stamps.glob("*.json")) if changing else ():
        held = Stamp.read(path)
        if held is not None and concerns(changing, held.paths):
            path.unlink(missing_ok=True)


def concerns(changing: Collection[str], watched: Collection[str]) -> bool:
    """Whether one of the changing paths is watched, or in a folder that is."""
    return any(one == other or one.startswith(f"{other.rstrip('/')}/") for one in changing for other in watched)


def ensure_unit(options: Mapping[str, Any], run: Run, check_mode: bool, stamps: Path = STAMPS) -> dict[str, Any]:
    """Enable or disable, start, stop, restart or reload one unit; raises BocageError."""
    name, wanted = _checked_name(options["name"]), str(options["state"])
    names = [name, *map(_checked_name, options["other_units"])]
    states = read_units(run, names)
    before = states[0]
    stale = any(state.needs_reload for state in states)
    unknown = not before.known and wanted == "started"
    if (stale or unknown) and not check_mode:
        must(run, ["systemctl", "daemon-reload"])
        states = read_units(run, names)
    state = states[0]
    if unknown and not state.known and not check_mode:
        raise BocageError(f"There is no unit {name} on this host; install it before it is started.")

    stamp_file = stamps / f"{name}.json"
    stamp = Stamp(content_digest(options["restart_on"]), tuple(sorted(set(options["restart_on"]))))
    held = Stamp.read(stamp_file)
    outdated = bool(stamp.paths) and (
        held is None or held.digest != stamp.digest or concerns(options["changed_paths"], stamp.paths)
    )
    enabling, starting = _enabling(name, options["enabled"], state), _starting(name, options, state, outdated)
    actions = ["read the changed files of units"] if stale else []
    actions += [action for action in (enabling, starting) if action is not None]
    result = {"changed": bool(actions), "actions": actions, "diff": _diff(name, before, actions)}
    if check_mode:
        return result
    if starting is not None and wanted == "started":
        _check(name, options["check_command"], run)
    if enabling is not None:
        must(run, ["systemctl", enabling.split()[0], "--quiet", "--", name])
    if starting is not None:
        if state.failed:
            # also a unit that was given up is tried again
            must(run, ["systemctl", "reset-failed", "--", name])
        must(run, ["systemctl", starting.split()[0], "--", name], f"The unit {name} did not {starting.split()[0]}")
        if wanted == "started":
            _settle(name, options["settle_seconds"], run)
    if wanted == "stopped":
        stamp_file.unlink(missing_ok=True)
    elif stamp.paths and stamp != held:
        stamp.write(stamp_file)
    return result


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadInput(f"'{name}' is no name of a unit; write it with its type, as in nginx.service.")
    return name


def _enabling(name: str, wanted: bool | None, state: UnitState) -> str | None:
    if wanted is None or wanted == state.enabled:
        return None
    if not wanted and not state.known:
        return None
    return f"enable {name}" if wanted else f"disable {name}"


def _starting(name: str, options: Mapping[str, Any], state: UnitState, outdated: bool) -> str | None:
    if options["state"] == "stopped":
        return f"stop {name}" if state.active or state.crashing else None
    if not state.active:
        return f"restart {name}" if state.crashing else f"start {name}"
    return f"{options['on_change']} {name}" if outdated else None


def _check(name: str, command: list[str], run: Run) -> None:
    if len(command) == 1:
        command = shlex.split(command[0])
    if not command:
        return
    status, output, error = run(command)
    if status != 0:
        said = (error.strip() or output.strip()).replace("\n", " ")
        raise BocageError(f"The unit {name} was left as it is, because '{' '.join(command)}' refuses: {said}")


def _settle(name: str, seconds: int, run: Run) -> None:
    """What most services find wrong in their configuration they find after systemd counts them as started."""
    time.sleep(seconds)
    (state,) = read_units(run, [name])
    if state.failed or state.crashing:
        raise BocageError(f"The unit {name} was started and failed; 'journalctl -u {name}' on this host says why.")


def _diff(name: str, state: UnitState, actions: list[str]) -> dict[str, str]:
    now = "unknown" if not state.known else "failed" if state.failed else "active" if state.active else "inactive"
    before = f"{now}, {'enabled' if state.enabled else 'not enabled'}\n"
    after = before + "".join(f"{action}\n" for action in actions)
    return {"before_header": name, "after_header": name, "before": before, "after": after}
