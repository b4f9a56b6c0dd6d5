# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions on their way to hosts: taken when a pinned key has signed them, kept until they end, never read aloud.

The registry relays. Hosts believe the signature and count the nonces, so that the worst it can do is not to hand on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from bocage_core._common import timestamps
from bocage_core._common.refused import Refused
from bocage_core._state import action as actions_form
from bocage_core._state import enrolment as enrolments
from bocage_core._state import poll as polls
from bocage_core._state.action import Action
from sqlalchemy import Connection, delete, func, insert, select

from .database import Database
from .settings import Settings
from .store import Clock
from .tables import action_hosts, actions, hosts

MAX_PENDING = 1000
# A host asks again at once when it got as many.
MOST_AT_ONCE = 4
_CURSOR = re.compile(r"([0-9a-f]{16})\.([0-9]{1,18})")


@dataclass(frozen=True)
class Taken:
    """The answer to an operator."""

    action: Action
    unknown: tuple[str, ...]
    """Hosts that are not enrolled here, or were revoked."""
    duplicate: bool = False


@dataclass(frozen=True)
class Waiting:
    """What waits for a host, and where it asks on from."""

    envelopes: tuple[bytes, ...]
    cursor: str


class Actions:
    def __init__(self, database: Database, settings: Settings, clock: Clock = timestamps.now) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    def add(self, raw: bytes) -> Taken:
        """Verify first, then keep it as it was received; raises Refused."""
        action, _key = actions_form.verify(raw, self._settings.action_keys)
        now = self._clock()
        actions_form.check_clock(action, now)
        with self._database.reading() as connection:
            known = self._known(connection, action)
        if not known:
            raise Refused("unknown_host", "None of the hosts of this action is enrolled here; check its host ids.")
        unknown = tuple(one for one in action.host_ids if one not in known)
        with self._database.writing() as (connection, _change):
            self._forget(connection, now)
            if connection.execute(select(actions.c.id).where(actions.c.nonce == action.nonce)).first() is not None:
                return Taken(action, unknown, duplicate=True)
            if connection.execute(select(func.count()).select_from(actions)).scalar_one() >= MAX_PENDING:
                raise Refused("too_many", f"{MAX_PENDING} actions wait already; send this one again in a minute.")
            made = connection.execute(
                insert(actions).values(nonce=action.nonce, not_after=int(action.not_after.timestamp()), envelope=raw)
            )
            number = made.inserted_primary_key[0]  # type: ignore[index]
            rows = [{"host_id": one, "action_id": number} for one in action.host_ids if one in known]
            connection.execute(insert(action_hosts), rows)
        return Taken(action, unknown)

    def check_host(self, host_id: str, authorization: str | None) -> None:
        """Only a host itself sees what waits for it; raises Refused."""
        with self._database.reading() as connection:
            row = connection.execute(select(hosts.c.enrolment).where(hosts.c.host_id == host_id)).first()
        if row is None:
            raise Refused("unknown_host", "This host is not enrolled here; send the enrolment first.")
        enrolment = enrolments.verify_bytes(row.enrolment, self._settings.enrolment_key)
        asked = polls.verify(authorization, enrolment.report_key)
        if (asked.host_id, enrolment.host_id) != (host_id, host_id):
            raise Refused("wrong_host", "A host may ask for its own actions only.")
        if asked.generation != enrolment.generation:
            raise Refused("old_generation", f"The host {enrolment.name} asks with an enrolment that is not the newest.")
        if enrolment.revoked:
            raise Refused("revoked", f"The enrolment of {enrolment.name} was revoked.")

    def pending(self, host_id: str, after: str | None) -> Waiting:
        """What came after a cursor and counts still, oldest first; a cursor of a lost database begins again."""
        begin = self._position(after)
        query = (
            select(actions.c.id, actions.c.envelope)
            .join(action_hosts, action_hosts.c.action_id == actions.c.id)
            .where(action_hosts.c.host_id == host_id, actions.c.id > begin)
            .where(actions.c.not_after >= int(self._clock().timestamp()))
            .order_by(actions.c.id)
            .limit(MOST_AT_ONCE)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        last = rows[-1].id if rows else begin
        return Waiting(tuple(row.envelope for row in rows), f"{self._database.epoch}.{last}")

    def forget_expired(self) -> int:
        """Drop what ended; returns how many went."""
        now = self._clock()
        with self._database.writing() as (connection, _change):
            return self._forget(connection, now)

    def _position(self, after: str | None) -> int:
        if not after:
            return 0
        parts = _CURSOR.fullmatch(after)
        if parts is None:
            raise Refused("malformed", "The cursor in after was not given out by this registry; leave it out.")
        epoch, number = parts.groups()
        return int(number) if epoch == self._database.epoch else 0

    def _known(self, connection: Connection, action: Action) -> set[str]:
        query = select(hosts.c.host_id).where(hosts.c.host_id.in_(action.host_ids), ~hosts.c.revoked)
        return set(connection.execute(query).scalars())

    def _forget(self, connection: Connection, now: datetime) -> int:
        # kept for as long as one may be sent again by a host of another clock, so that it is known for what it is
        ended = actions.c.not_after < int((now - timedelta(seconds=actions_form.MAX_VALID_SECONDS)).timestamp())
        gone = connection.execute(select(actions.c.id).where(ended)).scalars().all()
        if gone:
            connection.execute(delete(action_hosts).where(action_hosts.c.action_id.in_(gone)))
            connection.execute(delete(actions).where(actions.c.id.in_(gone)))
        return len(gone)
