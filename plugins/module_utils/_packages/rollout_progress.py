# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rollout of packages goes on, by what hosts report of it. Pure; the steps themselves are those of any rollout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .._common import timestamps
from .._common.errors import BadInput
from .._common.rollout import Host, State, Step, abort, members, pause, resume, roll_back, step
from .._common.rollout_gates import Observation
from . import rollout_figures
from .rollout_document import RolloutDocument
from .rollout_start import SignTicket, with_tickets
from .versions import Version

COMMANDS = {"pause": pause, "resume": resume, "abort": abort, "roll_back": roll_back}
_FAILED = ("ERROR", "MISSING")


@dataclass(frozen=True)
class Report:
    """What a host's last verified report says: all of its sections, and when it was made."""

    sections: Mapping[str, Any]
    at: datetime | None


@dataclass(frozen=True)
class Progress:
    """A document after a step. `audit`: hosts that have taken the change and should say whether it is well."""

    document: RolloutDocument
    step: Step
    audit: tuple[str, ...] = field(default=())


def observe(document: RolloutDocument, reports: Mapping[str, Report], now: datetime) -> dict[str, Observation]:
    """What reports say of this rollout, by host; one that says nothing of packages has not changed."""
    rollout, going_back = document.rollout, document.state.phase == "rolling_back"
    after, before = document.lock_digest("after"), document.lock_digest("before")
    found = {}
    for name, report in reports.items():
        section = report.sections.get("packages")
        if not section:
            continue
        entry = (section.get("rollouts") or {}).get(document.name, {})
        told, audited = entry.get("digest"), entry.get("audited_at")
        # an agent that does not say so has not done it
        due = entry.get("due", True)
        late = report.at is not None and (now - report.at).total_seconds() > rollout.gates.silence_seconds
        if going_back:
            found[name] = Observation(changed=told == after or (told == before and due), silent=late)
            continue
        error = _error(document, section)
        changed = told == after and (bool(error) or not due)
        found[name] = Observation(
            changed=changed,
            error=error if changed else "",
            audit_failed=changed and any(_audit(section, one) == "ERROR" for one in document.changing),
            silent=late,
            begun=told == after and entry.get("begun") is True,
            to_audit="audited_at" in entry,
            audited_at=timestamps.parse(str(audited), f"An audit of {name}") if audited else None,
            metrics=rollout_figures.values(report.sections, [one.name for one in rollout.gates.metrics]),
        )
    return found


def advance(
    document: RolloutDocument,
    hosts: Sequence[Host],
    reports: Mapping[str, Report],
    now: datetime,
    sign: SignTicket | None,
    ticket_keys: Sequence[bytes] = (),
) -> Progress:
    """One step. Hosts that joined get leave to go back before their ring can open.

    `sign` and `ticket_keys` as in `rollout_start.start`.
    """
    # on the way back leave is only made anew where that can be done
    if not document.state.ended and (document.state.phase != "rolling_back" or sign is not None):
        document = with_tickets(document, hosts, sign, ticket_keys)
    seen = observe(document, reports, now)
    taken = step(document.rollout, document.state, hosts, seen, now)
    document = replace(document, state=taken.state)
    audit: tuple[str, ...] = ()
    if taken.state.phase == "running":
        rings = members(document.rollout, hosts)[: taken.state.ring + 1]
        audit = tuple(
            name for ring in rings for name in ring if name in seen and seen[name].changed and seen[name].to_audit
        )
    return Progress(document, taken, audit)


def command(document: RolloutDocument, word: str, now: datetime, why: str) -> RolloutDocument:
    """What a person decided. Raises BadInput where the rollout is not in a phase for it."""
    try:
        state: State = COMMANDS[word](document.state, now, why)
    except BadInput as error:
        raise BadInput(str(error).replace("The rollout is", f"The rollout {document.name} is", 1)) from error
    return replace(document, state=state)


def _error(document: RolloutDocument, section: Mapping[str, Any]) -> str:
    for one in section["problems"]:
        locked = document.after.get(one["package"])
        if locked is None or one["package"] not in document.changing or one["state"] not in _FAILED:
            continue
        # what failed before in another version is not this rollout's doing
        if not one.get("wanted") or _same(one["wanted"], locked.version):
            return f"{one['package']} {locked.version}: {one['reason'] or one['state']}".rstrip(".")
    return ""


def _same(one: str, other: str) -> bool:
    try:
        return Version.parse(one) == Version.parse(other)
    except BadInput:
        return False


def _audit(section: Mapping[str, Any], package: str) -> str:
    found: str = (section["audits"].get(package) or {}).get("answer", "")
    return found
