# SPDX-License-Identifier: GPL-3.0-or-later
"""Who this host is: its enrolment and its report key."""

from __future__ import annotations

from pathlib import Path

from bocage_core._common import atomic, dsse
from bocage_core._common.errors import BocageError
from bocage_core._state import enrolment as enrolments
from bocage_core._state.enrolment import Enrolment

from .settings import Settings


def read_enrolment(settings: Settings) -> Enrolment:
    """Who this host is. Its own file is believed as it stands; the registry and the inventory verify it."""
    path = settings.enrolment_file
    try:
        envelope = dsse.load(atomic.read_bounded(path, enrolments.MAX_ENROLMENT_BYTES), f"the file {path}")
        return Enrolment.from_payload(dsse.unverified_payload(envelope, f"the file {path}"), f"the file {path}")
    except FileNotFoundError as error:
        raise BocageError(f"This host is not enrolled: {path} is missing; run the playbook enrol for it.") from error


def read_private_key(path: Path) -> bytes:
    """The report key, PEM."""
    try:
        return atomic.read_bounded(path, 4096)
    except OSError as error:
        raise BocageError(f"The report key {path} cannot be read: {error.strerror}; run the playbook enrol.") from error
