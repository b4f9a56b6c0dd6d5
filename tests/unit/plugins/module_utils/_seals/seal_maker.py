# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller and hosts that sign seals, as they do in an estate."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field
from typing import Any

from bocage_core._common import dsse
from bocage_core._seals import desired as digests
from bocage_core._seals import documents
from bocage_core._seals.documents import Desired, Observed, Seal

MOMENT = datetime.datetime(2026, 1, 31, 8, 30, tzinfo=datetime.UTC)
ITEMS: list[dict[str, Any]] = [
    {"kind": "file", "name": "/etc/x", "state": "file"},
    {"kind": "package", "name": "nftables", "state": "present"},
]


@dataclass
class Maker:
    """Two keys and the statements that are signed with them."""

    host: str = "gw1"
    host_id: str = "8f0cf8c1-6ed1-4f3c-9b7d-2f2c5f8d1f10"
    controller: bytes = field(default_factory=dsse.generate_private_key)
    private: bytes = field(default_factory=dsse.generate_private_key)

    def desired(self, role: str = "mesh", **changes: Any) -> Desired:
        values: dict[str, Any] = {
            "host": self.host,
            "host_id": self.host_id,
            "role": role,
            "base": digests.base_digest(role, {"variable mesh_mtu": "0" * 64}),
            "parts": {"variable mesh_mtu": "0" * 16},
            "facts": {"kernel": "6.1.0-18-amd64", "addresses:eth1": ["198.18.1.2/24"]},
            "items": ITEMS,
            "issued_at": MOMENT,
        }
        return Desired(**{**values, **changes})

    def signed(self, role: str = "mesh", **changes: Any) -> dict[str, Any]:
        return documents.sign_desired(self.desired(role, **changes), self.controller)

    def observed(self, envelope: dict[str, Any], role: str = "mesh", counter: int = 1, **changes: Any) -> Observed:
        items = json.loads(dsse.unverified_payload(envelope))["items"]
        values: dict[str, Any] = {
            "host_id": self.host_id,
            "role": role,
            "counter": counter,
            "sealed_at": MOMENT,
            "desired": documents.desired_digest(envelope),
            "observations": [{"item": one, "observed": {"state": one["state"]}, "hint": None} for one in items],
            "observer": 1,
            "depends": {},
        }
        return Observed(**{**values, **changes})

    def seal(
        self, role: str = "mesh", counter: int = 1, envelope: dict[str, Any] | None = None, **changes: Any
    ) -> bytes:
        envelope = self.signed(role) if envelope is None else envelope
        observed = self.observed(envelope, role, counter, **changes)
        return documents.write_seal(envelope, documents.sign_observed(observed, self.private))

    def verify(self, raw: bytes, role: str = "mesh", floor: int = 1) -> Seal:
        return documents.verify_seal(
            raw,
            self.host,
            self.host_id,
            role,
            dsse.public_key_of(self.controller),
            dsse.public_key_of(self.private),
            floor,
        )
