# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that a source offers for one host, before anything of them is believed.

A registry gives one enrolment and one report for a host, a folder or a host's history any number of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .._common import fields, timestamps
from .._common.refused import Refused
from .inventory_verify import spelling


@dataclass(slots=True)
class Documents:
    """What was offered; the host id is the source's word for whose documents these are."""

    host_id: str
    enrolments: list[bytes] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    fork: list[bytes] = field(default_factory=list)
    """Two reports that the registry holds to be a proof that two machines speak with one key."""
    received_at: datetime | None = None
    problem: str | None = None
    """Why nothing of this is believed."""


def read_row(row: object) -> Documents:
    """One host of a registry's page; raises Refused where it has not even the shape of one."""
    record = fields.record(row, "a host in the registry's answer")
    host_id = fields.text(record, "host_id", "a host in the registry's answer", fields.UUID)
    fork = record.get("fork")
    return Documents(
        host_id=host_id,
        enrolments=_spellings(record.get("enrolment")),
        reports=_spellings(record.get("report")),
        fork=[spelling(one) for one in fork[:2]] if isinstance(fork, list) else [],
        received_at=read_moment(record.get("received_at")),
    )


def read_history(host_id: str, answer: Mapping[str, Any]) -> tuple[Documents, int | None]:
    """A page of a host's history, and where the next, older one begins."""
    what = f"the history of {host_id} in the registry's answer"
    documents = Documents(host_id)
    for one in _list(answer, "enrolments", what):
        documents.enrolments.append(spelling(one))
    for one in _list(answer, "reports", what):
        documents.reports.append(spelling(fields.record(one, what).get("report")))
    before = answer.get("before")
    return documents, None if before is None else fields.integer(dict(answer), "before", what, 1)


def read_moment(value: object) -> datetime | None:
    """The registry's note of a time; a wrong one is as good as none."""
    try:
        return timestamps.parse(value, "received_at")
    except Refused:
        return None


def _spellings(envelope: object) -> list[bytes]:
    return [] if envelope is None else [spelling(envelope)]


def _list(answer: Mapping[str, Any], name: str, what: str) -> list[Any]:
    value = answer.get(name)
    if not isinstance(value, list):
        raise fields.malformed(what, f"needs a list in {name}")
    return value
