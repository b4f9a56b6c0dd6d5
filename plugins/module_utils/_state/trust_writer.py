# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key holder's side of the trust folder: the pinned key and the signed documents in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from .._common import atomic, dsse
from .._common.errors import BadInput, BocageError
from . import enrolment as enrolments
from . import floors as floors_file
from . import trust
from .enrolment import Enrolment
from .floors import Floors

MAX_KEY_BYTES = 4096


def read_private_key(path: Path) -> bytes | None:
    """The key holder's key, or None where there is no such file."""
    try:
        return atomic.read_bounded(path, MAX_KEY_BYTES)
    except FileNotFoundError:
        return None


def public_half(private: bytes, path: Path) -> bytes:
    try:
        return dsse.public_key_of(private)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def check_pinned(folder: Path, public: bytes, key_file: Path) -> None:
    """Nothing is signed with a key that the estate does not pin: every reader would refuse it."""
    if trust.read_enrolment_key(folder) != public:
        raise BadInput(
            f"The key {key_file} is not the one that {folder / trust.KEY_FILE} pins; use the estate's enrolment key."
        )


def enrolment_file(folder: Path, name: str) -> Path:
    if not enrolments.NAME.fullmatch(name):
        raise BadInput(f"The name {name!r} cannot be enrolled: letters, digits, dots, hyphens and underlines only.")
    return folder / trust.ENROLMENTS / f"{name}.json"


def read_enrolment(path: Path, public: bytes) -> tuple[Enrolment, dict[str, Any]] | None:
    """A verified document and its envelope, or None where there is none; a document that does not verify is an error.

    It is not overwritten: it may be another key holder's word, or a sign that somebody was at the folder.
    """
    try:
        raw = atomic.read_bounded(path, enrolments.MAX_ENROLMENT_BYTES)
    except FileNotFoundError:
        return None
    try:
        current = enrolments.verify_bytes(raw, public, f"the file {path}")
        if f"{current.name}.json" != path.name:
            raise BadInput(f"The file {path} holds the enrolment of {current.name}.")
    except BocageError as error:
        raise BadInput(f"{error} Restore the file or remove it before the host is enrolled.") from error
    return current, json.loads(raw)


def other_enrolments(folder: Path, name: str) -> Iterator[Enrolment]:
    """The other documents of the folder, unverified: only for finding identities that are used twice."""
    for path in sorted((folder / trust.ENROLMENTS).glob("*.json")):
        if path.stem == name:
            continue
        try:
            raw = atomic.read_bounded(path, enrolments.MAX_ENROLMENT_BYTES)
            yield Enrolment.from_payload(dsse.unverified_payload(dsse.load(raw)))
        except (BocageError, OSError):
            continue  # the inventory tells of damaged documents; they do not stand in the way of this one


def write_enrolment(path: Path, envelope: dict[str, Any]) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    atomic.write_file(path, json.dumps(envelope, indent=2).encode() + b"\n", 0o644)


def read_floors(folder: Path, public: bytes, now: datetime) -> Floors:
    """The signed list of generations and revocations, or an empty one; one that does not verify is an error."""
    path = folder / trust.FLOORS_FILE
    try:
        raw = atomic.read_bounded(path, floors_file.MAX_FLOORS_BYTES)
    except FileNotFoundError:
        return Floors(now)
    try:
        return floors_file.verify_bytes(raw, public, f"the file {path}")
    except BocageError as error:
        raise BadInput(f"{error} Restore the file before a host is enrolled or revoked.") from error


def write_floors(folder: Path, floors: Floors, private: bytes) -> None:
    envelope = floors_file.sign(floors, private)
    atomic.write_file(folder / trust.FLOORS_FILE, json.dumps(envelope, indent=2).encode() + b"\n", 0o644)


def check_permitted(enrolment: Enrolment, floors: Floors, path: Path) -> None:
    """A document of before must not come back, neither as a file that was put back nor signed anew."""
    if not floors.permit(enrolment):
        raise BadInput(
            f"The host {enrolment.name} was revoked or enrolled in a later generation than {enrolment.generation}, as"
            f" {path.parents[1] / trust.FLOORS_FILE} says; restore the {path} that was signed last,"
            " or remove /etc/bocage and /var/lib/bocage on the host so that it becomes another one."
        )


def describe_floor(floors: Floors, host_id: str) -> str:
    """What the list says of one host, as text for a diff."""
    floor = floors.floors.get(host_id)
    words = [] if floor is None else [f"generation {floor.generation} or later"]
    words += ["revoked"] if host_id in floors.revoked else []
    return f"{trust.FLOORS_FILE}: {', '.join(words)}\n" if words else ""


def describe(enrolment: Enrolment | None) -> str:
    """What was signed, as text for a diff; all of it is public."""
    if enrolment is None:
        return ""
    return json.dumps(json.loads(enrolment.to_payload()), indent=2, sort_keys=True) + "\n"
