# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downgrade tickets: leave to go back to one version of one package on named hosts, signed, for a while.

A DSSE envelope with one Ed25519 signature over ``{"schema", "package", "version", "hosts", "expires"}``, where hosts
are host ids and the time is UTC. The author of a rollout signs them before it starts, so that it can roll back alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._common import canonical, dsse, fields, timestamps
from .._common.errors import BadInput, opening
from .._common.refused import Refused
from .versions import Version

PAYLOAD_TYPE = "application/vnd.bocage.downgrade+json"
KEYS_FILE = "downgrade-keys.pem"
"""In a folder of trust, on the controller and on hosts: the keys whose tickets count, in PEM."""
MAX_HOSTS = 100_000
MAX_TICKET_BYTES = 8 * 1024 * 1024
_REQUIRED = frozenset({"schema", "package", "version", "hosts", "expires"})
_NONE: frozenset[str] = frozenset()
_PEM_END = b"-----END PUBLIC KEY-----\n"


@dataclass(frozen=True)
class Ticket:
    package: str
    version: str
    """The version to which it lets go back, and no other."""
    hosts: tuple[str, ...]
    """Host ids."""
    expires: datetime

    def to_payload(self) -> bytes:
        return canonical.dumps(
            {
                "schema": 1,
                "package": self.package,
                "version": self.version,
                "hosts": sorted(self.hosts),
                "expires": timestamps.write(self.expires),
            }
        )

    @classmethod
    def from_payload(cls, payload: bytes, what: str = "the downgrade ticket") -> Ticket:
        document = fields.record(canonical.loads(payload, what), what)
        fields.only(document, _REQUIRED, _NONE, what)
        fields.integer(document, "schema", what, 1, 1)
        ticket = cls(
            package=fields.text(document, "package", what),
            version=fields.text(document, "version", what),
            hosts=tuple(fields.texts(document, "hosts", what, fields.UUID, MAX_HOSTS)),
            expires=timestamps.parse(document["expires"], f"expires of {what}"),
        )
        if not ticket.package or not ticket.hosts:
            raise fields.malformed(what, "names no package or no host")
        try:
            Version.parse(ticket.version)
        except BadInput as error:
            raise fields.malformed(what, "names no usable version") from error
        return ticket


def sign(ticket: Ticket, private_key_pem: bytes) -> dict[str, Any]:
    """The envelope of a ticket, ready for JSON. Raises BadInput for a ticket that no host would take."""
    payload = ticket.to_payload()
    try:
        Ticket.from_payload(payload)
    except Refused as error:
        raise BadInput(str(error)) from error
    return dsse.sign(payload, PAYLOAD_TYPE, private_key_pem)


def read_keys(bundle: bytes) -> list[bytes]:
    """The keys (raw Ed25519) of a file of several in PEM, as hosts get it. Raises BadInput."""
    return [dsse.public_key_from_pem(one + _PEM_END) for one in bundle.split(_PEM_END)[:-1]]


def verify_bytes(raw: bytes, keys: Sequence[bytes], what: str = "the downgrade ticket") -> Ticket:
    """The ticket in an envelope that one of `keys` (raw Ed25519) signed; raises Refused."""
    return verify(dsse.load(raw, what, MAX_TICKET_BYTES), keys, what)


def verify(envelope: Mapping[str, Any], keys: Sequence[bytes], what: str = "the downgrade ticket") -> Ticket:
    """The same of an envelope that was read before."""
    named = set(dsse.signer_key_ids(envelope, what))
    for key in keys:
        if dsse.key_id(key) in named:
            return Ticket.from_payload(dsse.verify(envelope, PAYLOAD_TYPE, key, what), what)
    start = opening(what)
    raise Refused("bad_signature", f"{start} is signed by no key that may sign downgrades here.")


def why_not(
    package: str, version: str, host_id: str, tickets: Sequence[bytes], keys: Sequence[bytes], at: datetime
) -> str:
    """Why no ticket lets this host go back to this version, as the end of a sentence; empty when one does."""
    reasons = []
    for raw in tickets:
        try:
            ticket = verify_bytes(raw, keys)
        except Refused as error:
            reasons.append(str(error).rstrip("."))
            continue
        if ticket.package != package or Version.parse(ticket.version) != Version.parse(version):
            reasons.append(f"a ticket is for {ticket.package} {ticket.version}")
        elif host_id not in ticket.hosts:
            reasons.append("the ticket does not name this host")
        elif at >= ticket.expires:
            reasons.append(f"the ticket ended at {timestamps.write(ticket.expires)}")
        else:
            return ""
    return reasons[0] if reasons else "a signed downgrade ticket is needed to go back"
