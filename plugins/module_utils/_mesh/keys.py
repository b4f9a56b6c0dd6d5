# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard keys on the host that they are born on. The private half is in its file, and never in an argument."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from .._common.atomic import sync_directory, write_file
from .._common.errors import BocageError

# Who holds the key: root.
OWNER = 0
# A command and what it reads: standard input, because an argument would show in the process list.
RunWith = Callable[[list[str], str], tuple[int, str, str]]


def public_key(run: RunWith, private: str, path: Path) -> str:
    status, output, _error = run(["wg", "pubkey"], private)
    if status != 0:
        raise BocageError(
            f"The file {path} does not hold a WireGuard key; restore it, or move it away and enrol the host again."
        )
    return output.strip()


def ensure_key(run: RunWith, path: Path, check_mode: bool) -> dict[str, Any]:
    """A key in a file that only root can read; the result has its public half, None in check mode where there is none."""
    if path.exists():
        held = path.stat()
        safe = stat.S_IMODE(held.st_mode) == 0o600 and held.st_uid == OWNER
        if not safe and not check_mode:
            os.chown(path, OWNER, -1)
            path.chmod(0o600)
        result = {"changed": not safe, "public_key": public_key(run, path.read_text(errors="replace"), path)}
        if not safe:
            result["diff"] = {"before": f"{path}: readable by others\n", "after": f"{path}: mode 0600, owner root\n"}
        return result
    result = {"changed": True, "public_key": None, "diff": {"before": "", "after": f"{path}: a new key\n"}}
    if not check_mode:
        status, private, error = run(["wg", "genkey"], "")
        if status != 0:
            raise BocageError(f"'wg genkey' failed on this host: {error.strip()}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(path, private.encode(), 0o600)
        result["public_key"] = public_key(run, private, path)
    return result


def of_other_epochs(directory: Path, keep: Collection[int]) -> list[Path]:
    """Files and folders of secrets and statements of epochs that are over; epoch 0 is the key of the enrolment."""
    found = [] if 0 in keep else [directory / "private.key"]
    for pattern, suffix in (("epoch-*.key", ".key"), ("epoch-*.json", ".json"), ("psk-*", "")):
        for path in directory.glob(pattern):
            number = path.name.removesuffix(suffix).partition("-")[2]
            if number.isdigit() and int(number) not in keep:
                found.append(path)
    return sorted(path for path in found if path.exists())


def destroy(paths: Collection[Path]) -> None:
    """Overwrite, then remove: on most file systems the bytes of a key do not outlive its file."""
    for path in paths:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            with file.open("r+b") as stream:
                stream.write(os.urandom(max(64, file.stat().st_size)))
                stream.flush()
                os.fsync(stream.fileno())
            file.unlink()
        if path.is_dir():
            shutil.rmtree(path)
        sync_directory(path.parent)
