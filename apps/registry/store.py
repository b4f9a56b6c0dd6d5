# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry takes in: verified first, then stored as received."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bocage_core._common import dsse, timestamps
from bocage_core._common.refused import Refused
from bocage_core._state import acceptance
from bocage_core._state import enrolment as enrolments
from bocage_core._state.acceptance import LastSeen
from bocage_core._state.enrolment import Enrolment
from bocage_core._state.report import MAX_REPORT_BYTES, Report
from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from .database import Database
from .settings import Settings
from .tables import LAST_REPORT, enrolment_history, hosts, report_history

_DAY = 86400
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Stored:
    """The answer to a sender."""

    host_id: str
    name: str
    generation: int
    counter: int | None = None
    duplicate: bool = False
    missing: int = 0
    warnings: tuple[str, ...] = ()


class Store:
    def __init__(self, database: Database, settings: Settings, clock: Clock = timestamps.now) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    def add_enrolment(self, raw: bytes) -> Stored:
        new = enrolments.verify_bytes(raw, self._settings.enrolment_key)
        with self._database.writing() as (connection, change):
            rows = connection.execute(
                select(hosts).where(
                    (hosts.c.host_id == new.host_id)
                    | ((hosts.c.name == new.name) & ~hosts.c.revoked)
                    | (hosts.c.report_key_id == dsse.key_id(new.report_key))
                )
            ).all()
            own = None
            for row in rows:
                current = self._enrolment_in(row)
                if row.host_id == new.host_id:
                    own = row
                if current is None:
                    # The stored document is damaged; a good one takes its place.
                    if row.host_id != new.host_id:
                        connection.execute(delete(hosts).where(hosts.c.host_id == row.host_id))
                    continue
                if current == new:
                    return Stored(new.host_id, new.name, new.generation, duplicate=True)
                if current.host_id != new.host_id and current.name != new.name:
                    raise Refused(
                        "enrolment_conflict",
                        f"The report key of {new.name} is already enrolled for {current.name}; a host makes its own.",
                    )
                enrolments.accept(current, new)
            self._put_enrolment(connection, change, raw, new, own)
        return Stored(new.host_id, new.name, new.generation)

    def add_report(self, raw: bytes) -> Stored:
        envelope = dsse.load(raw, "the report", MAX_REPORT_BYTES)
        names = dsse.signer_key_ids(envelope, "the report")
        now = self._clock()
        # The costly part runs before a writer's turn is taken, so garbage never delays a good report.
        with self._database.reading() as connection:
            row = self._sender(connection, names)
        enrolment, report = self._verify(envelope, row, now)
        if row.report == raw:
            return _duplicate(report, enrolment)
        refusal: Refused | None = None
        missing = 0
        with self._database.writing() as (connection, change):
            current = self._sender(connection, names)
            if current.enrolment != row.enrolment:
                enrolment, report = self._verify(envelope, current, now)
            if current.report == raw:
                return _duplicate(report, enrolment)
            try:
                missing = self._check_order(connection, report, current, enrolment.name)
            except Refused as error:
                if error.code != "forked" or current.fork_refused is not None:
                    raise
                refusal = error
                self._keep_fork(connection, change, report, current, raw)
            else:
                self._put_report(connection, change, raw, report, now)
        if refusal is not None:
            raise refusal
        warnings = [acceptance.clock_problem(report, now, self._settings.clock_skew_seconds, enrolment.name)]
        if missing:
            warnings.append(f"{missing} reports of {enrolment.name} before number {report.counter} never arrived.")
        return Stored(
            report.host_id,
            enrolment.name,
            report.generation,
            report.counter,
            missing=missing,
            warnings=tuple(warning for warning in warnings if warning),
        )

    def thin_history(self) -> int:
        """Of what is older than the declared time, keep the last report of each day; returns how many went."""
        cutoff = int(self._clock().timestamp()) - self._settings.history_seconds
        later = report_history.alias("later")
        superseded = exists().where(
            later.c.host_id == report_history.c.host_id,
            later.c.day == report_history.c.day,
            later.c.id > report_history.c.id,
            later.c.received_at < cutoff,
        )
        with self._database.writing() as (connection, _change):
            done = connection.execute(delete(report_history).where(report_history.c.received_at < cutoff, superseded))
            return int(done.rowcount)

    def _verify(self, envelope: Mapping[str, Any], row: Row[Any], now: datetime) -> tuple[Enrolment, Report]:
        enrolment = self._enrolment_in(row)
        if enrolment is None:
            raise _unknown()
        return enrolment, acceptance.verify_report(envelope, enrolment, now=now)

    def _enrolment_in(self, row: Row[Any]) -> Enrolment | None:
        """The enrolment of a row, verified again: the database is believed no more than the network."""
        try:
            return enrolments.verify_bytes(row.enrolment, self._settings.enrolment_key)
        except Refused:
            return None

    def _sender(self, connection: Connection, key_ids: list[str]) -> Row[Any]:
        row = connection.execute(select(hosts).where(hosts.c.report_key_id.in_(key_ids))).first()
        if row is None:
            raise _unknown()
        return row

    def _check_order(self, connection: Connection, report: Report, row: Row[Any], name: str) -> int:
        same_place = connection.execute(
            select(report_history.c.digest).where(
                report_history.c.host_id == report.host_id,
                report_history.c.generation == report.generation,
                report_history.c.counter == report.counter,
            )
        ).scalar()
        if same_place == report.digest:
            raise Refused("replayed", f"Report {report.counter} of {name} was delivered before.")
        if same_place is not None:
            raise Refused("forked", f"The host {name} signed two different reports with the counter {report.counter}.")
        return acceptance.check_order(report, _last_seen(row), name)

    def _put_enrolment(
        self, connection: Connection, change: int, raw: bytes, new: Enrolment, own: Row[Any] | None
    ) -> None:
        values: dict[str, Any] = {
            "name": new.name,
            "tenant": new.tenant,
            "generation": new.generation,
            "report_key_id": dsse.key_id(new.report_key),
            "revoked": new.revoked,
            "enrolment": raw,
            "change": change,
        }
        if own is None:
            connection.execute(insert(hosts).values(host_id=new.host_id, **values))
        else:
            if own.generation != new.generation:
                # The reports of the last generation cannot be verified with the new key, and its fork is repaired.
                values |= dict.fromkeys(LAST_REPORT)
            connection.execute(update(hosts).where(hosts.c.host_id == new.host_id).values(**values))
        known = select(enrolment_history.c.digest).where(enrolment_history.c.digest == new.digest)
        if connection.execute(known).first() is None:
            connection.execute(
                insert(enrolment_history).values(
                    digest=new.digest,
                    host_id=new.host_id,
                    generation=new.generation,
                    received_at=int(self._clock().timestamp()),
                    envelope=raw,
                )
            )

    def _put_report(self, connection: Connection, change: int, raw: bytes, report: Report, now: datetime) -> None:
        received = int(now.timestamp())
        connection.execute(
            update(hosts)
            .where(hosts.c.host_id == report.host_id)
            .values(
                change=change,
                report=raw,
                report_generation=report.generation,
                report_counter=report.counter,
                report_digest=report.digest,
                report_previous=report.previous,
                report_issued_at=int(report.issued_at.timestamp()),
                received_at=received,
            )
        )
        connection.execute(
            insert(report_history).values(
                host_id=report.host_id,
                generation=report.generation,
                counter=report.counter,
                digest=report.digest,
                day=received // _DAY,
                received_at=received,
                envelope=raw,
            )
        )

    def _keep_fork(self, connection: Connection, change: int, report: Report, row: Row[Any], raw: bytes) -> None:
        """Keep both reports, so that a reader need not believe the registry when it says that a host is forked."""
        same_place = connection.execute(
            select(report_history.c.envelope).where(
                report_history.c.host_id == report.host_id,
                report_history.c.generation == report.generation,
                report_history.c.counter == report.counter,
            )
        ).scalar()
        connection.execute(
            update(hosts)
            .where(hosts.c.host_id == report.host_id)
            .values(change=change, fork_accepted=same_place or row.report, fork_refused=raw)
        )


def _last_seen(row: Row[Any]) -> LastSeen | None:
    if row.report_counter is None:
        return None
    return LastSeen(
        generation=row.report_generation,
        counter=row.report_counter,
        digest=row.report_digest,
        previous=row.report_previous,
        issued_at=datetime.fromtimestamp(row.report_issued_at, tz=UTC),
    )


def _duplicate(report: Report, enrolment: Enrolment) -> Stored:
    return Stored(report.host_id, enrolment.name, report.generation, report.counter, duplicate=True)


def _unknown() -> Refused:
    return Refused("unknown_host", "The key that signed this report is not enrolled here; send the enrolment first.")
