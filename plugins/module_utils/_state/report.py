# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports: what a host says of itself, numbered, chained and signed with its own key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._common import canonical, dsse, fields, timestamps
from .sections import check_sections

PAYLOAD_TYPE = "application/vnd.bocage.report+json"
MAX_REPORT_BYTES = 32768

_REQUIRED = frozenset({"schema", "host_id", "generation", "counter", "issued_at", "boot_id", "previous", "sections"})
_NONE: frozenset[str] = frozenset()
_BOOT_ID = re.compile(r"[0-9a-f-]{1,64}")


@dataclass(frozen=True)
class Report:
    """One report; `digest` is that of the payload it was read from or will be signed as."""

    host_id: str
    generation: int
    counter: int
    issued_at: datetime
    boot_id: str
    previous: str | None
    sections: Mapping[str, Any]
    digest: str = ""

    @classmethod
    def from_payload(cls, payload: bytes, what: str = "the report") -> Report:
        """Read a verified payload; raises Refused for anything else than a whole, well-formed report."""
        document = fields.record(canonical.loads(payload, what), what)
        fields.only(document, _REQUIRED, _NONE, what)
        fields.integer(document, "schema", what, 1, 1)
        previous = document["previous"]
        return cls(
            host_id=fields.text(document, "host_id", what, fields.UUID),
            generation=fields.integer(document, "generation", what, 1, 2**31 - 1),
            counter=fields.integer(document, "counter", what, 1),
            issued_at=timestamps.parse(document["issued_at"], f"issued_at of {what}"),
            boot_id=fields.text(document, "boot_id", what, _BOOT_ID),
            previous=None if previous is None else fields.text(document, "previous", what, fields.SHA256),
            sections=check_sections(document["sections"], what),
            digest=canonical.digest(payload),
        )

    @classmethod
    def from_verified(cls, payload: bytes) -> Report:
        """Read again a payload that `from_payload` accepted before, without checking it a second time."""
        document = json.loads(payload.decode())
        del document["schema"]
        document["issued_at"] = datetime.fromisoformat(document["issued_at"])
        return cls(**document, digest=canonical.digest(payload))

    def to_payload(self) -> bytes:
        return canonical.dumps(
            {
                "schema": 1,
                "host_id": self.host_id,
                "generation": self.generation,
                "counter": self.counter,
                "issued_at": timestamps.write(self.issued_at),
                "boot_id": self.boot_id,
                "previous": self.previous,
                "sections": dict(self.sections),
            }
        )


def sign(report: Report, private_key_pem: bytes) -> dict[str, Any]:
    return dsse.sign(report.to_payload(), PAYLOAD_TYPE, private_key_pem)


def verify(envelope: Mapping[str, Any], report_key: bytes, what: str = "the report") -> Report:
    """A report that the holder of `report_key` has signed; whether it may be accepted is acceptance's question."""
    return Report.from_payload(dsse.verify(envelope, PAYLOAD_TYPE, report_key, what), what)
