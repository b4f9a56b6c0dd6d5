# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one rule for believing a report, used by the registry before it stores and by the inventory afterwards.

A report counts when the host is enrolled and not revoked, its enrolled key has signed the report, the report speaks
for that host in its generation, and its counter goes on from the last one. A counter that went back, or two reports
in one place of the chain, mean that a clone or a restored copy speaks with the same key: the host is forked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .._common.refused import Refused
from . import report as reports
from .enrolment import Enrolment
from .floors import Floor
from .report import Report


@dataclass(frozen=True)
class LastSeen:
    """What must be remembered of the newest accepted report of a host."""

    generation: int
    counter: int
    digest: str
    previous: str | None
    issued_at: datetime

    @classmethod
    def of(cls, report: Report) -> LastSeen:
        return cls(report.generation, report.counter, report.digest, report.previous, report.issued_at)


def verify_report(envelope: Mapping[str, Any], enrolment: Enrolment, *, now: datetime) -> Report:
    """The report in an envelope, if this enrolment vouches for it; order is judged by `check_order`."""
    check_enrolment(enrolment, now)
    report = reports.verify(envelope, enrolment.report_key, f"the report of {enrolment.name}")
    check_identity(report, enrolment)
    return report


def check_identity(report: Report, enrolment: Enrolment) -> None:
    """Whether a report whose signature is good speaks for the host of this enrolment, in its generation."""
    if report.host_id != enrolment.host_id:
        raise Refused(
            "wrong_host", f"A report signed with the key of {enrolment.name} speaks for the host {report.host_id}."
        )
    if report.generation < enrolment.generation:
        raise Refused(
            "old_generation",
            f"A report of {enrolment.name} is of generation {report.generation}, before the current"
            f" {enrolment.generation}.",
        )
    if report.generation > enrolment.generation:
        raise Refused(
            "unknown_generation",
            f"A report of {enrolment.name} is of generation {report.generation}, but generation"
            f" {enrolment.generation} is the newest enrolment known.",
        )


def check_enrolment(enrolment: Enrolment, now: datetime) -> None:
    if enrolment.revoked:
        raise Refused("revoked", f"The enrolment of {enrolment.name} was revoked.")
    if now > enrolment.not_after:
        raise Refused(
            "expired", f"The enrolment of {enrolment.name} ended at {enrolment.not_after.isoformat()}; renew it."
        )


def check_order(report: Report, last: LastSeen | None, name: str) -> int:
    """The number of reports missing between `last` and `report`; raises Refused when it does not go on from it."""
    if last is None or last.generation < report.generation:
        return 0
    if report.generation < last.generation:
        raise Refused("old_generation", f"A report of {name} is of a generation before the last accepted one.")
    if report.digest == last.digest or (report.digest == last.previous and report.counter < last.counter):
        raise Refused("replayed", f"Report {report.counter} of {name} was delivered before.")
    if report.counter == last.counter:
        raise Refused("forked", f"The host {name} signed two different reports with the counter {report.counter}.")
    if report.counter < last.counter:
        # What was merely delivered late or again is also older; a copy that lives on is newer and still counts lower.
        if report.issued_at > last.issued_at:
            raise Refused(
                "forked",
                f"The counter of {name} went back from {last.counter} to {report.counter}: a clone or a restored copy"
                " speaks with its key; enrol the host again in a new generation.",
            )
        raise Refused(
            "old_counter", f"Report {report.counter} of {name} is older than the accepted report {last.counter}."
        )
    if report.counter == last.counter + 1 and report.previous != last.digest:
        raise Refused(
            "forked",
            f"Report {report.counter} of {name} does not follow the accepted report {last.counter}: two machines speak"
            " with its key; enrol the host again in a new generation.",
        )
    return report.counter - last.counter - 1


def check_floor(report: Report, floor: Floor | None, name: str) -> None:
    """A report below what was once seen is old news offered as new."""
    if floor is not None and Floor(report.generation, report.counter) < floor:
        raise Refused(
            "below_floor",
            f"The newest report offered for {name} is {report.generation}/{report.counter}, below the"
            f" {floor.generation}/{floor.counter} known from earlier: the registry withholds newer ones.",
        )


def proof_of_fork(accepted: Report, other: Report, name: str) -> str | None:
    """Why two verified reports of one host cannot both come from one machine, or None when they can.

    The registry hands out such a pair when it refused `other` after `accepted`; nobody has to believe it.
    """
    if other.generation != accepted.generation or other.digest == accepted.digest:
        return None
    first, second = sorted((accepted, other), key=lambda report: report.counter)
    try:
        check_order(second, LastSeen.of(first), name)
    except Refused as error:
        return str(error) if error.code == "forked" else None
    if first.previous is not None and first.previous == second.previous:
        return f"The host {name} signed two different reports that follow the same one."
    if second.previous != first.digest and first is other and first.issued_at > second.issued_at:
        return f"The counter of {name} went back from {second.counter} to {first.counter}."
    return None


def clock_problem(report: Report, received_at: datetime, window_seconds: int, name: str) -> str | None:
    """A clock that runs ahead is told, not refused: a refusal would hide the host just when it needs help.

    A report from the past is no sign of a wrong clock, because spooled reports arrive late.
    """
    ahead = report.issued_at - received_at
    if ahead > timedelta(seconds=window_seconds):
        return f"The clock of {name} is {int(ahead.total_seconds())} seconds ahead; check its time service."
    return None
