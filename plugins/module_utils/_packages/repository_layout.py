# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything of a repository lies: names of roles, targets and files, lifetimes, numbers of bins.

A repository is a folder. `public/` is served: `metadata/` and `targets/` as TUF says (specification 6, consistent
snapshots), `wapt/` and `wapt-host/` with the same packages under plain names for agents of WAPT. What is beside
`public/` belongs to the publisher.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeGuard
from urllib.parse import quote

from .._common.errors import BadInput

PUBLIC = "public"
METADATA = "metadata"
TARGETS = "targets"
PENDING = "pending"
INDEX = "wapt/Packages"

ROOT_LIFETIME = timedelta(days=365)
TARGETS_LIFETIME = timedelta(days=30)
SNAPSHOT_LIFETIME = timedelta(days=7)
TIMESTAMP_LIFETIME = timedelta(hours=24)

# Bounds on what a reader takes, in bytes and numbers; python-tuf checks the sizes while it downloads.
MAX_ROOT = 512_000
MAX_TIMESTAMP = 16_384
MAX_SNAPSHOT = 2_000_000
MAX_ROLE = 8_000_000
MAX_BIN = 1_000_000
MAX_ROLES = 1024
MAX_BIN_BITS = 12
MAX_TARGETS = 200_000
MAX_TARGET_BYTES = 2**40
MAX_NAME_BYTES = 180

# Number of targets up to which a number of bits is used. A host that looks for news loads the snapshot (29 bytes a bin)
# and one bin (400 bytes a target); these are the points at which twice as many bins cost less.
_BINS = ((2_000, 0), (10_500, 8), (38_000, 9), (150_000, 10), (MAX_TARGETS, 11))

# A name that a file can have on every system and that needs no thought in a URL or a shell.
_SEGMENT = r"(?![.~-])[^\x00-\x20\x7f-\x9f\u2028\u2029/\\:*?\"'<>|%#&;$`\[\]{}]{1,200}(?<![.])"
_PATH = re.compile(
    rf"(?:(?:base|group|unit|profile|selfservice|policy|crl|rollouts)/{_SEGMENT}"
    rf"|host/[a-z0-9][a-z0-9-]{{0,62}}/{_SEGMENT}"
    rf"|masters(?:/{_SEGMENT}){{1,3}})"
)
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,80}")
_WAPT_KINDS = ("base", "group", "unit", "profile", "selfservice", "policy")


@dataclass(frozen=True)
class Lifetimes:
    """How long metadata is believed after it was signed."""

    root: timedelta = ROOT_LIFETIME
    targets: timedelta = TARGETS_LIFETIME
    snapshot: timedelta = SNAPSHOT_LIFETIME
    timestamp: timedelta = TIMESTAMP_LIFETIME


DEFAULT_LIFETIMES = Lifetimes()


def bits_for(count: int, current: int = 0) -> int:
    """Bits of the bins for a number of targets, 0 for none; never fewer than now, as TUF removes no role.

    Raises BadInput above the number of targets that readers take.
    """
    for most, bits in _BINS:
        if count <= most:
            return max(bits, current)
    raise BadInput(f"A repository holds at most {MAX_TARGETS} targets in one role; {count} were given. Retire some.")


def check_path(path: str) -> str:
    """The path of a target, when it is one that can be delegated, copied and served. Raises BadInput."""
    if not is_path(path):
        raise BadInput(
            f"{ascii(path)[:80]} is not the path of a target: write base/NAME, group/NAME, unit/NAME, profile/NAME,"
            " selfservice/NAME, policy/NAME, host/SITE/NAME, crl/NAME, rollouts/NAME or masters/NAME,"
            " in names without spaces."
        )
    return path


def is_path(path: object) -> TypeGuard[str]:
    """Whether readers take a target of this path; the SHA-256 before its name must fit into a file's name, too."""
    if not isinstance(path, str) or len(path) > 600 or not _PATH.fullmatch(path):
        return False
    if len(path) * 4 <= MAX_NAME_BYTES:
        return True
    return all(len(part.encode("utf-8", "replace")) <= MAX_NAME_BYTES for part in path.split("/"))


def check_role(name: str) -> str:
    if not _ROLE.fullmatch(name) or name in ("root", "targets", "snapshot", "timestamp"):
        raise BadInput(
            f"{ascii(name)[:60]} cannot name a delegation: use small letters, digits and -, as in host-paris."
        )
    return name


def metadata_file(role: str, version: int | None) -> str:
    """The name below `public/` of a role's metadata; only timestamp has no version in it."""
    start = "" if version is None else f"{version}."
    return f"{METADATA}/{start}{quote(role, '')}.json"


def target_file(path: str, sha256: str) -> str:
    """The name below `public/` under which the bytes of a target lie (TUF specification 6.2)."""
    folder, _slash, name = path.rpartition("/")
    return f"{TARGETS}/{folder}/{sha256}.{name}"


def plain_file(path: str) -> str | None:
    """The name below `public/` by which agents of WAPT know a package; None for what is none of theirs."""
    kind, _slash, rest = path.partition("/")
    if kind in _WAPT_KINDS and rest.endswith(".wapt"):
        return f"wapt/{rest}"
    if kind == "host" and rest.endswith(".wapt"):
        return f"wapt-host/{rest.rpartition('/')[2]}"
    return None
