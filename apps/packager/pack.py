# SPDX-License-Identifier: GPL-3.0-or-later
"""The unsigned .wapt file of a folder: the same bytes from the same files, whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from bocage_core._common.errors import BadInput
from bocage_core._packages import entry_names
from bocage_core._packages.control import Control, render_control
from bocage_core._packages.signing import LEFT_OUT

from .contents import CONTROL, SIGNATURE_FILES

_NO_DATE = (1980, 1, 1, 0, 0, 0)
_LARGE_BYTES = 1024**3


def pack(folder: Path, control: Control, output: Path) -> list[str]:
    """Names of the files that the new package holds. Raises BadInput for what no package may hold, OSError."""
    files = dict(sorted(_files(folder)))
    if twice := entry_names.collision([*files, CONTROL]):
        raise BadInput(
            f"The folder {folder} holds {twice!r} in two spellings that some systems take for one; rename one."
        )
    temporary = output.with_name(f".{output.name}.{os.urandom(8).hex()}")
    try:
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_entry(CONTROL, 0o644), render_control(control))
            for name, path in files.items():
                status = path.stat()
                entry = _entry(name, 0o755 if status.st_mode & 0o100 else 0o644)
                large = status.st_size >= _LARGE_BYTES
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=large) as packed:
                    shutil.copyfileobj(source, packed, 1024 * 1024)
        temporary.replace(output)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return [CONTROL, *files]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for place, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in (*folders, *names):
            path = Path(place, name)
            relative = path.relative_to(folder).as_posix()
            kind = path.lstat().st_mode
            if name in LEFT_OUT or name.endswith(".pyc") or relative in (CONTROL, *SIGNATURE_FILES):
                continue
            if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                raise BadInput(f"{path} is a link or a device, which packages do not hold; put its contents there.")
            if reason := entry_names.problem(relative):
                raise BadInput(f"The file {str(path)!a} cannot be packed: its name {reason}; rename it.")
            if stat.S_ISREG(kind):
                yield relative, path


def _raise(error: OSError) -> None:
    raise error


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _NO_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = (stat.S_IFREG | mode) << 16
    return entry
