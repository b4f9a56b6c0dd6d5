# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two signed halves of a seal: what the controller desired, and what the host observed when that was so.

A seal counts where the controller has signed for this host and role, this host has signed that it is so, and its
counter is not below the host's own: a seal of another host, an edited one and one put back are refused. It shows
drift and no more: whoever is root on the host can sign whatever they like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._common import canonical, dsse, fields, timestamps
from .._common.refused import Refused
from . import desired as digests
from .items import Item, parse_items

DESIRED_TYPE = "application/vnd.bocage.seal.desired+json"
OBSERVED_TYPE = "application/vnd.bocage.seal.observed+json"
MAX_DESIRED_BYTES = 1024 * 1024
MAX_SEAL_BYTES = 4 * 1024 * 1024
MAX_PARTS = 8192

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_SHORT = re.compile(rf"[0-9a-f]{{{digests.SHORT}}}")
_PART = re.compile(
    r"(variable|file|plugin|library|input) [^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{1,500}"
)
_DESIRED = frozenset({"version", "host", "host_id", "role", "base", "digest", "parts", "facts", "items", "issued_at"})
_OBSERVED = frozenset(
    {"version", "host_id", "role", "counter", "sealed_at", "desired", "observer", "observations", "depends"}
)
_OBSERVATION = frozenset({"item", "observed", "hint"})
_SEAL = frozenset({"desired", "observed"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Desired:
    """The controller's statement: what a role wants on one host, and what shows that it is so."""

    host: str
    host_id: str
    role: str
    base: str
    parts: Mapping[str, str]
    """Short digests by name; see `desired.short_parts`."""
    facts: Mapping[str, Any]
    items: list[Item]
    issued_at: datetime

    @property
    def digest(self) -> str:
        return digests.full_digest(self.base, self.facts)

    @classmethod
    def from_payload(cls, payload: bytes, what: str = "the seal") -> Desired:
        """Read a verified payload; raises Refused for anything else than a whole, well-formed statement."""
        document = fields.record(canonical.loads(payload, what), what)
        fields.only(document, _DESIRED, _NONE, what)
        fields.integer(document, "version", what, 1, 1)
        result = cls(
            host=fields.text(document, "host", what, _HOST),
            host_id=fields.text(document, "host_id", what, fields.UUID),
            role=fields.text(document, "role", what, fields.ROLE),
            base=fields.text(document, "base", what, fields.SHA256),
            parts=_parts(document, what),
            facts=fields.facts(document["facts"], what),
            items=parse_items(document["items"], what),
            issued_at=timestamps.parse(document["issued_at"], f"issued_at of {what}"),
        )
        if document["digest"] != result.digest:
            raise fields.malformed(what, "has another digest than its base and facts give")
        return result

    def to_payload(self) -> bytes:
        return canonical.dumps(
            {
                "version": 1,
                "host": self.host,
                "host_id": self.host_id,
                "role": self.role,
                "base": self.base,
                "digest": self.digest,
                "parts": dict(self.parts),
                "facts": dict(self.facts),
                "items": self.items,
                "issued_at": timestamps.write(self.issued_at),
            }
        )


@dataclass(frozen=True)
class Observed:
    """The host's statement: what it saw when the role had converged, in the order of the items."""

    host_id: str
    role: str
    counter: int
    sealed_at: datetime
    desired: str
    """SHA-256 of the payload that the controller signed."""
    observer: int
    """Of which count the observer is; another one may see the same host otherwise."""
    observations: list[dict[str, Any]]
    """`item`, `observed` and `hint` of each item; the hint spares reading a file that was not touched."""
    depends: Mapping[str, Any]
    """What the packages of the items need, each of them once."""

    @classmethod
    def from_payload(cls, payload: bytes, what: str = "the seal") -> Observed:
        document = fields.record(canonical.loads(payload, what), what)
        fields.only(document, _OBSERVED, _NONE, what)
        fields.integer(document, "version", what, 1, 1)
        observations = document["observations"]
        if not isinstance(observations, list):
            raise fields.malformed(what, "has no list of observations")
        for one in observations:
            fields.only(fields.record(one, f"an observation of {what}"), _OBSERVATION, _NONE, what)
            fields.record(one["observed"], f"what was observed in {what}")
            if one["hint"] is not None:
                fields.record(one["hint"], f"a hint of {what}")
        return cls(
            host_id=fields.text(document, "host_id", what, fields.UUID),
            role=fields.text(document, "role", what, fields.ROLE),
            counter=fields.integer(document, "counter", what, 1),
            sealed_at=timestamps.parse(document["sealed_at"], f"sealed_at of {what}"),
            desired=fields.text(document, "desired", what, fields.SHA256),
            observer=fields.integer(document, "observer", what, 1),
            observations=observations,
            depends=fields.record(document["depends"], f"the list of dependencies in {what}"),
        )

    def to_payload(self) -> bytes:
        return canonical.dumps(
            {
                "version": 1,
                "host_id": self.host_id,
                "role": self.role,
                "counter": self.counter,
                "sealed_at": timestamps.write(self.sealed_at),
                "desired": self.desired,
                "observer": self.observer,
                "observations": self.observations,
                "depends": dict(self.depends),
            }
        )


@dataclass(frozen=True)
class Seal:
    """Both halves, verified and belonging together."""

    desired: Desired
    observed: Observed


def sign_desired(desired: Desired, private_key_pem: bytes) -> dict[str, Any]:
    """The statement, signed with the controller's seal key; what no host would read is not signed."""
    payload = desired.to_payload()
    Desired.from_payload(payload, f"the seal of {desired.role} for {desired.host}")
    return dsse.sign(payload, DESIRED_TYPE, private_key_pem)


def verify_desired(
    envelope: Mapping[str, Any], host: str, host_id: str, role: str, controller_public_key: bytes
) -> Desired:
    """The statement of an envelope, where the controller made it for this host and role; raises Refused."""
    return _desired(envelope, host, host_id, role, controller_public_key)[0]


def desired_digest(envelope: Mapping[str, Any]) -> str:
    """What the observed half names the desired half by."""
    return canonical.digest(dsse.unverified_payload(envelope))


def sign_observed(observed: Observed, private_key_pem: bytes) -> dict[str, Any]:
    """The observation, signed with the host's report key."""
    return dsse.sign(observed.to_payload(), OBSERVED_TYPE, private_key_pem)


def write_seal(desired: Mapping[str, Any], observed: Mapping[str, Any]) -> bytes:
    """The file of a seal, from its two envelopes."""
    return json.dumps({"desired": desired, "observed": observed}, sort_keys=True).encode() + b"\n"


def verify_seal(
    raw: bytes,
    host: str,
    host_id: str,
    role: str,
    controller_public_key: bytes,
    host_public_key: bytes,
    floor: int,
) -> Seal:
    """The seal in the bytes of a file, where both halves are good and belong to this host and role.

    Raises Refused with the code malformed, oversized, wrong_type, bad_signature, other_host, other_role,
    wrong_desired or old_counter. `floor` is the lowest counter that the host accepts.
    """
    what = f"the seal of {role}"
    document = fields.record(dsse.load(raw, what, MAX_SEAL_BYTES), what)
    fields.only(document, _SEAL, _NONE, what)
    desired_envelope = fields.record(document["desired"], f"the desired half of {what}")
    observed_envelope = fields.record(document["observed"], f"the observed half of {what}")
    desired, digest = _desired(desired_envelope, host, host_id, role, controller_public_key)
    observed = Observed.from_payload(dsse.verify(observed_envelope, OBSERVED_TYPE, host_public_key, what), what)
    if observed.host_id != host_id:
        raise Refused("other_host", f"The seal of {role} was observed on another host, {observed.host_id}.")
    if observed.role != role:
        raise Refused("other_role", f"The seal of {role} is that of the role {observed.role}.")
    items = [one["item"] for one in observed.observations]
    if observed.desired != digest or items != desired.items:
        raise Refused("wrong_desired", f"The two halves of the seal of {role} do not belong together.")
    if observed.counter < floor:
        raise Refused(
            "old_counter",
            f"The seal of {role} has the counter {observed.counter}, below the {floor} that this host accepts: it was"
            " replaced or dropped.",
        )
    return Seal(desired, observed)


def _desired(
    envelope: Mapping[str, Any], host: str, host_id: str, role: str, controller_public_key: bytes
) -> tuple[Desired, str]:
    what = f"the seal of {role}"
    payload = dsse.verify(envelope, DESIRED_TYPE, controller_public_key, what)
    desired = Desired.from_payload(payload, what)
    if (desired.host, desired.host_id) != (host, host_id):
        raise Refused("other_host", f"The seal of {role} was made for the host {desired.host}, {desired.host_id}.")
    if desired.role != role:
        raise Refused("other_role", f"The seal of {role} is that of the role {desired.role}.")
    return desired, canonical.digest(payload)


def _parts(document: dict[str, Any], what: str) -> dict[str, str]:
    parts = fields.record(document["parts"], f"the list of parts in {what}")
    if len(parts) > MAX_PARTS:
        raise fields.malformed(what, f"has more than {MAX_PARTS} parts")
    for name in parts:
        if not _PART.fullmatch(name):
            raise fields.malformed(what, f"has a part of an unusable name: {ascii(name)[:60]}")
        fields.text(parts, name, what, _SHORT)
    return parts
