# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a run has to ask, judged by what they reported; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._seals import desired

_DAY = 86400


def max_age_seconds(host: str, days: int) -> int | None:
    """How old a seal of a host may be: up to a quarter less than `days`, always the same for one host.

    Otherwise hosts that were set up together would also be converged anew together. None for 0 days: any age.
    """
    if days <= 0:
        return None
    share = int.from_bytes(hashlib.sha256(host.encode()).digest()[:4], "big") / 2**32
    return int(days * _DAY * (1 - share / 4))


def must_be_asked(
    reported: Mapping[str, Any] | None, roles: Mapping[str, Any], host: str, days: int, now: datetime | None = None
) -> str:
    """Why a host has to be contacted, in words; empty where its report says that all is as desired."""
    reported = reported or {}
    state = reported.get("state")
    if state != "fresh":
        return f"its state is {state or 'unknown'}"
    seals = reported.get("seals") or {}
    age = max_age_seconds(host, days)
    moment = now or timestamps.now()
    for role, plan in roles.items():
        seal = seals.get(role)
        if seal is None:
            return f"{role} was never sealed"
        if seal["status"] != "intact":
            return f"{role}: {' '.join(seal.get('findings') or []) or 'the seal is ' + seal['status']}"
        if seal["digest"] != desired.full_digest(plan["base"], seal.get("facts") or {}):
            return f"{role}: what is desired has changed"
        try:
            sealed_at = timestamps.parse(seal["sealed_at"], "the date of a seal")
        except BocageError:
            return f"{role}: its seal has no date"
        if age is not None and (moment - sealed_at).total_seconds() > age:
            return f"{role}: its seal is old"
    return ""
