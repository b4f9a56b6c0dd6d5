# SPDX-License-Identifier: GPL-3.0-or-later
"""What packages could not do in the sessions of users: told by each user through the door, and in the report by number.

A user can only say something of the own session, and only of packages that are set up in sessions here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bocage_core._common import fields
from bocage_core._common.errors import BocageError

from . import packages_session
from .commands import sentence
from .packages_store import Store, put_facts

FACT = "session_failures"
_MOST = 50
_MOST_USERS = 200
_WORDS = 200
_FAILURE = frozenset({"package", "version", "reason"})
_NONE: frozenset[str] = frozenset()

# By user, the packages that failed there: version, reason.
Failures = Mapping[str, Mapping[str, Mapping[str, str]]]


def note(state: Path, user: str, failures: list[Any]) -> None:
    """Keep what failed in the session of a user, in the place of what was kept before."""
    if len(failures) > _MOST:
        raise BocageError(f"A session cannot have more than {_MOST} failures.")
    versions = set_up_here(state / "sessions")
    found: dict[str, dict[str, str]] = {}
    for one in failures:
        entry = fields.record(one, "a failure")
        fields.only(entry, _FAILURE, _NONE, "a failure")
        package, version, reason = (fields.text(entry, name, "a failure") for name in ("package", "version", "reason"))
        if versions.get(package) == version:
            found[package] = {"version": version, "reason": sentence(reason)[:_WORDS] or "no reason was given"}
    store = Store.open(state)
    try:
        with store.step() as step:
            known = {name: one for name, one in (store.fact(FACT) or {}).items() if name != user}
            if found:
                # who was told of longest ago makes room
                known = {**dict(list(known.items())[1 - _MOST_USERS :]), user: found}
            put_facts(step, {FACT: known})
    finally:
        store.close()


def section(store: Store, sessions: Path) -> list[dict[str, Any]]:
    """By package, in how many users' sessions it failed; no name of a user leaves the host."""
    versions = set_up_here(sessions)
    found: dict[str, dict[str, Any]] = {}
    for packages in (store.fact(FACT) or {}).values():
        for package, one in packages.items():
            # of a version that is gone nothing is to be mended
            if versions.get(package) == one["version"]:
                entry = found.setdefault(package, {"package": package, "users": 0, **one})
                entry["users"] += 1
    return [found[package] for package in sorted(found)]


def set_up_here(sessions: Path) -> dict[str, str]:
    """Versions by package of what is set up in sessions of this host."""
    return {hook.package: hook.version for hook in packages_session.placed(sessions)}
