# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes in files between holders: one that waits for more signatures, and one that comes back with all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .._common.errors import BadInput
from .change_archive import read_change
from .change_plan import Planned
from .change_signatures import Frame, lacking
from .estate_roots import EstateRoots
from .repository_store import Store

_TAKE_IN = " (playbooks/publish_package.yml -e publish_signed_change={})"


def take_signed(
    file: Path, folder: Path, known: EstateRoots, store: Store | None, root_first: bool = False
) -> Planned | None:
    """A change that others completed; None where it was taken in already.

    `folder` is made for what it brings. Raises Refused or BadInput for one that the publisher would refuse.
    """
    folder.mkdir()
    change = read_change(file, folder)
    if change.root is not None and not known.knows(change.root):
        raise BadInput(f"The change {file} brings a root that is not the pinned one; bring the pinned root up to date.")
    frame = Frame(change, known.first, store, root_first)
    if frame.is_served():
        return None
    if name := frame.overtaken():
        raise BadInput(
            f"The change {file} was overtaken: its list {name} is not the next one of what is served; make it anew."
        )
    if missing := frame.missing():
        raise BadInput(f"The change {file} is not complete: it lacks {lacking(missing)}; pass it on to another holder.")
    return Planned(change, tuple(frame.steps()))


def waiting(file: Path, folder: Path, root: bytes, store: Store | None, root_first: bool = False) -> Frame | None:
    """The change that still waits for holders in a file; None where there is none or it was overtaken.

    Raises Refused or BadInput where the file is no change.
    """
    if not file.exists():
        return None
    folder.mkdir()
    change = read_change(file, folder)
    frame = Frame(change, root, store, root_first)
    return None if frame.is_served() or frame.overtaken() else frame


def beside(file: Path, there: Frame | None, mine: Frame, missing: Mapping[str, int]) -> tuple[dict[str, int], bool]:
    """What is missing, and whether the change that waits `there` in `file` does the same, so that it stays.

    Raises BadInput where another one waits there, as signatures of holders may be in it.
    """
    if there is None:
        return dict(missing), False
    lacks = there.missing()
    if not lacks:
        raise BadInput(f"The change {file} has all signatures now: take it in first{_TAKE_IN.format(file)}.")
    if sorted(there.steps()) != sorted(mine.steps()):
        raise BadInput(
            f"Another change waits in {file} and lacks {lacking(lacks)}; let it be signed and take it in first, or move"
            " it away."
        )
    return lacks, True


def next_step(file: Path, missing: Mapping[str, int], served: int) -> str:
    """What the next holder does with a change that lacks signatures, while the root `served` is."""
    role = min(missing)
    return (
        f"The change {file} is not published: it lacks {lacking(missing)}. Let the next holder add one with"
        f" bocage-package sign-change {file} --role {role} --key FILE --passphrase-file FILE --root"
        f" roots/{served}.root.json, and when it is complete, take it in{_TAKE_IN.format(file)}."
    )
