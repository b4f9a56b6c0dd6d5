# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements of mesh keys: a host's own word, signed with its report key, on the key that it made for an epoch.

The enrolment pins the report key, the report key vouches for the mesh keys. The file of a host holds one statement for
each epoch that is in use, beside the enrolments; nothing in it is secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .._common import atomic, canonical, dsse, fields, timestamps
from .._common.errors import BocageError, opening
from .._common.refused import Refused
from .enrolment import NAME, Enrolment

PAYLOAD_TYPE = "application/vnd.bocage.mesh-epoch+json"
EPOCHS = "epochs"
MAX_FILE_BYTES = 16384
MAX_EPOCH = 2**31 - 1
# The one that is in use, and the one that takes its place.
MAX_STATEMENTS = 2

_REQUIRED = frozenset({"schema", "host_id", "name", "generation", "epoch", "mesh_key", "issued_at"})
_FILE = frozenset({"statements"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Statement:
    """This host has this mesh key in this epoch."""

    host_id: str
    name: str
    generation: int
    epoch: int
    mesh_key: str
    issued_at: datetime

    @classmethod
    def from_payload(cls, payload: bytes, what: str = "the statement") -> Statement:
        document = fields.record(canonical.loads(payload, what), what)
        fields.only(document, _REQUIRED, _NONE, what)
        fields.integer(document, "schema", what, 1, 1)
        return cls(
            host_id=fields.text(document, "host_id", what, fields.UUID),
            name=fields.text(document, "name", what, NAME),
            generation=fields.integer(document, "generation", what, 1, MAX_EPOCH),
            epoch=fields.integer(document, "epoch", what, 1, MAX_EPOCH),
            mesh_key=fields.text(document, "mesh_key", what, fields.KEY),
            issued_at=timestamps.parse(document["issued_at"], f"issued_at of {what}"),
        )

    def to_payload(self) -> bytes:
        return canonical.dumps(
            {
                "schema": 1,
                "host_id": self.host_id,
                "name": self.name,
                "generation": self.generation,
                "epoch": self.epoch,
                "mesh_key": self.mesh_key,
                "issued_at": timestamps.write(self.issued_at),
            }
        )


def sign(statement: Statement, private_key_pem: bytes) -> dict[str, Any]:
    """The envelope; made on the host, where the report key is."""
    return dsse.sign_plainly(statement.to_payload(), PAYLOAD_TYPE, private_key_pem)


@dataclass(frozen=True)
class Signer:
    """Who may state a key, as its enrolment says."""

    name: str
    host_id: str
    generation: int
    report_key: bytes

    @classmethod
    def of(cls, enrolment: Enrolment) -> Signer:
        return cls(enrolment.name, enrolment.host_id, enrolment.generation, enrolment.report_key)


def verify(envelope: Mapping[str, Any], signer: Signer, what: str = "the statement") -> Statement:
    """A statement that the enrolled host made of itself in its present generation; raises Refused."""
    return check(
        Statement.from_payload(dsse.verify(envelope, PAYLOAD_TYPE, signer.report_key, what), what), signer, what
    )


Verify = Callable[[Mapping[str, Any], Signer, str], Statement]


def check(statement: Statement, signer: Signer, what: str = "the statement") -> Statement:
    """Whether a statement whose signature is good is about its signer, as it is enrolled now; raises Refused."""
    start = opening(what)
    if statement.name != signer.name:
        raise Refused("unknown_host", f"{start} names the host {statement.name} instead of {signer.name}.")
    if statement.host_id != signer.host_id:
        raise Refused("unknown_host", f"{start} names the host id {statement.host_id} instead of {signer.host_id}.")
    if statement.generation != signer.generation:
        raise Refused(
            "replayed",
            f"{start} is of generation {statement.generation}, but {signer.name} is enrolled in generation"
            f" {signer.generation}.",
        )
    return statement


def statement_file(trust: Path, name: str) -> Path:
    return trust / EPOCHS / f"{name}.json"


def read_envelopes(path: Path) -> list[dict[str, Any]]:
    """The envelopes of one host's file, not yet verified; none where there is no file. Raises Refused."""
    try:
        raw = atomic.read_bounded(path, MAX_FILE_BYTES)
    except FileNotFoundError:
        return []
    what = f"the file {path}"
    document = fields.record(canonical.loads(raw, what), what)
    fields.only(document, _FILE, _NONE, what)
    found = document["statements"]
    if not isinstance(found, list) or len(found) > MAX_STATEMENTS:
        raise fields.malformed(what, f"needs a list of at most {MAX_STATEMENTS} statements")
    return [fields.record(one, f"a statement in {what}") for one in found]


def of_epochs(envelopes: Iterable[dict[str, Any]], epochs: Collection[int]) -> list[dict[str, Any]]:
    """Those that speak of some epochs; whether they are believed is asked where they are used."""
    return [
        one
        for one in envelopes
        if Statement.from_payload(dsse.unverified_payload(one, "a statement"), "a statement").epoch in epochs
    ]


def write_envelopes(path: Path, envelopes: Iterable[Mapping[str, Any]]) -> None:
    """Write a host's file, or remove it where nothing is left to say."""
    statements = list(envelopes)
    if not statements:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    atomic.write_file(path, json.dumps({"statements": statements}, indent=2).encode() + b"\n", 0o644)


def keys_by_epoch(path: Path, signer: Signer, verify: Verify = verify) -> tuple[dict[int, str], list[str]]:
    """The host's keys by epoch from its file, and why others do not count; each statement is verified by itself."""
    keys: dict[int, str] = {}
    problems: list[str] = []
    try:
        envelopes = read_envelopes(path)
    except (BocageError, OSError) as error:
        return {}, [str(error)]
    for envelope in envelopes:
        try:
            statement = verify(envelope, signer, f"a statement in {path}")
        except BocageError as error:
            problems.append(str(error))
        else:
            keys[statement.epoch] = statement.mesh_key
    return keys, problems
