# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb changed on this host, or would change, as plain data: what there was beside what there is then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import agent_trial
from .packages_plan import Plan
from .packages_ports import Offer
from .packages_store import Row

# The moment at which something is installed that is only foreseen; no record has it.
_SOON = "soon"
_FAULTY = ("ERROR", "MISSING")


@dataclass(frozen=True)
class Standing:
    """What is on a host, and what was asked for on it."""

    rows: Mapping[str, Row]
    requests: Mapping[str, str]


@dataclass(frozen=True)
class Foreseen:
    """A host after a verb that was not carried out."""

    after: Standing
    good: bool = True


def with_plan(
    before: Standing, plan: Plan, due: Collection[Offer], going: Collection[str], requests: Mapping[str, str]
) -> Standing:
    """The host once this part of a plan was carried out without a failure."""
    rows = {name: row for name, row in before.rows.items() if name not in going}
    for one in due:
        row = rows.get(one.package, Row(one.package, "OK", section=one.section))
        if one.package == agent_trial.PACKAGE:
            state = "NEED-INSTALL" if row.version is None else "NEED-UPGRADE"
            row = replace(row, state=state, reason=agent_trial.ON_TRIAL, wanted=one.version)
        else:
            row = replace(row, state="OK", reason="", version=one.version, sha256=one.sha256, installed_at=_SOON)
        rows[one.package] = row
    for name, (state, why) in plan.held.items():
        rows[name] = replace(rows.get(name, Row(name, state)), state=state, reason=why)
    for name, why in plan.missing.items():
        rows[name] = replace(rows.get(name, Row(name, "MISSING")), state="MISSING", reason=why)
    return Standing(rows, requests)


def without(before: Standing, names: Collection[str]) -> Standing:
    """The host once these packages went, or were forgotten."""
    return Standing(
        {name: row for name, row in before.rows.items() if name not in names},
        {name: request for name, request in before.requests.items() if name not in names},
    )


def changes(
    before: Standing, after: Standing, compare: Callable[[str, str], int], gone: str = "remove"
) -> list[dict[str, Any]]:
    """By package: install, upgrade, downgrade, reinstall, trial, or `gone`, with the versions before and after."""
    found = []
    for name in sorted(before.rows.keys() | after.rows.keys()):
        old, new = before.rows.get(name), after.rows.get(name)
        was, now = old.version if old else None, new.version if new else None
        if new is not None and _is_on_trial(new):
            if old is not None and _is_on_trial(old) and old.wanted == new.wanted:
                continue
            # the agent itself, which counts as installed once it has proven itself
            action, now = "trial", new.wanted
        elif new is not None and now is not None:
            if old is not None and (was, old.sha256, old.installed_at) == (now, new.sha256, new.installed_at):
                continue
            action = "install" if was is None else _direction(compare(now, was))
        elif was is not None or (old is not None and new is None and (old.state == "ERROR" or gone == "forget")):
            action = gone
        else:
            continue
        found.append({"package": name, "action": action, "before": was, "after": now})
    return found


def problems(standing: Standing) -> list[dict[str, Any]]:
    """What failed or cannot be had, each with its reason in a sentence."""
    return [
        {"package": name, "state": row.state, "version": row.version, "wanted": row.wanted, "reason": row.reason}
        for name, row in standing.rows.items()
        if row.state in _FAULTY
    ]


def document(
    before: Standing, after: Standing, compare: Callable[[str, str], int], verb: str, **more: Any
) -> dict[str, Any]:
    """The answer of a verb for programs."""
    return {
        "verb": verb,
        "changes": changes(before, after, compare, "forget" if verb == "forget" else "remove"),
        "requests": {"before": dict(before.requests), "after": dict(after.requests)},
        "problems": problems(after),
        **more,
    }


def _is_on_trial(row: Row) -> bool:
    return row.reason == agent_trial.ON_TRIAL


def _direction(compared: int) -> str:
    return "reinstall" if compared == 0 else "upgrade" if compared > 0 else "downgrade"
