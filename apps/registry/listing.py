# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry gives out: pages of envelopes, exactly as they were received."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bocage_core._common import canonical, timestamps
from bocage_core._common.refused import Refused
from sqlalchemy import Connection, Row, func, select

from .actions import Waiting
from .database import Database
from .tables import enrolment_history, hosts, report_history

MAX_PAGE = 5000
_CURSOR = re.compile(r"([0-9a-f]{16})\.([0-9]{1,18})")


@dataclass(frozen=True)
class Page:
    body: bytes
    etag: str


class Listing:
    def __init__(self, database: Database) -> None:
        self._database = database

    def hosts(self, since: str | None, tenant: str | None, limit: int) -> Page:
        """Hosts changed after a cursor; a cursor of a database that is lost begins again and says so."""
        begin, reset = self._position(since)
        with self._database.reading() as connection:
            newest = connection.execute(_scoped(select(func.max(hosts.c.change)), tenant)).scalar() or 0
            query = _scoped(select(hosts).where(hosts.c.change > begin), tenant)
            rows = connection.execute(query.order_by(hosts.c.change).limit(limit + 1)).all()
        page = rows[:limit]
        cursor = f"{self._database.epoch}.{page[-1].change if page else max(begin, newest)}"
        more = len(rows) > limit
        head = {"cursor": cursor, "more": more, "reset": reset}
        body = _object(head, [("hosts", b"[" + b",".join(_host(row) for row in page) + b"]")])
        scope = json.dumps([self._database.epoch, newest, since, tenant, limit])
        return Page(body, f'"{hashlib.sha256(scope.encode()).hexdigest()[:32]}"')

    def host(self, host_id: str, tenant: str | None) -> bytes | None:
        with self._database.reading() as connection:
            row = _find(connection, host_id, tenant)
        return None if row is None else _host(row)

    def history(self, host_id: str, tenant: str | None, before: int | None, limit: int) -> bytes | None:
        """Reports of one host, newest first, with every enrolment that is needed to verify them."""
        with self._database.reading() as connection:
            if _find(connection, host_id, tenant) is None:
                return None
            query = select(report_history).where(report_history.c.host_id == host_id)
            if before is not None:
                query = query.where(report_history.c.id < before)
            rows = connection.execute(query.order_by(report_history.c.id.desc()).limit(limit + 1)).all()
            known = select(enrolment_history.c.envelope).where(enrolment_history.c.host_id == host_id)
            enrolments = connection.execute(known.order_by(enrolment_history.c.generation)).scalars().all()
        page = rows[:limit]
        head = {"host_id": host_id, "before": page[-1].id if len(rows) > limit else None}
        reports = [
            _object({"received_at": _moment(row.received_at)}, [("report", _embed(row.envelope))]) for row in page
        ]
        return _object(
            head,
            [
                ("enrolments", b"[" + b",".join(_embed(one) for one in enrolments) + b"]"),
                ("reports", b"[" + b",".join(reports) + b"]"),
            ],
        )

    def counts(self) -> dict[str, int]:
        """Numbers for monitoring."""
        with self._database.reading() as connection:
            total, reported, revoked, forked = connection.execute(
                select(
                    func.count(),
                    func.count(hosts.c.report_counter),
                    func.count().filter(hosts.c.revoked),
                    func.count(hosts.c.fork_refused),
                ).select_from(hosts)
            ).one()
            kept = connection.execute(select(func.count()).select_from(report_history)).scalar_one()
        return {"enrolled": total, "reported": reported, "revoked": revoked, "forked": forked, "kept_reports": kept}

    def _position(self, since: str | None) -> tuple[int, bool]:
        if not since:
            return 0, False
        parts = _CURSOR.fullmatch(since)
        if parts is None:
            raise Refused("malformed", "The cursor in since was not given out by this registry; leave it out.")
        epoch, change = parts.groups()
        return (int(change), False) if epoch == self._database.epoch else (0, True)


def actions_page(found: Waiting, retry_seconds: int) -> bytes:
    """What waits for a host, as it was received."""
    head = {"cursor": found.cursor, "retry_seconds": retry_seconds}
    return _object(head, [("actions", b"[" + b",".join(_embed(one) for one in found.envelopes) + b"]")])


def _scoped(query: Any, tenant: str | None) -> Any:
    return query if tenant is None else query.where(hosts.c.tenant == tenant)


def _find(connection: Connection, host_id: str, tenant: str | None) -> Row[Any] | None:
    row: Row[Any] | None = connection.execute(_scoped(select(hosts).where(hosts.c.host_id == host_id), tenant)).first()
    return row


def _host(row: Row[Any]) -> bytes:
    fork = b"null"
    if row.fork_refused is not None:
        fork = b"[" + _embed(row.fork_accepted) + b"," + _embed(row.fork_refused) + b"]"
    return _object(
        {"host_id": row.host_id, "received_at": _moment(row.received_at)},
        [("enrolment", _embed(row.enrolment)), ("report", _embed(row.report)), ("fork", fork)],
    )


def _object(values: dict[str, Any], raw: Iterable[tuple[str, bytes]]) -> bytes:
    """A JSON object of values and of parts that are JSON already."""
    head = json.dumps(values)[:-1].encode()
    return head + b"".join(f', "{name}": '.encode() + part for name, part in raw) + b"}"


def _embed(envelope: bytes | None) -> bytes:
    """An envelope as part of an answer; one that somebody damaged in the database must not damage the whole page."""
    if envelope is None:
        return b"null"
    try:
        canonical.loads(envelope)
    except Refused:
        # No reader can take this for an envelope, so the host shows as untrusted.
        return json.dumps({"unreadable": base64.b64encode(envelope).decode("ascii")}).encode()
    return envelope


def _moment(seconds: int | None) -> str | None:
    return None if seconds is None else timestamps.write(datetime.fromtimestamp(seconds, tz=UTC))
