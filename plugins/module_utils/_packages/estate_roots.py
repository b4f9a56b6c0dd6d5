# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roots that an estate's ceremonies finished, beside the one that its publisher serves.

A new root is pinned before it is served: what the publisher serves until then is good under a former one, and the publisher
gets each root after that in turn (TUF specification 5.3). A publisher that goes back behind a root it has served is refused,
since the keys of former roots may be in wrong hands by then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from .._common import atomic
from .._common.errors import BadInput
from .._common.refused import Refused
from . import repository_layout as layout
from . import repository_roles as roles
from . import root_ceremony
from . import tuf_library as tuf

SERVED = "served"
_ROOT = re.compile(r"([1-9][0-9]{0,8})\.root\.json")


@dataclass(frozen=True)
class EstateRoots:
    """Roots by version, the highest being the pinned one, and the highest that was seen served."""

    by_version: Mapping[int, bytes]
    served: int = 0

    @property
    def pinned(self) -> bytes:
        return self.by_version[max(self.by_version)]

    @property
    def first(self) -> bytes:
        """What a new repository begins with, so that it has all roots there ever were."""
        return self.by_version[min(self.by_version)]

    def begin_at(self, newest: int) -> bytes:
        """What to verify a publisher by whose newest root is this one. Raises Refused or BadInput."""
        if not newest:
            raise BadInput("What the publisher exported has no root; export it again.")
        if newest < self.served:
            raise Refused(
                "rolled_back",
                f"The publisher serves the root {newest}, and it has served the root {self.served} before; look who"
                " changed its repository, and restore it from a copy.",
            )
        number = min(newest, max(self.by_version))
        if number not in self.by_version:
            raise BadInput(
                f"The publisher serves the root {newest}, and {root_ceremony.ROOTS}/{number}.root.json of the trust folder is missing;"
                " restore it."
            )
        return self.by_version[number]

    def after(self, served: bytes) -> bytes | None:
        """The root that a publisher takes next, one at a time; None where it serves the pinned one. Raises BadInput."""
        following = roles.read_root(served).version + 1
        if following > max(self.by_version):
            return None
        if following not in self.by_version:
            raise BadInput(f"{root_ceremony.ROOTS}/{following}.root.json of the trust folder is missing; restore it.")
        return self.by_version[following]

    def knows(self, root: bytes) -> bool:
        return root in self.by_version.values()

    def judged_at(self, root: bytes, now: datetime) -> datetime:
        """When to judge what is good under a root: now, or before its end where the next one waits to be served."""
        return min(now, roles.read_root(root).expires - timedelta(seconds=1)) if root != self.pinned else now


def read(trust: Path) -> EstateRoots:
    """Those of a trust folder. Raises BadInput where nothing is pinned."""
    pinned = root_ceremony.pinned(trust)
    last = roles.read_root(pinned).version
    known = {
        number: atomic.read_bounded(path, layout.MAX_ROOT)
        for number, path in _by_version(trust / root_ceremony.ROOTS).items()
        if number < last
    }
    return EstateRoots({**known, last: pinned}, _served(trust))


def newest_exported(folder: Path) -> int:
    """The highest root among what a publisher exported, which nobody has verified yet; 0 without one."""
    return max(_by_version(folder / layout.METADATA), default=0)


def _by_version(folder: Path) -> dict[int, Path]:
    return {int(named[1]): path for path in folder.glob("*.root.json") if (named := _ROOT.fullmatch(path.name))}


def targets_holders(trust: Path, roots: Sequence[bytes]) -> dict[str, tuf.Key]:
    """Who signs the top list under these roots: public keys of the trust folder, by name. Raises Refused or BadInput."""
    named = {keyid for root in roots for keyid in roles.read_root(root).roles["targets"].keyids}
    found = ((path.stem, root_ceremony.read_public(path)) for path in sorted((trust / "keys").glob("*.pub")))
    return {name: key for name, key in found if key.keyid in named}


def note_served(trust: Path, root: bytes) -> None:
    """Keep that a root is served, so that nothing older is believed of the publisher from now on."""
    number = roles.read_root(root).version
    if number > max(1, _served(trust)):
        atomic.write_file(trust / root_ceremony.ROOTS / SERVED, f"{number}\n".encode(), 0o644)


def _served(trust: Path) -> int:
    path = trust / root_ceremony.ROOTS / SERVED
    try:
        text = atomic.read_bounded(path, 64).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return 0
    if not text.isdecimal():
        raise BadInput(f"{path} is not the number of a root; restore it.")
    return int(text)
