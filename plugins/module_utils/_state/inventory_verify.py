# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifying many documents, each byte string once.

A proof is the digest of a key and of the bytes that were found to be signed with it. Whoever keeps proofs may skip
the signature of the same bytes later; other bytes have another digest, so nothing is believed that was not verified.
Proofs are worth what their keeper is worth: they stay in the operator's own account.
"""

from __future__ import annotations

import base64
import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .._common import dsse
from .._common.errors import Untrusted
from . import enrolment as enrolments
from . import mesh_epoch
from . import report as reports
from .enrolment import MAX_ENROLMENT_BYTES, Enrolment
from .report import MAX_REPORT_BYTES, Report

Kind = Literal["enrolment", "report", "statement"]
# Raised whenever the rules of reading become stricter, so that what passed the old ones is verified again.
RULES = b"bocage inventory rules 2\n"
# Below this many signatures a second process costs more than it saves.
ENOUGH_FOR_WORKERS = 2000
MAX_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Claim:
    """Bytes of an envelope, and the key that must have signed them."""

    kind: Kind
    raw: bytes
    key: bytes


def spelling(envelope: object) -> bytes:
    """One spelling for an envelope that came as a part of a larger document."""
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()


def proof_of(kind: Kind, raw: bytes, key: bytes) -> bytes:
    return hashlib.sha256(RULES + kind.encode() + key + raw).digest()


@dataclass
class Verifier:
    """Verifies, and remembers what it verified."""

    known: set[bytes] = field(default_factory=set)
    used: set[bytes] = field(default_factory=set)
    """The proofs that this load needed; the others may be forgotten."""
    checked: int = 0
    """How many signatures were computed."""
    workers: int = field(default_factory=lambda: min(MAX_WORKERS, os.cpu_count() or 1))

    def enrolment(self, raw: bytes, key: bytes, what: str) -> Enrolment:
        """The enrolment in an envelope; raises Refused or Untrusted."""
        if self._is_known("enrolment", raw, key):
            return Enrolment.from_verified(_payload(raw))
        envelope = dsse.load(raw, what, MAX_ENROLMENT_BYTES)
        # The same document comes from the trust folder and from the registry, with other white space.
        spelled = spelling(envelope)
        if self._is_known("enrolment", spelled, key):
            result = Enrolment.from_verified(_payload(spelled))
        else:
            self.checked += 1
            result = enrolments.verify(envelope, key, what)
        self._remember("enrolment", raw, key)
        self._remember("enrolment", spelled, key)
        return result

    def report(self, raw: bytes, key: bytes, what: str) -> Report:
        """The report in an envelope; raises Refused or Untrusted. Whether it counts is acceptance's question."""
        if self._is_known("report", raw, key):
            return Report.from_verified(_payload(raw))
        self.checked += 1
        result = reports.verify(dsse.load(raw, what, MAX_REPORT_BYTES), key, what)
        self._remember("report", raw, key)
        return result

    def statement(self, envelope: Mapping[str, Any], signer: mesh_epoch.Signer, what: str) -> mesh_epoch.Statement:
        """A host's statement of a mesh key; raises Refused."""
        spelled = spelling(envelope)
        if self._is_known("statement", spelled, signer.report_key):
            return mesh_epoch.check(mesh_epoch.Statement.from_payload(_payload(spelled), what), signer, what)
        self.checked += 1
        result = mesh_epoch.verify(envelope, signer, what)
        self._remember("statement", spelled, signer.report_key)
        return result

    def prove(self, claims: Iterable[Claim]) -> None:
        """Verify what is new among many documents with several processors.

        What fails is left alone: it is verified again, with its name, where it is read.
        """
        unknown = [claim for claim in claims if proof_of(claim.kind, claim.raw, claim.key) not in self.known]
        if self.workers < 2 or len(unknown) < ENOUGH_FOR_WORKERS:
            return
        for claim, good in zip(unknown, _prove_in_processes(unknown, self.workers), strict=True):
            if good:
                self.checked += 1
                self.known.add(proof_of(claim.kind, claim.raw, claim.key))

    def _is_known(self, kind: Kind, raw: bytes, key: bytes) -> bool:
        proof = proof_of(kind, raw, key)
        if proof not in self.known:
            return False
        self.used.add(proof)
        return True

    def _remember(self, kind: Kind, raw: bytes, key: bytes) -> None:
        proof = proof_of(kind, raw, key)
        self.known.add(proof)
        self.used.add(proof)


_FIRST = b'{"payload":"'


def _payload(raw: bytes) -> bytes:
    """The payload of an envelope that was verified before."""
    text: Any = None
    if raw.startswith(_FIRST):
        # As `spelling` writes it; looking for the end of the text is much faster than parsing the rest, too.
        text = raw[len(_FIRST) : raw.index(b'"', len(_FIRST))]
    if text is None or b"\\" in text:
        text = json.loads(raw)["payload"]
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return base64.b64decode(text, altchars=b"-_", validate=True)


_shared: Sequence[Claim] = ()


def _prove_in_processes(claims: Sequence[Claim], workers: int) -> list[bool]:
    """Children inherit the documents by forking and send back one bit each; nothing is copied through a pipe."""
    global _shared
    _shared = claims
    try:
        step = max(250, len(claims) // (workers * 8))
        spans = [(start, min(start + step, len(claims))) for start in range(0, len(claims), step)]
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            return [good for part in pool.map(_prove_span, spans, chunksize=1) for good in part]
    finally:
        _shared = ()


def _prove_span(span: tuple[int, int]) -> list[bool]:
    return [_is_good(claim) for claim in _shared[span[0] : span[1]]]


def _is_good(claim: Claim) -> bool:
    try:
        if claim.kind == "enrolment":
            enrolments.verify_bytes(claim.raw, claim.key)
        else:
            reports.verify(dsse.load(claim.raw, maximum=MAX_REPORT_BYTES), claim.key)
    except Untrusted:
        return False
    return True
