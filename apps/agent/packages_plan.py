# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done on a host: the solver's answer beside what is installed. Plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bocage_core._packages.requests import Request

from .packages_ports import CONTROL_ONLY, Offer, Solution
from .packages_store import Row

# From requests and what is installed and may stay, to what shall be there.
Solve = Callable[[Sequence[str | Request], Mapping[str, Offer]], Solution]


@dataclass(frozen=True)
class Plan:
    install: tuple[Offer, ...] = ()
    """In this order: what others need comes first."""
    remove: Mapping[str, str] = field(default_factory=dict)
    """By package, why it has to go."""
    missing: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    wanted: tuple[Offer, ...] = ()
    offline: bool = False
    held: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By package that is not done now, its state and why."""


def installed_offers(rows: Mapping[str, Row]) -> dict[str, Offer]:
    return {
        name: Offer(name, row.version, row.section, row.depends, row.conflicts, row.sha256)
        for name, row in rows.items()
        if row.version is not None
    }


def make_plan(
    requests: Sequence[str | Request],
    rows: Mapping[str, Row],
    forbidden: Collection[str],
    solve: Solve,
    halfway: Collection[str] = (),
) -> Plan:
    """Solve, and compare with what is there. `halfway` are packages whose installation was begun and failed.

    What is installed and no longer asked for stays, as long as that is possible beside what is asked for; only packages
    of settings (groups, units, profiles ...) go with what asked for them.
    """
    going = {name for name, row in rows.items() if row.wanted == ""} | set(forbidden)
    solution = solve(requests, {name: one for name, one in installed_offers(rows).items() if name not in going})
    wanted = {one.package for one in solution.wanted}
    removals = {
        name: _why_removed(row, forbidden, solution)
        for name, row in rows.items()
        if name not in wanted and row.version is not None
    }
    removals |= {name: "It was begun and is no longer wanted" for name in halfway if name not in wanted}
    return Plan(
        install=tuple(one for one in solution.wanted if _is_due(one, rows.get(one.package))),
        remove=removals,
        missing={name: why for name, why in solution.missing.items() if name not in removals},
        reasons=dict(solution.reasons),
        wanted=solution.wanted,
    )


def _why_removed(row: Row, forbidden: Collection[str], solution: Solution) -> str:
    if row.name in forbidden:
        return "It is forbidden on this host"
    if row.wanted == "":
        return row.reason or "Its removal was asked for"
    if row.section in CONTROL_ONLY and row.name not in solution.missing:
        return f"Nothing asks for this {row.section} any more"
    return solution.reasons.get(row.name) or solution.missing.get(row.name) or "It does not fit to what is asked for"


def _is_due(offer: Offer, row: Row | None) -> bool:
    if row is None or row.version is None or row.state == "ERROR":
        return True
    # made anew under the same version
    rebuilt = bool(offer.sha256) and bool(row.sha256) and offer.sha256 != row.sha256
    return row.version != offer.version or rebuilt


def without_repository(plan: Plan, rows: Mapping[str, Row]) -> Plan:
    """The same where only the cache is known: what it does not have may well be in the repository."""
    known = {name: row.reason for name, row in rows.items() if row.state == "MISSING"}
    return replace(
        plan,
        offline=True,
        missing={name: known.get(name, "No repository can be reached") for name in plan.missing},
    )


def rows_of(plan: Plan, rows: Mapping[str, Row]) -> list[Row]:
    """The states of all packages by this plan; what failed stays in ERROR until it succeeds or nobody wants it."""
    due = {one.package for one in plan.install}
    found: dict[str, Row] = {}
    for one in plan.wanted:
        row = rows.get(one.package, Row(one.package, "NEED-INSTALL", section=one.section))
        reason = plan.reasons.get(one.package, "")
        if one.package in plan.held:
            held, why = plan.held[one.package]
            state = "NEED-INSTALL" if held != "ERROR" and row.version is None else held
            found[one.package] = replace(row, state=state, wanted=one.version, reason=why)
        elif one.package not in due:
            found[one.package] = replace(row, state="OK", wanted=one.version, reason="")
        elif row.state == "ERROR":
            found[one.package] = replace(row, wanted=one.version)
        else:
            state = "NEED-INSTALL" if row.version is None else "NEED-UPGRADE"
            found[one.package] = replace(row, state=state, wanted=one.version, reason=reason)
    for name, why in plan.missing.items():
        row = rows.get(name, Row(name, "MISSING"))
        found[name] = replace(row, state="MISSING", reason=why)
    for name, why in plan.remove.items():
        row = rows[name]
        if row.state != "ERROR":
            row = replace(row, state="NEED-REMOVE", reason=why)
        found[name] = replace(row, wanted="")
    for name, row in rows.items():
        if name not in found and row.version is not None:
            found[name] = replace(row, state="ERROR" if row.state == "ERROR" else "OK", wanted=None)
            if found[name].state == "OK":
                found[name] = replace(found[name], reason="")
    if plan.offline:
        # what the last update told is still so
        found |= {
            name: row
            for name, row in rows.items()
            if row.state in ("NEED-INSTALL", "NEED-UPGRADE") and name not in due and name not in plan.remove
        }
    return sorted(found.values(), key=lambda one: one.name)


def without_dependents(
    install: Iterable[Offer], failed: Mapping[str, str], names: Callable[[str], list[str]]
) -> tuple[list[Offer], dict[str, str]]:
    """What can go on after failures, and what cannot, because it needs something that failed."""
    kept: list[Offer] = []
    skipped: dict[str, str] = {}
    for one in install:
        if one.package in failed:
            continue
        needed = next((name for name in names(one.depends) if name in failed or name in skipped), None)
        if needed is None:
            kept.append(one)
        else:
            skipped[one.package] = f"It needs {needed}, which could not be installed"
    return kept, skipped


def dependents(name: str, rows: Mapping[str, Row], names: Callable[[str], list[str]]) -> list[str]:
    """Installed packages that need this one."""
    return [
        other for other, row in rows.items() if other != name and row.version is not None and name in names(row.depends)
    ]
