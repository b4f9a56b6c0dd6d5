# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking installed packages whether they are well, and keeping what they answer."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from bocage_core._common import timestamps
from bocage_core._common.errors import BadInput

from .packages_report import of_rollouts
from .packages_schedule import is_due
from .packages_steps import Steps
from .packages_store import Store


def audit(
    store: Store,
    steps: Steps,
    names: Collection[str],
    *,
    due: bool,
    clock: Callable[[], datetime],
    log: Callable[[str], None],
) -> dict[str, str]:
    """Answers by package, of these or of all; with `due` of those whose schedule asks for it now, or a rollout."""
    found = {}
    rows = store.rows()
    rolled = of_rollouts(store)
    for name in names:
        if name not in rows or rows[name].version is None:
            raise BadInput(f"The package {name} is not installed on this host.")
    for name, row in rows.items():
        if row.version is None or (names and name not in names):
            continue
        if due and name not in rolled and not is_due(row.audit_schedule, row.audited_at, clock()):
            continue
        outcome = steps.audit(row)
        answer = (outcome.value or "OK") if outcome.ok else "ERROR"
        with store.step() as step:
            values = (answer, outcome.reason, timestamps.write(clock()), name)
            step.execute("UPDATE package SET audit=?, audit_reason=?, audited_at=? WHERE name=?", values)
        if answer != "OK":
            log(f"{name} {row.version}: audit {answer}{': ' + outcome.reason if outcome.reason else ''}")
        found[name] = answer
    return found
