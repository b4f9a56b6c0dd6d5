# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust folder beside the inventory: the pinned key, the enrolments and the floors.

The folder is files that an operator commits; all of it is verified against `enrolment.pub`. One bad file speaks only
against its own host and must not take the others away, so it becomes a problem with a sentence, not an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .._common import atomic, dsse
from .._common.errors import BadInput, BocageError
from . import enrolment as enrolments
from . import floors as floors_file
from .action import KEY_NAME
from .enrolment import Enrolment
from .floors import Floor, Floors

KEY_FILE = "enrolment.pub"
ENROLMENTS = "enrolments"
FLOORS_FILE = "floors.json"
ACTIONS = "actions"

VerifyEnrolment = Callable[[bytes, bytes, str], Enrolment]


@dataclass(frozen=True)
class Trust:
    enrolment_key: bytes
    enrolments: dict[str, Enrolment]
    """By inventory name; revocations are among them."""
    floors: Floors | None
    problems: dict[str, str] = field(default_factory=dict)
    """By inventory name, or by file name for what is not a host's: why it was not believed."""

    def is_revoked(self, enrolment: Enrolment) -> bool:
        return enrolment.revoked or (self.floors is not None and enrolment.host_id in self.floors.revoked)

    def floor(self, host_id: str) -> Floor | None:
        return None if self.floors is None else self.floors.floors.get(host_id)


def read_enrolment_key(folder: Path) -> bytes:
    path = folder / KEY_FILE
    try:
        return read_pinned_key(path)
    except FileNotFoundError as error:
        raise BadInput(
            f"The estate's enrolment key {path} is missing; put the public key there that enrolments are signed with."
        ) from error


def read_pinned_key(path: Path) -> bytes:
    try:
        return dsse.public_key_from_pem(atomic.read_bounded(path, 4096))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def read_action_keys(folder: Path) -> dict[str, bytes]:
    """The public keys that actions are signed with, by the names of their files; none where there is no such folder."""
    keys: dict[str, bytes] = {}
    for path in sorted((folder / ACTIONS).glob("*.pub")):
        if not KEY_NAME.fullmatch(path.stem):
            raise BadInput(f"The file {path} has a name that no key can have: letters, digits, dots and hyphens only.")
        keys[path.stem] = read_pinned_key(path)
        if list(keys.values()).count(keys[path.stem]) > 1:
            raise BadInput(f"The key in {path} is there under another name, too, whose roles could differ; remove one.")
    return keys


def read_trust(folder: Path, verify: VerifyEnrolment = enrolments.verify_bytes) -> Trust:
    """Everything in the folder that verifies; `verify` may be one that remembers what it verified before."""
    key = read_enrolment_key(folder)
    problems: dict[str, str] = {}
    floors = _read_floors(folder / FLOORS_FILE, key, problems)
    accepted: dict[str, Enrolment] = {}
    holders: dict[str, str] = {}
    for path in sorted((folder / ENROLMENTS).glob("*.json")):
        name = path.stem
        try:
            enrolment = verify(atomic.read_bounded(path, enrolments.MAX_ENROLMENT_BYTES), key, f"the file {path}")
        except (BocageError, OSError) as error:
            problems[name] = str(error)
            continue
        if problem := _misplaced(enrolment, name, floors, holders):
            problems[name] = problem
            continue
        holders[enrolment.host_id] = name
        accepted[name] = enrolment
    return Trust(key, accepted, floors, problems)


def _misplaced(enrolment: Enrolment, name: str, floors: Floors | None, holders: dict[str, str]) -> str | None:
    """Why a well-signed enrolment still does not count in its place."""
    if enrolment.name != name:
        return f"The file {name}.json holds the enrolment of {enrolment.name}."
    if enrolment.host_id in holders:
        return f"The hosts {holders[enrolment.host_id]} and {name} are enrolled with the same host id."
    floor = floors.floors.get(enrolment.host_id) if floors is not None else None
    if floor is not None and enrolment.generation < floor.generation:
        return (
            f"The enrolment of {name} is of generation {enrolment.generation}, but generation {floor.generation} was"
            " seen before."
        )
    return None


def _read_floors(path: Path, key: bytes, problems: dict[str, str]) -> Floors | None:
    try:
        raw = atomic.read_bounded(path, floors_file.MAX_FLOORS_BYTES)
        return floors_file.verify_bytes(raw, key, f"the file {path}")
    except FileNotFoundError:
        return None
    except (BocageError, OSError) as error:
        problems[FLOORS_FILE] = str(error)
        return None
