# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of Bocage on a host: versions side by side, whole or absent, with the link ``current`` to the one that runs.

Who verified an archive unpacks it here and leaves a list of what came out of it where only root writes.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from . import atomic, canonical, fields, program_list
from .commands import Run
from .errors import BadInput, BocageError

DIRECTORY = Path("/opt/bocage")
LISTS = Path("/var/lib/bocage/programs")
MANAGED = "managed.json"
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+_-]{0,100}")
_RELEASE = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_NONE: frozenset[str] = frozenset()


def check_version(text: str) -> str:
    """A version is the name of a folder; raises BadInput for what is none."""
    if not _VERSION.fullmatch(text):
        raise BadInput(f"{text[:60]!a} is no version of a program, as in 0.1.0-3f1c2a9b7d10.")
    return text


def is_newer(version: str, other: str) -> bool:
    """Whether the release of a version is above that of another; builds of one release have no order."""
    return _release(version) > _release(other)


def current(root: Path) -> str | None:
    """The version that the link leads to."""
    link = root / "current"
    return str(link.readlink()) if link.is_symlink() else None


def managed(lists: Path) -> str | None:
    """The version that a package put there, which a role leaves alone; None where roles look after the program."""
    path = lists / MANAGED
    what = f"the file {path}"
    try:
        document = fields.record(canonical.loads(atomic.read_bounded(path, 4096), what), what)
        fields.only(document, frozenset({"version"}), _NONE, what)
        return check_version(fields.text(document, "version", what))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except BocageError:
        # damaged: the role puts things right
        return None


def set_managed(lists: Path, version: str | None) -> None:
    if version is None:
        (lists / MANAGED).unlink(missing_ok=True)
        return
    make_private(lists)
    atomic.write_file(lists / MANAGED, canonical.dumps({"version": version}), 0o600)


def is_whole(root: Path, version: str, lists: Path) -> bool:
    """Whether a version is there just as it was unpacked, by the content of each file."""
    listed = program_list.read(lists / f"{version}.json")
    return listed is not None and not program_list.compare(root / version, listed).findings


def unpack(run: Run, archive: Path, target: Path, lists: Path, python: str = "/usr/bin/python3") -> None:
    """Unpack beside the target and move it there whole, so that a version exists entirely or not at all.

    A version that was altered is replaced. ``run`` works with a umask of 022.
    """
    make_folders(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as folder:
        inside = Path(folder) / "root"
        make_folders(inside)
        tar = ["tar", "--extract", "--gzip", "--no-same-owner", "--file", str(archive), "--directory", str(inside)]
        status, output, error = run(tar)
        if status != 0:
            raise BocageError(f"The archive {archive} cannot be unpacked on this host: {(error or output).strip()}")
        # compiled for where it will be, so that tracebacks name files that exist
        compiling = ["-m", "compileall", "-q", "-s", str(inside), "-p", str(target), "-j", "1", str(inside)]
        status, output, error = run([python, *compiling])
        if status != 0:
            raise BocageError(
                f"The archive {archive} does not compile with this host's Python: {(error or output).strip()}"
            )
        make_private(lists)
        program_list.write(lists / f"{target.name}.json", inside)
        if target.exists():
            target.replace(Path(folder) / "altered")
        inside.replace(target)
    atomic.sync_directory(target.parent)


def prune(root: Path, lists: Path, kept: set[str], most: int, before: str | None = None) -> list[str]:
    """Remove versions beyond ``most`` (the newest stay, and first of all ``before``), and what was cut off."""
    others = [path for path in root.iterdir() if path.is_dir() and not path.is_symlink() and path.name not in kept]
    for left in [path for path in others if path.name.startswith(".")]:
        # of a run that was interrupted
        shutil.rmtree(left)
        others.remove(left)
    others.sort(key=lambda path: (path.name != before, -path.stat().st_mtime))
    removed = []
    for old in others[max(most - len(kept), 0) :]:
        shutil.rmtree(old)
        (lists / f"{old.name}.json").unlink(missing_ok=True)
        removed.append(old.name)
    return removed


def make_folders(path: Path) -> None:
    """Folders that the users of programs may enter, whatever the umask of the run."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        folder.chmod(0o755)


def make_private(path: Path) -> None:
    """A folder for root alone."""
    make_folders(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def _release(version: str) -> tuple[int, ...]:
    found = _RELEASE.match(version)
    return tuple(int(one) for one in found[0].split(".")) if found else ()
