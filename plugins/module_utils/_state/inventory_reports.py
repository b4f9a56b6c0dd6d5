# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which report of a host counts, if any: what a source offers is judged as if an attacker had offered it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime

from .._common import dsse
from .._common.errors import Untrusted
from .._common.refused import Refused
from . import acceptance
from .acceptance import LastSeen
from .enrolment import Enrolment
from .floors import Floor
from .inventory_documents import Documents
from .inventory_enrolments import Identity
from .inventory_verify import Verifier
from .report import Report


@dataclass(frozen=True, slots=True)
class Judgement:
    """The report that counts, or why none does."""

    report: Report | None = None
    distrust: str | None = None
    last_seen: LastSeen | None = None
    """Of a report that was seen once and is no longer offered."""


NOTHING = Judgement()


def judge(
    identity: Identity,
    documents: Documents | None,
    verifier: Verifier,
    *,
    last_seen: LastSeen | None = None,
    floor: Floor | None = None,
    until: datetime | None = None,
) -> Judgement:
    """Judge all documents of one host; with `until` reports that were issued later are left out."""
    current = identity.current
    if current is None or identity.distrust is not None:
        return Judgement(distrust=identity.distrust)
    if last_seen is not None and last_seen.generation < current.generation:
        last_seen = None
    try:
        found = [] if documents is None else _reports(documents, identity, current, verifier)
        if until is not None:
            found = [report for report in found if report.issued_at <= until]
        if not found:
            return Judgement(last_seen=last_seen)
        found.sort(key=lambda report: report.counter)
        for before, after in itertools.pairwise(found):
            _raise_fork(acceptance.proof_of_fork(before, after, current.name))
        newest = found[-1]
        if documents is not None and documents.fork:
            _raise_fork(_proven_fork(documents.fork, current, identity, verifier))
        if last_seen is not None and last_seen.digest != newest.digest:
            acceptance.check_order(newest, last_seen, current.name)
        acceptance.check_floor(newest, floor, current.name)
    except Untrusted as error:
        return Judgement(distrust=str(error))
    return Judgement(newest)


def _reports(documents: Documents, identity: Identity, current: Enrolment, verifier: Verifier) -> list[Report]:
    """The verified reports of the current generation; one that nobody of this host signed is an alarm."""
    if documents.host_id != current.host_id:
        raise Refused("wrong_host", f"The documents offered for {current.name} are of another host.")
    if documents.problem is not None:
        raise Untrusted(documents.problem)
    what = f"the report of {current.name}"
    found: dict[str, Report] = {}
    for raw in documents.reports:
        signer = current if len(identity.generations) < 2 else _signer(raw, identity, current, what)
        if signer.generation < current.generation:
            continue  # of the time before the host was enrolled again
        report = verifier.report(raw, signer.report_key, what)
        acceptance.check_identity(report, current)
        found[report.digest] = report
    return list(found.values())


def _signer(raw: bytes, identity: Identity, current: Enrolment, what: str) -> Enrolment:
    """The generation of the host whose key an envelope names; the signature decides later whether that is true."""
    names = dsse.signer_key_ids(dsse.load(raw, what), what)
    if dsse.key_id(current.report_key) in names:
        return current
    for enrolment in identity.generations:
        if enrolment.host_id == current.host_id and dsse.key_id(enrolment.report_key) in names:
            return enrolment
    return current


def _proven_fork(fork: list[bytes], current: Enrolment, identity: Identity, verifier: Verifier) -> str | None:
    what = f"the proof that {current.name} is forked"
    signers = [_signer(raw, identity, current, what) for raw in fork]
    if len(fork) != 2 or any(signer.generation < current.generation for signer in signers):
        return None
    first, second = (verifier.report(raw, current.report_key, what) for raw in fork)
    for report in (first, second):
        if report.host_id != current.host_id:
            raise Refused("wrong_host", f"A report offered as {what} is of another host.")
    if first.generation < current.generation:
        return None
    return acceptance.proof_of_fork(first, second, current.name)


def _raise_fork(proof: str | None) -> None:
    if proof is not None:
        raise Refused("forked", proof)
