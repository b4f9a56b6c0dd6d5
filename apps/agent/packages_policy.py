# SPDX-License-Identifier: GPL-3.0-or-later
"""Which updates of the operating system are allowed: packages of the type policy, enforced through apt's preferences.

A policy is `{"forbid": [names], "only": [names]}`: packages that apt must not install or upgrade, or the only ones that
it may. Names are those of the distribution, `*` at the end stands for any ending. Several policies add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, fields

PREFERENCES = Path("/etc/apt/preferences.d/bocage")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,127}\*?")
_NONE: frozenset[str] = frozenset()
_KEYS = frozenset({"forbid", "only"})
_HEAD = "# What packages of the type policy allow; written by bocage-agent, which writes it again.\n"
# Below 0 a version is never installed; between 500 and 990 is what apt gives a release that nobody speaks of.
_FORBIDDEN, _ALLOWED = -1, 500
# Releases that apt takes from only where somebody asks (apt_preferences(5)): a package that is allowed does not move there.
_ON_REQUEST = (("release n=*-backports*", 100), ("release a=experimental", 1))


def check_policy(value: object, what: str) -> dict[str, Any]:
    document = fields.record(value, what)
    fields.only(document, _NONE, _KEYS, what)
    return {name: fields.texts(document, name, what, _NAME, 10000) for name in sorted(document)}


def preferences(policies: Iterable[Mapping[str, Any]]) -> str:
    """The file for apt; empty where nothing is forbidden."""
    forbidden: set[str] = set()
    only: set[str] = set()
    for policy in policies:
        forbidden.update(policy.get("forbid", ()))
        only.update(policy.get("only", ()))
    # the first entry that names a package counts, so that what is forbidden stands first
    entries = [_entry(name, _FORBIDDEN) for name in sorted(forbidden)]
    if only:
        for name in sorted(only - forbidden):
            entries += [_entry(name, priority, pin) for pin, priority in _ON_REQUEST]
            entries.append(_entry(name, _ALLOWED))
        entries.append(_entry("*", _FORBIDDEN))
    return _HEAD + "\n".join(entries) if entries else ""


def enforce(policies: Iterable[Mapping[str, Any]], path: Path = PREFERENCES) -> bool:
    """Put the file in place, or away; whether that changed it. A host without apt has nothing to enforce."""
    if not path.parent.is_dir():
        return False
    wanted = preferences(policies).encode()
    there = path.read_bytes() if path.exists() else b""
    if wanted == there:
        return False
    if wanted:
        atomic.write_file(path, wanted, 0o644)
    else:
        path.unlink()
    return True


def _entry(name: str, priority: int, pin: str = "release *") -> str:
    return f"Package: {name}\nPin: {pin}\nPin-Priority: {priority}\n"
