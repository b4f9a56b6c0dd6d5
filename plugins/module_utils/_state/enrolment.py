# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enrolments: the estate's signed word on who a host is, and revocations, which are of the same kind."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, cast

from .._common import canonical, dsse, fields, timestamps
from .._common.errors import BadInput
from .._common.refused import Refused

PAYLOAD_TYPE = "application/vnd.bocage.enrolment+json"
MAX_ENROLMENT_BYTES = 8192
NAME = fields.HOST
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
Kind = Literal["enrolment", "revocation"]

_REQUIRED = frozenset(
    {
        "schema",
        "kind",
        "host_id",
        "name",
        "tenant",
        "site",
        "generation",
        "report_key",
        "mesh_key",
        "issued_at",
        "not_after",
    }
)
_OPTIONAL = frozenset({"replaces"})
_MAX_GENERATION = 2**31 - 1


@dataclass(frozen=True)
class Enrolment:
    """One host's identity in one generation; a new generation replaces the keys or repairs a fork."""

    kind: Kind
    host_id: str
    name: str
    tenant: str | None
    site: str
    generation: int
    report_key: bytes
    mesh_key: str
    issued_at: datetime
    not_after: datetime
    replaces: str | None = None

    @classmethod
    def from_payload(cls, payload: bytes, what: str = "the enrolment") -> Enrolment:
        """Read a verified payload; raises Refused for anything but the one canonical spelling."""
        document = fields.record(canonical.loads(payload, what), what)
        fields.only(document, _REQUIRED, _OPTIONAL, what)
        fields.integer(document, "schema", what, 1, 1)
        kind = document["kind"]
        if kind not in ("enrolment", "revocation"):
            raise fields.malformed(what, "is neither an enrolment nor a revocation")
        result = cls(
            kind=cast("Kind", kind),
            host_id=fields.text(document, "host_id", what, fields.UUID),
            name=fields.text(document, "name", what, NAME),
            tenant=None if document["tenant"] is None else fields.text(document, "tenant", what, LABEL),
            site=fields.text(document, "site", what, LABEL),
            generation=fields.integer(document, "generation", what, 1, _MAX_GENERATION),
            report_key=_raw_key(fields.text(document, "report_key", what, fields.KEY), what),
            mesh_key=fields.text(document, "mesh_key", what, fields.KEY),
            issued_at=timestamps.parse(document["issued_at"], f"issued_at of {what}"),
            not_after=timestamps.parse(document["not_after"], f"not_after of {what}"),
            replaces=fields.text(document, "replaces", what, fields.SHA256) if "replaces" in document else None,
        )
        # One spelling per document: a digest in `replaces` can then mean one thing only.
        if result.to_payload() != payload:
            raise fields.malformed(what, "is not in canonical form")
        return result

    @classmethod
    def from_verified(cls, payload: bytes) -> Enrolment:
        """Read again a payload that `from_payload` accepted before, without checking it a second time."""
        document = json.loads(payload.decode())
        del document["schema"]
        document["report_key"] = base64.b64decode(document["report_key"])
        document["issued_at"] = datetime.fromisoformat(document["issued_at"])
        document["not_after"] = datetime.fromisoformat(document["not_after"])
        return cls(**document)

    def to_payload(self) -> bytes:
        document: dict[str, Any] = {
            "schema": 1,
            "kind": self.kind,
            "host_id": self.host_id,
            "name": self.name,
            "tenant": self.tenant,
            "site": self.site,
            "generation": self.generation,
            "report_key": base64.b64encode(self.report_key).decode("ascii"),
            "mesh_key": self.mesh_key,
            "issued_at": timestamps.write(self.issued_at),
            "not_after": timestamps.write(self.not_after),
        }
        if self.replaces is not None:
            document["replaces"] = self.replaces
        return canonical.dumps(document)

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self.to_payload())

    @property
    def revoked(self) -> bool:
        return self.kind == "revocation"


def sign(enrolment: Enrolment, private_key_pem: bytes) -> dict[str, Any]:
    """The envelope of an enrolment; what could not be read back is not signed."""
    payload = enrolment.to_payload()
    try:
        Enrolment.from_payload(payload)
    except Refused as error:
        raise BadInput(f"The enrolment of {enrolment.name} cannot be signed: {error}") from error
    return dsse.sign(payload, PAYLOAD_TYPE, private_key_pem)


def verify(envelope: Mapping[str, Any], enrolment_key: bytes, what: str = "the enrolment") -> Enrolment:
    """An enrolment that the estate's pinned key has signed."""
    return Enrolment.from_payload(dsse.verify(envelope, PAYLOAD_TYPE, enrolment_key, what), what)


def verify_bytes(raw: bytes, enrolment_key: bytes, what: str = "the enrolment") -> Enrolment:
    return verify(dsse.load(raw, what, MAX_ENROLMENT_BYTES), enrolment_key, what)


def accept(current: Enrolment | None, new: Enrolment) -> None:
    """Whether `new` may take the place of `current`, which has the same host id or the same name.

    Both are verified already. Whoever holds the name keeps it: other keys, another name or a repaired counter need a
    later generation that says which document it replaces.
    """
    if current is None or new == current:
        return
    if new.host_id != current.host_id:
        raise Refused(
            "enrolment_conflict",
            f"The name {new.name} belongs to the host {current.host_id}; enrol that host again in a new generation,"
            " or revoke it first.",
        )
    if new.generation < current.generation or (
        new.generation == current.generation and new.issued_at < current.issued_at
    ):
        raise Refused("replayed", f"An enrolment of {new.name} that is newer than this one is known.")
    if new.generation == current.generation:
        _accept_renewal(current, new)
    elif new.replaces is None or (new.generation == current.generation + 1 and new.replaces != current.digest):
        # Further generations on, the document between is missing here and only the signed word counts.
        raise Refused(
            "enrolment_conflict",
            f"The enrolment of {new.name} in generation {new.generation} does not say that it replaces the known one;"
            f" sign it with replaces {current.digest}.",
        )


def successor(
    current: Enrolment, *, report_key: bytes, mesh_key: str, issued_at: datetime, not_after: datetime
) -> Enrolment:
    """The enrolment that explicitly replaces `current`: same host, next generation."""
    return Enrolment(
        kind="enrolment",
        host_id=current.host_id,
        name=current.name,
        tenant=current.tenant,
        site=current.site,
        generation=current.generation + 1,
        report_key=report_key,
        mesh_key=mesh_key,
        issued_at=issued_at,
        not_after=not_after,
        replaces=current.digest,
    )


def _accept_renewal(current: Enrolment, new: Enrolment) -> None:
    """Within one generation a later document may extend the validity, move the host or revoke it, nothing more."""
    if current.revoked and not new.revoked:
        raise Refused("revoked", f"The enrolment of {new.name} was revoked; enrol the host again in a new generation.")
    if new.report_key != current.report_key or new.name != current.name:
        raise Refused(
            "enrolment_conflict",
            f"The host {current.name} is enrolled with another key or name; a replacement needs generation"
            f" {current.generation + 1} and replaces {current.digest}.",
        )
    if new.issued_at == current.issued_at and not new.revoked:
        raise Refused(
            "enrolment_conflict", f"Two enrolments of {new.name} bear the same generation and time; sign a newer one."
        )


def _raw_key(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise fields.malformed(what, "has a key that is not base64") from error
