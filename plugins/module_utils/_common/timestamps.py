# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments in signed documents: RFC 3339, UTC, whole seconds, one spelling."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from .errors import BadInput
from .refused import Refused

_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def now() -> datetime:
    return datetime.now(tz=UTC).replace(microsecond=0)


def parse(text: object, what: str) -> datetime:
    if isinstance(text, str) and _FORM.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # falls to the one message below: the form is right, the date is not
    raise Refused("malformed", f"{what} is not a UTC time such as 2026-01-31T08:30:00Z.")


def write(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise BadInput("A time without a zone cannot be signed; give an aware datetime.")
    # A sixth of the time of strftime, which tells in an inventory of many hosts.
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"
