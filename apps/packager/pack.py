# SPDX-License-Identifier: GPL-3.0-or-later
"""The unsigned .wapt file of a folder: the same bytes from the same files, whole or not at all."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from bocage_core._common.errors import BadInput
from bocage_core._packages import entry_names
from bocage_core._packages.control import Control, render_control
from bocage_core._packages.signing import entry, files_of, pack_file

from .contents import CONTROL


def pack(folder: Path, control: Control, output: Path) -> list[str]:
    """Names of the files that the new package holds. Raises BadInput for what no package may hold, OSError."""
    files = dict(files_of(folder))
    if twice := entry_names.collision([*files, CONTROL]):
        raise BadInput(
            f"The folder {folder} holds {twice!r} in two spellings that some systems take for one; rename one."
        )
    temporary = output.with_name(f".{output.name}.{os.urandom(8).hex()}")
    try:
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(entry(CONTROL, 0o644), render_control(control))
            for name, path in files.items():
                with path.open("rb") as source:
                    pack_file(archive, name, source)
        temporary.replace(output)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return [CONTROL, *files]
