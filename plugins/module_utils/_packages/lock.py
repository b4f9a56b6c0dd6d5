# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a ring: exactly which packages its hosts get, as plain data, in one spelling, so that it can be signed.

`{"format": 1, "ring": name, "packages": [{"package", "version", "sha256", "required_by": [labels]}]}`, sorted. A ring
of several kinds of machines has one lock; a package may then stand in it in several builds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from .._common import canonical
from .._common.errors import BadInput
from .._common.refused import Refused
from .universe import Candidate, Goal, Universe
from .versions import Version

FORMAT = 1
# 60,000 packages with their dependants fit.
MAX_BYTES = 32 * 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FIELDS = {"package", "version", "sha256", "required_by"}


@dataclass(frozen=True, order=True)
class Entry:
    """One package of a lock. `required_by` has labels of packages and origins of requests, sorted."""

    package: str
    version: str
    sha256: str
    required_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lock:
    ring: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Difference:
    """From one lock to another. `changed` pairs the entries of a package whose version or content is another."""

    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    changed: tuple[tuple[tuple[Entry, ...], tuple[Entry, ...]], ...]

    def sentences(self) -> list[str]:
        """One line a package, for people."""
        lines = [f"{entry.package}: {entry.version} comes" for entry in self.added]
        lines += [f"{entry.package}: {entry.version} leaves" for entry in self.removed]
        for before, after in self.changed:
            old, new = ", ".join(entry.version for entry in before), ", ".join(entry.version for entry in after)
            what = f"{old} becomes {new}" if old != new else f"{old} has other content"
            lines.append(f"{before[0].package}: {what}")
        return sorted(lines)


def lock_of(ring: str, chosen: Mapping[str, Candidate], goal: Goal) -> Lock:
    """The lock of what was chosen for a goal. Raises BadInput where a package has no digest to hold it to."""
    users: dict[str, set[str]] = {name: set() for name in chosen}
    for item in goal.wanted:
        users.setdefault(item.request.package, set()).add(item.origin)
    for candidate in chosen.values():
        for request in candidate.depends:
            if request.package != candidate.package:
                users.setdefault(request.package, set()).add(candidate.label)
    for candidate in chosen.values():
        if not _DIGEST.fullmatch(candidate.sha256):
            raise BadInput(f"The package {candidate} has no SHA-256 digest, so no lock can name it; publish it again.")
    entries = [
        Entry(name, str(candidate.version), candidate.sha256, tuple(sorted(users[name])))
        for name, candidate in chosen.items()
    ]
    return Lock(ring, tuple(sorted(entries)))


def merged(ring: str, locks: Iterable[Lock]) -> Lock:
    """One lock for a ring with several kinds of machines."""
    users: dict[tuple[str, str, str], set[str]] = {}
    for lock in locks:
        for entry in lock.entries:
            users.setdefault((entry.package, entry.version, entry.sha256), set()).update(entry.required_by)
    return Lock(ring, tuple(Entry(*key, tuple(sorted(users[key]))) for key in sorted(users)))


def to_data(lock: Lock) -> dict[str, Any]:
    packages = [
        {
            "package": entry.package,
            "version": entry.version,
            "sha256": entry.sha256,
            "required_by": list(entry.required_by),
        }
        for entry in lock.entries
    ]
    return {"format": FORMAT, "ring": lock.ring, "packages": packages}


def to_bytes(lock: Lock) -> bytes:
    """The one spelling of a lock (canonical JSON)."""
    return canonical.dumps(to_data(lock))


def from_data(data: object) -> Lock:
    """Read a lock strictly. Raises Refused."""
    if not isinstance(data, dict) or set(data) != {"format", "ring", "packages"}:
        raise Refused("malformed", "The lock does not have just the fields format, ring and packages.")
    if data["format"] != FORMAT or isinstance(data["format"], bool):
        raise Refused("wrong_type", f"The lock does not have the format {FORMAT}; update this program.")
    if not isinstance(data["ring"], str) or not isinstance(data["packages"], list):
        raise Refused("malformed", "The lock's ring is not a name, or its packages are not a list.")
    entries = [_entry(item) for item in data["packages"]]
    keys = [(entry.package, entry.version, entry.sha256) for entry in entries]
    if any(first >= second for first, second in pairwise(keys)):
        raise Refused("malformed", "The lock's packages are not sorted, or one stands there twice.")
    return Lock(data["ring"], tuple(entries))


def from_bytes(raw: bytes) -> Lock:
    """Read the one spelling of a lock, after its signature was checked. Raises Refused."""
    if len(raw) > MAX_BYTES:
        raise Refused("oversized", f"The lock has {len(raw)} bytes; {MAX_BYTES} is the most.")
    lock = from_data(canonical.loads(raw, "the lock"))
    if to_bytes(lock) != raw:
        raise Refused("malformed", "The lock is not in its one spelling; write it with this program.")
    return lock


def difference(before: Lock, after: Lock) -> Difference:
    """What another ring gets otherwise; who requires a package is no difference."""
    old, new = _by_package(before), _by_package(after)
    return Difference(
        tuple(entry for name in sorted(new.keys() - old.keys()) for entry in new[name]),
        tuple(entry for name in sorted(old.keys() - new.keys()) for entry in old[name]),
        tuple(
            (tuple(old[name]), tuple(new[name]))
            for name in sorted(old.keys() & new.keys())
            if [(entry.version, entry.sha256) for entry in old[name]]
            != [(entry.version, entry.sha256) for entry in new[name]]
        ),
    )


def locked(universe: Universe, lock: Lock) -> Universe:
    """The universe of a ring's host: what the lock names and nothing else can be taken, so every host gets the same.

    What is installed and the lock does not name stays known, since it may have to be kept.
    """
    named = {(entry.package, Version.parse(entry.version), entry.sha256) for entry in lock.entries}
    here = {item.candidate for item in universe.installed.values()}
    packages = {entry.package for entry in lock.entries}
    found = {}
    for name, group in universe.candidates.items():
        found[name] = tuple(
            candidate
            for candidate in group
            if (name, candidate.version, candidate.sha256) in named or (candidate in here and name not in packages)
        )
    return replace(universe, candidates=found)


def _by_package(lock: Lock) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in lock.entries:
        found.setdefault(entry.package, []).append(entry)
    return found


def _entry(item: object) -> Entry:
    if not isinstance(item, dict) or set(item) != _FIELDS:
        raise Refused("malformed", f"A package of the lock does not have just the fields {', '.join(sorted(_FIELDS))}.")
    package, version, sha256, required_by = (item[name] for name in ("package", "version", "sha256", "required_by"))
    texts = [package, version, sha256, *required_by] if isinstance(required_by, list) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise Refused("malformed", "A package of the lock has a field that is not text.")
    if not package or not _DIGEST.fullmatch(sha256):
        raise Refused("malformed", f"The package {package!r} of the lock has no name or no SHA-256 digest.")
    try:
        Version.parse(version)
    except BadInput as error:
        raise Refused("malformed", f"The package {package!r} of the lock has no version: {error}") from error
    return Entry(package, version, sha256, tuple(required_by))
