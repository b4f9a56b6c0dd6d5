# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change as a folder, to be carried from whoever signed it to further signers and to the publisher.

`lists/<role>.json`, `files/<sha256>.<name>`, and where they are part of it `Packages` and `root.json`. Nobody has to
trust what carries it: the publisher checks every part (`repository_publish.commit`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from .._common import atomic
from .._common.errors import BadInput
from . import repository_keys as keys
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf
from .repository_edit import Change

_MAX_INDEX = 64 << 20


def write_change(change: Change, folder: Path) -> None:
    """Raises BadInput where the folder is there already: two changes are never mixed."""
    if folder.exists():
        raise BadInput(f"The folder {folder} exists; give the change a folder of its own.")
    for part in ("lists", "files"):
        (folder / part).mkdir(parents=True)
    for name, source in change.files.items():
        shutil.copyfile(source, folder / "files" / name.rpartition("/")[2])
    if change.index is not None:
        atomic.write_file(folder / "Packages", change.index)
    if change.root is not None:
        atomic.write_file(folder / "root.json", change.root)
    for role, raw in change.lists.items():
        atomic.write_file(folder / "lists" / f"{quote(role, '')}.json", raw)


def read_change(folder: Path) -> Change:
    """The change in a folder; files that no list of it names are left there. Raises BadInput or Refused."""
    change = Change()
    try:
        for path in sorted((folder / "lists").iterdir()):
            role = unquote(path.name.removesuffix(".json"))
            change.lists[role] = atomic.read_bounded(path, layout.MAX_ROLE)
        if (folder / "Packages").exists():
            change.index = atomic.read_bounded(folder / "Packages", _MAX_INDEX)
        if (folder / "root.json").exists():
            change.root = atomic.read_bounded(folder / "root.json", layout.MAX_ROOT)
    except OSError as error:
        raise BadInput(f"The change in {folder} cannot be read: {error.strerror}.") from error
    for role, raw in change.lists.items():
        for path, one in roles.from_bytes(raw, tuf.Targets, role).signed.targets.items():
            sha256 = str(one.hashes.get("sha256"))
            source = folder / "files" / f"{sha256}.{path.rpartition('/')[2]}"
            if layout.is_path(path) and "/" not in sha256 and source.is_file():
                change.files[layout.target_file(path, sha256)] = source
    return change


def sign_change(folder: Path, role: str, signers: Sequence[tuf.Signer]) -> list[str]:
    """Add signatures to the lists of a delegation, its bins with it, in a folder; the lists that were signed.

    Raises BadInput where the change has no list of it.
    """
    signed = []
    for name, raw in sorted(read_change(folder).lists.items()):
        if name == role or roles.is_bin_of(name, role):
            atomic.write_file(folder / "lists" / f"{quote(name, '')}.json", keys.sign(raw, signers, name))
            signed.append(name)
    if not signed:
        raise BadInput(f"The change in {folder} has no list {role} that could be signed.")
    return signed
