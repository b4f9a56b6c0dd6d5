# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that belong together: all of them are checked before the first one is put in place."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shlex
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._common.atomic import sync_directory, write_file, write_link
from .._common.commands import Run
from .._common.errors import BadInput, BocageError

_MODE = re.compile(r"[0-7]{4}")
_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


@dataclass(frozen=True)
class Entry:
    """What one path should be."""

    path: Path
    state: str
    content: bytes = b""
    target: str = ""
    owner: str = "root"
    group: str = "root"
    mode: int | None = None
    validate: str | None = None

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Entry:
        """From the options of a module; raises BadInput."""
        path, state = Path(given["path"]), str(given["state"])
        if not path.is_absolute():
            raise BadInput(f"The path '{path}' is not absolute; write it from the root on.")
        for option, needed in (("content", "file"), ("target", "link"), ("validate", "file")):
            if given.get(option) is not None and state != needed:
                raise BadInput(f"The entry {path} has {option}, which only state {needed} can have.")
        if state == "file" and given.get("content") is None:
            raise BadInput(f"The entry {path} has no content; give it template, content or source.")
        if state == "link" and not given.get("target"):
            raise BadInput(f"The entry {path} is a link without a target; give it one.")
        mode = given.get("mode")
        if mode is not None and not _MODE.fullmatch(mode):
            raise BadInput(f"The mode '{mode}' of {path} is not four octal digits in quotes, as in \"0644\".")
        validate = given.get("validate")
        if validate is not None and "%s" not in validate:
            raise BadInput(f"The command that validates {path} has no %s, which stands for the file.")
        default = {"file": 0o644, "directory": 0o755}.get(state)
        return cls(
            path=path,
            state=state,
            content=(given.get("content") or "").encode(),
            target=given.get("target") or "",
            owner=given.get("owner") or "root",
            group=given.get("group") or "root",
            mode=default if mode is None or default is None else int(mode, 8),
            validate=validate,
        )

    @property
    def has_attributes(self) -> bool:
        return self.state in ("file", "directory")

    @property
    def permissions(self) -> int:
        """The mode; parsing gives each file and folder one, and what has none is its owner's alone."""
        return 0o600 if self.mode is None else self.mode

    def described(self) -> dict[str, Any]:
        """For the result: what this path now is."""
        if not self.has_attributes:
            return {"path": str(self.path), "state": self.state, "mode": None, "owner": None, "group": None}
        mode = f"{self.mode:04o}"
        return {"path": str(self.path), "state": self.state, "mode": mode, "owner": self.owner, "group": self.group}


@dataclass(frozen=True)
class _Plan:
    """What has to be done for one entry."""

    entry: Entry
    found: str
    """file, directory, link, absent or special."""
    content: bool
    attributes: bool
    diff: dict[str, str]

    @property
    def changes(self) -> bool:
        return self.content or self.attributes


def ensure_files(
    given: Sequence[Mapping[str, Any]],
    check_mode: bool,
    run: Run | None = None,
    before_change: Callable[[Collection[str]], None] = lambda _paths: None,
) -> dict[str, Any]:
    """Bring all paths to what they should be; raises BocageError, and then mostly before anything was changed."""
    entries = [Entry.read(one) for one in given]
    paths = [str(entry.path) for entry in entries]
    for path in paths:
        if paths.count(path) > 1:
            raise BadInput(f"The path {path} is listed twice; list it once.")
    # folders first, as the others may lie in them
    entries.sort(key=lambda entry: entry.state != "directory")
    plans = [_plan(entry, check_mode) for entry in entries]
    if run is not None:
        _validate([plan.entry for plan in plans if plan.content], run, check_mode)
    changed = [str(plan.entry.path) for plan in plans if plan.changes]
    if changed and not check_mode:
        before_change(changed)
        for plan in plans:
            _apply(plan)
    return {
        "changed": bool(changed),
        "changed_paths": changed,
        "files": [entry.described() for entry in entries],
        "diff": [plan.diff for plan in plans if plan.changes],
    }


def _plan(entry: Entry, check_mode: bool) -> _Plan:
    path = entry.path
    try:
        held = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        held = None
    found = "absent" if held is None else _kind(held.st_mode)
    if found == "directory" and entry.state in ("file", "link"):
        raise BadInput(f"{path} is a folder on this host, where a {entry.state} should be; move it away first.")
    if entry.state == "directory" and found not in ("directory", "absent"):
        raise BadInput(f"{path} is a {found} on this host, where a folder should be; move it away first.")
    if entry.state == "absent" and found == "directory" and any(path.iterdir()):
        raise BadInput(f"The folder {path} is not empty, so it is not removed; empty it first.")
    before = _shown(path, found)
    match entry.state:
        case "file":
            content = found != "file" or path.read_bytes() != entry.content
            after = _text(entry.content)
        case "link":
            after = f"link to {entry.target}\n"
            content = before != after
        case _:
            content = found != entry.state
            after = "directory\n" if entry.state == "directory" else ""
    attributes = False
    if entry.has_attributes:
        owners = _owners(entry, check_mode)
        if held is not None and found == entry.state:
            now = (held.st_uid, held.st_gid, stat.S_IMODE(held.st_mode))
            attributes = now != (*owners, entry.mode)
            if attributes:
                before = f"mode {now[2]:04o}, owner {_user_name(now[0])}, group {_group_name(now[1])}\n{before}"
                after = f"mode {entry.mode:04o}, owner {entry.owner}, group {entry.group}\n{after}"
    diff = {"before_header": str(path), "after_header": str(path), "before": before, "after": after}
    return _Plan(entry, found, content, attributes, diff)


def _shown(path: Path, found: str) -> str:
    match found:
        case "file":
            return _text(path.read_bytes())
        case "link":
            return f"link to {path.readlink()}\n"
        case "absent":
            return ""
    return f"{found}\n"


def _kind(mode: int) -> str:
    for test, kind in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link")):
        if test(mode):
            return kind
    return "special"


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _owners(entry: Entry, check_mode: bool) -> tuple[int, int]:
    return (
        _number(entry, "user", entry.owner, lambda name: pwd.getpwnam(name).pw_uid, check_mode),
        _number(entry, "group", entry.group, lambda name: grp.getgrnam(name).gr_gid, check_mode),
    )


def _number(entry: Entry, what: str, name: str, look_up: Callable[[str], int], check_mode: bool) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return look_up(name)
    except KeyError:
        if check_mode:
            # check mode did not make the account that an earlier task makes
            return -1
        raise BadInput(f"The {what} {name}, who should own {entry.path}, is not known on this host.") from None


def _user_name(number: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def _group_name(number: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)


def _validate(entries: Sequence[Entry], run: Run, check_mode: bool) -> None:
    """Each new content that can be checked, in a folder that only we can read."""
    checked = [(entry, shlex.split(entry.validate)) for entry in entries if entry.validate]
    if not checked:
        return
    with tempfile.TemporaryDirectory(prefix="bocage-") as folder:
        for number, (entry, words) in enumerate(checked):
            path = os.pathsep.join((os.environ.get("PATH", ""), *_SYSTEM))
            program = shutil.which(words[0], path=path)
            if program is None:
                if check_mode:
                    # check mode did not install the package that an earlier task installs
                    continue
                raise BocageError(f"The command {words[0]}, which validates {entry.path}, is missing on this host.")
            trial = Path(folder, str(number), entry.path.name)
            trial.parent.mkdir()
            trial.write_bytes(entry.content)
            status, output, error = run([program, *(word.replace("%s", str(trial)) for word in words[1:])])
            if status != 0:
                said = (error.strip() or output.strip()).replace(str(trial), str(entry.path)).replace("\n", " ")
                raise BocageError(f"{words[0]} refuses the new {entry.path}, and nothing was changed: {said}")


def _apply(plan: _Plan) -> None:
    entry = plan.entry
    try:
        if plan.content:
            _put(entry, plan.found)
        if entry.has_attributes and plan.changes:
            user, group = _owners(entry, check_mode=False)
            held = entry.path.lstat()
            if (held.st_uid, held.st_gid) != (user, group):
                os.chown(entry.path, user, group, follow_symlinks=False)
            entry.path.chmod(entry.permissions)
    except FileNotFoundError as error:
        raise BocageError(
            f"The folder of {entry.path} does not exist on this host; list it with state directory."
        ) from error
    except OSError as error:
        raise BocageError(f"{entry.path} could not be written on this host: {error.strerror}.") from error


def _put(entry: Entry, found: str) -> None:
    path = entry.path
    match entry.state:
        case "file":
            write_file(path, entry.content, entry.permissions)
        case "directory":
            path.mkdir(mode=0o700)
            sync_directory(path.parent)
        case "link":
            write_link(path, entry.target)
        case _:
            if found == "directory":
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
            sync_directory(path.parent)
