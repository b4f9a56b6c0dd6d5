# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host asks for its actions: a statement, signed with its report key, that it is the host that asks.

It holds no time, so that a host whose clock is wrong still gets its actions and can answer that its clock is wrong.
Whoever stole it could read which actions wait for this host for a minute, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from .._common import canonical, dsse, fields
from .._common.refused import Refused

PAYLOAD_TYPE = "application/vnd.bocage.poll+json"
SCHEME = "Bocage-Host"
MAX_POLL_BYTES = 1024
_REQUIRED = frozenset({"schema", "host_id", "generation"})
_NONE: frozenset[str] = frozenset()
_WHAT = "the host's proof"


@dataclass(frozen=True)
class Poll:
    host_id: str
    generation: int

    def to_payload(self) -> bytes:
        return canonical.dumps({"schema": 1, "host_id": self.host_id, "generation": self.generation})

    @classmethod
    def from_payload(cls, payload: bytes) -> Poll:
        document = fields.record(canonical.loads(payload, _WHAT), _WHAT)
        fields.only(document, _REQUIRED, _NONE, _WHAT)
        fields.integer(document, "schema", _WHAT, 1, 1)
        return cls(
            fields.text(document, "host_id", _WHAT, fields.UUID),
            fields.integer(document, "generation", _WHAT, 1, 2**31 - 1),
        )


def header(poll: Poll, report_private_pem: bytes) -> str:
    """The value of the header Authorization."""
    envelope = dsse.sign_plainly(poll.to_payload(), PAYLOAD_TYPE, report_private_pem)
    return f"{SCHEME} {base64.b64encode(json.dumps(envelope).encode()).decode('ascii')}"


def verify(authorization: str | None, report_key: bytes) -> Poll:
    """Who asks, if the holder of the report key has said so; raises Refused."""
    scheme, _space, text = (authorization or "").partition(" ")
    if scheme.lower() != SCHEME.lower() or len(text) > 2 * MAX_POLL_BYTES:
        raise Refused("bad_signature", "A host proves that it asks for itself by a statement of its report key.")
    try:
        raw = base64.b64decode(text.strip().encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise fields.malformed(_WHAT, "is not base64") from error
    return Poll.from_payload(dsse.verify_bytes(raw, PAYLOAD_TYPE, report_key, _WHAT, MAX_POLL_BYTES))
