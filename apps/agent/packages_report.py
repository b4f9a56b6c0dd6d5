# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent says of packages: all of it on this host, and a small section in the report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bocage_core._common import canonical, timestamps

from . import packages_fetched, packages_sessions
from .commands import sentence
from .packages_store import Row, Store

MAX_INSTALLED = 200
MAX_PROBLEMS = 20
MAX_RECORDS = 10
MAX_ROLLOUTS = 40
_FAILED = ("ERROR", "MISSING")
_NOT_DUE = ("OK", *_FAILED)
_WORDS = 200


def state_of(folder: Path) -> dict[str, Any]:
    """All of the state, for people and programs on this host."""
    store = Store.read(folder)
    if store is None:
        return {
            **{name: {} for name in ("packages", "requests", "metadata", "rollouts", "sessions")},
            **{name: [] for name in ("interrupted", "refused", "history")},
            "last_update_at": None,
            "last_problem": "",
        }
    try:
        return {
            "packages": {
                name: {
                    "state": row.state,
                    "version": row.version,
                    "wanted": row.wanted,
                    "reason": row.reason,
                    "section": row.section,
                    "installed_at": row.installed_at,
                    "audit": row.audit,
                    "audit_reason": row.audit_reason,
                    "audited_at": row.audited_at,
                }
                for name, row in store.rows().items()
            },
            "requests": store.requests(),
            "last_update_at": store.fact("last_update_at"),
            "last_problem": store.fact("last_problem") or "",
            "metadata": store.fact("metadata") or {},
            "rollouts": store.fact("rollouts") or {},
            "sessions": store.fact(packages_sessions.FACT) or {},
            "interrupted": [one.name for one in store.pending()],
            "refused": [
                {"package": name, "version": version, "code": code, "reason": reason, "at": at}
                for name, version, code, reason, at in store.refusals()
            ],
            "history": [
                {"at": at, "package": name, "version": version, "action": action, "step": step, "note": note}
                for at, name, version, action, step, note in store.history(50)
            ],
        }
    finally:
        store.close()


def section(folder: Path, now: datetime | None = None) -> dict[str, Any] | None:
    """The section `packages` of the report; None on a host that never had any.

    Lists have an end, so that a host on which much fails can still say so: failures come first, those of what rollouts
    bring before others, and all are counted.
    """
    store = Store.read(folder)
    if store is None:
        return None
    try:
        rows = store.rows()
        rolled = of_rollouts(store)
        installed = {name: row.version for name, row in rows.items() if row.version is not None}
        problems = [
            {
                "package": name,
                "state": row.state,
                "version": row.version,
                "wanted": row.wanted or None,
                "reason": sentence(row.reason)[:_WORDS],
            }
            for name, row in rows.items()
            if row.state != "OK"
        ]
        problems.sort(key=lambda one: (one["state"] not in _FAILED, one["package"] not in rolled, one["package"]))
        audits = [row for row in rows.values() if row.audit not in ("", "OK")]
        audits.sort(key=lambda row: (row.audit != "ERROR", row.name not in rolled, row.name))
        told = rollouts(store, rows)
        sessions = packages_sessions.section(store, folder / "sessions")
        records = [one for one in store.records() if one.used_offline_at]
        records.sort(key=lambda one: one.used_offline_at or "", reverse=True)
        refused = store.refusals(MAX_RECORDS)
        return {
            "installed": dict(list(installed.items())[:MAX_INSTALLED]),
            "installed_count": len(installed),
            "installed_digest": canonical.digest(canonical.dumps(installed)),
            "problems": problems[:MAX_PROBLEMS],
            "problem_count": len(problems),
            "needs_upgrade": any(row.state not in _NOT_DUE for row in rows.values()),
            "errors": sum(row.state in _FAILED for row in rows.values()),
            "audits": {
                row.name: {"answer": row.audit, "reason": sentence(row.audit_reason)[:_WORDS]}
                for row in audits[:MAX_PROBLEMS]
            },
            "audit_count": len(audits),
            "offline_records": [
                {"package": one.name, "version": one.version, "accepted_at": one.accepted_at}
                for one in records[:MAX_RECORDS]
            ],
            "refused": [
                {"package": name, "version": version, "code": code, "reason": sentence(reason)[:_WORDS], "at": at}
                for name, version, code, reason, at in refused
            ],
            "interrupted": [one.name for one in store.pending()],
            "sessions": sessions[:MAX_PROBLEMS],
            "session_count": len(sessions),
            "metadata": store.fact("metadata") or {},
            "rollouts": dict(list(told.items())[:MAX_ROLLOUTS]),
            "rollout_count": len(told),
            "fetched": packages_fetched.section(store.fact("fetched"), now or timestamps.now()),
            "last_update_at": store.fact("last_update_at"),
            "last_problem": sentence(store.fact("last_problem") or ""),
        }
    finally:
        store.close()


def rollouts(store: Store, rows: Mapping[str, Row]) -> dict[str, Any]:
    """What rollouts made of this host, those that it waits for or has taken first.

    `due`: some package of it is not yet as it should be; a failure is no work that is still to come. `begun`: the host
    began. `audited_at`: when all that it has of it was last audited, None before that; left out where it has nothing of
    the rollout, so that there is nothing to ask.
    """
    rolled, begun = of_rollouts(store), store.fact("begun") or {}
    found: dict[str, Any] = {name: dict(one) for name, one in (store.fact("rollouts") or {}).items()}
    for rollout, entry in found.items():
        own = [rows[package] for package, reason in rolled.items() if package in rows and is_of(rollout, reason)]
        entry["due"] = any(row.state not in _NOT_DUE for row in own)
        audits = [row.audited_at for row in own if row.version is not None]
        if audits:
            entry["audited_at"] = None if None in audits else min(one for one in audits if one)
        if begun.get(rollout) == entry["digest"]:
            entry["begun"] = True
    return dict(sorted(found.items(), key=lambda one: not (one[1]["pending"] or one[1]["taken"])))


def is_of(rollout: str, reason: str) -> bool:
    """Whether a rollout is why a package is kept to a version, or away."""
    return reason.startswith(f"rollout {rollout},")


def of_rollouts(store: Store) -> dict[str, str]:
    """Packages that rollouts speak of, each with the words that name the one it has to keep to."""
    kept = store.fact("kept") or {}
    return {**kept.get("withheld", {}), **{name: one[2] for name, one in kept.get("versions", {}).items()}}


def unreadable(problem: str) -> dict[str, Any]:
    """The section of a host whose state cannot be read."""
    return {
        "installed": {},
        "installed_count": 0,
        "installed_digest": canonical.digest(canonical.dumps({})),
        "problems": [],
        "problem_count": 0,
        "needs_upgrade": False,
        "errors": 1,
        "audits": {},
        "audit_count": 0,
        "offline_records": [],
        "refused": [],
        "interrupted": [],
        "sessions": [],
        "session_count": 0,
        "metadata": {},
        "rollouts": {},
        "rollout_count": 0,
        "last_update_at": None,
        "last_problem": problem,
    }


def summary(folder: Path) -> dict[str, Any] | None:
    """A line of `status`."""
    store = Store.read(folder)
    if store is None:
        return None
    try:
        rows = store.rows().values()
        states: dict[str, int] = {}
        for row in rows:
            states[row.state] = states.get(row.state, 0) + 1
        return {
            "states": states,
            "last_update_at": store.fact("last_update_at"),
            "last_problem": store.fact("last_problem") or "",
        }
    finally:
        store.close()
