# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate with real keys, for every test that signs or verifies."""

from __future__ import annotations

import base64
import json
import os
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from bocage_core._common import canonical, dsse, timestamps
from bocage_core._state import action as actions
from bocage_core._state import enrolment as enrolments
from bocage_core._state import report as reports
from bocage_core._state.action import Action, Key, Policy
from bocage_core._state.enrolment import Enrolment
from bocage_core._state.report import Report
from cryptography.hazmat.primitives.asymmetric import rsa

SECTIONS: dict[str, Any] = {
    "system": {
        "hostname": "gw1",
        "os": "Debian GNU/Linux 12",
        "kernel": "6.1.0",
        "uptime_seconds": 60,
        "memory_total_bytes": 2**30,
        "cpu_count": 2,
        "agent_version": "0.1.0",
    }
}


@dataclass
class SignedHost:
    """A host with its keys, its enrolment and a chain of reports."""

    estate: SignedEstate
    report_private: bytes
    enrolment: Enrolment
    counter: int = 0
    previous: str | None = None

    @property
    def enrolment_envelope(self) -> dict[str, Any]:
        return enrolments.sign(self.enrolment, self.estate.private)

    @property
    def enrolment_bytes(self) -> bytes:
        return json.dumps(self.enrolment_envelope).encode()

    def report(self, **changes: Any) -> Report:
        """The next report of the chain, with some fields changed."""
        self.counter += 1
        report = Report(
            host_id=self.enrolment.host_id,
            generation=self.enrolment.generation,
            counter=self.counter,
            issued_at=self.estate.now + timedelta(seconds=self.counter),
            boot_id=str(uuid.UUID(int=1)),
            previous=self.previous,
            sections=SECTIONS,
        )
        report = replace(report, **changes)
        report = replace(report, digest=canonical.digest(report.to_payload()))
        self.previous = report.digest
        return report

    def sign(self, report: Report) -> bytes:
        return json.dumps(reports.sign(report, self.report_private)).encode()

    def report_bytes(self, **changes: Any) -> bytes:
        return self.sign(self.report(**changes))

    def successor(self, **changes: Any) -> SignedHost:
        """The same host in its next generation with a new report key."""
        private = dsse.generate_private_key()
        following = enrolments.successor(
            self.enrolment,
            report_key=dsse.public_key_of(private),
            mesh_key=self.enrolment.mesh_key,
            issued_at=self.estate.now,
            not_after=self.enrolment.not_after,
        )
        return SignedHost(self.estate, private, replace(following, **changes))


@dataclass
class SignedEstate:
    private: bytes = field(default_factory=dsse.generate_private_key)
    now: datetime = field(default_factory=timestamps.now)
    action_private: bytes = field(default_factory=dsse.generate_private_key)

    @property
    def public(self) -> bytes:
        return dsse.public_key_of(self.private)

    @property
    def sections(self) -> dict[str, Any]:
        return dict(SECTIONS)

    @property
    def action_key(self) -> Key:
        return Key("anna", dsse.public_key_of(self.action_private), frozenset({"operator"}))

    @property
    def policy(self) -> Policy:
        """Anna may act as an operator, who may do everything but install."""
        key = self.action_key
        verbs = frozenset({"report", "audit", "update", "upgrade", "remove"})
        return Policy({dsse.key_id(key.public): key}, {"operator": verbs, "deployer": frozenset({"install"})})

    def action(self, *hosts: SignedHost, **changes: Any) -> Action:
        action = actions.make(
            [one.enrolment.host_id for one in hosts],
            changes.pop("verb", "update"),
            changes.pop("arguments", {}),
            changes.pop("role", "operator"),
            now=self.now,
            random=os.urandom,
        )
        return replace(action, **changes)

    def sign_action(self, action: Action, private: bytes | None = None) -> bytes:
        return json.dumps(actions.sign(action, private or self.action_private)).encode()

    def action_bytes(self, *hosts: SignedHost, **changes: Any) -> bytes:
        return self.sign_action(self.action(*hosts, **changes))

    def host(self, name: str = "gw1", tenant: str | None = "acme", **changes: Any) -> SignedHost:
        private = dsse.generate_private_key()
        enrolment = Enrolment(
            kind="enrolment",
            host_id=str(uuid.uuid4()),
            name=name,
            tenant=tenant,
            site="lyon",
            generation=1,
            report_key=dsse.public_key_of(private),
            mesh_key=base64.b64encode(os.urandom(32)).decode(),
            issued_at=self.now,
            not_after=self.now + timedelta(days=365),
        )
        return SignedHost(self, private, replace(enrolment, **changes))


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that write much, and for which nothing depends on what a power cut would leave."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def signed_estate() -> SignedEstate:
    return SignedEstate()


class RsaKeys:
    """RSA keys of 2,048 bits, made once: each test takes them from the first on."""

    def __init__(self) -> None:
        self.made: list[rsa.RSAPrivateKey] = []
        self.taken = 0

    def __call__(self) -> rsa.RSAPrivateKey:
        if self.taken == len(self.made):
            self.made.append(rsa.generate_private_key(public_exponent=65537, key_size=2048))
        self.taken += 1
        return self.made[self.taken - 1]


@pytest.fixture(scope="session")
def all_rsa_keys() -> RsaKeys:
    return RsaKeys()


@pytest.fixture
def rsa_keys(all_rsa_keys: RsaKeys) -> RsaKeys:
    all_rsa_keys.taken = 0
    return all_rsa_keys
