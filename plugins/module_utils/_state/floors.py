# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Floors: the last known generation and counter of each host, and who is revoked, signed beside the inventory.

A registry may withhold what is new and offer what is old; below its floor a host's word is not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .._common import canonical, dsse, fields, timestamps
from .enrolment import Enrolment

PAYLOAD_TYPE = "application/vnd.bocage.floors+json"
MAX_FLOORS_BYTES = 16 * 1024 * 1024

_REQUIRED = frozenset({"schema", "floors", "revoked", "issued_at"})
_FLOOR = frozenset({"generation", "counter"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, order=True)
class Floor:
    generation: int
    counter: int


@dataclass(frozen=True)
class Floors:
    issued_at: datetime
    floors: Mapping[str, Floor] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()

    @classmethod
    def from_payload(cls, payload: bytes, what: str = "the file of floors") -> Floors:
        document = fields.record(canonical.loads(payload, what), what)
        fields.only(document, _REQUIRED, _NONE, what)
        fields.integer(document, "schema", what, 1, 1)
        floors: dict[str, Floor] = {}
        for host_id, value in fields.record(document["floors"], f"floors in {what}").items():
            floor = fields.record(value, f"a floor in {what}")
            fields.only(floor, _FLOOR, _NONE, f"a floor in {what}")
            if not fields.UUID.fullmatch(host_id):
                raise fields.malformed(what, "has a floor for something that is not a host id")
            floors[host_id] = Floor(
                fields.integer(floor, "generation", what, 1, 2**31 - 1), fields.integer(floor, "counter", what)
            )
        return cls(
            issued_at=timestamps.parse(document["issued_at"], f"issued_at of {what}"),
            floors=floors,
            revoked=frozenset(fields.texts(document, "revoked", what, fields.UUID, 1_000_000)),
        )

    def to_payload(self) -> bytes:
        return canonical.dumps(
            {
                "schema": 1,
                "floors": {
                    host_id: {"generation": floor.generation, "counter": floor.counter}
                    for host_id, floor in self.floors.items()
                },
                "revoked": sorted(self.revoked),
                "issued_at": timestamps.write(self.issued_at),
            }
        )

    def raised(self, seen: Mapping[str, Floor], revoked: frozenset[str], issued_at: datetime) -> Floors:
        """New floors: never lower than these, and nobody is taken off the list of the revoked."""
        floors = dict(self.floors)
        for host_id, floor in seen.items():
            floors[host_id] = max(floor, floors.get(host_id, floor))
        return Floors(issued_at=issued_at, floors=floors, revoked=self.revoked | revoked)

    def permit(self, enrolment: Enrolment) -> bool:
        """Whether a document is none of before a revocation or of an earlier generation than was signed already."""
        floor = self.floors.get(enrolment.host_id)
        known = 1 if floor is None else floor.generation
        if enrolment.host_id in self.revoked and not enrolment.revoked:
            return enrolment.generation > known
        return enrolment.generation >= known

    def following(self, enrolment: Enrolment, now: datetime) -> Floors:
        """What has to be known after a document was signed: the same floors where they say it already.

        A host that was revoked is taken off the list by a later generation, as what was revoked is below its floor.
        """
        host_id, floor = enrolment.host_id, Floor(enrolment.generation, 0)
        held = self.floors.get(host_id)
        if enrolment.revoked:
            revoked = self.revoked | {host_id}
        elif enrolment.generation > (1 if held is None else held.generation):
            revoked = self.revoked - {host_id}
        else:
            return self
        floors = {**self.floors, host_id: floor if held is None else max(held, floor)}
        if (floors, revoked) == (self.floors, self.revoked):
            return self
        # of two lists the later counts, so a clock that stands still must not make them equal
        return Floors(max(now, self.issued_at + timedelta(seconds=1)), floors, revoked)


def sign(floors: Floors, private_key_pem: bytes) -> dict[str, Any]:
    return dsse.sign(floors.to_payload(), PAYLOAD_TYPE, private_key_pem)


def verify_bytes(raw: bytes, enrolment_key: bytes, what: str = "the file of floors") -> Floors:
    return Floors.from_payload(dsse.verify_bytes(raw, PAYLOAD_TYPE, enrolment_key, what, MAX_FLOORS_BYTES), what)
