# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the key holder has to sign so that a host is enrolled as wanted: nothing, a renewal, or a new generation."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .._common import fields
from .._common.errors import BadInput
from . import enrolment as enrolments
from .enrolment import Enrolment


@dataclass(frozen=True)
class Wanted:
    """A host as the inventory and the host itself give it."""

    name: str
    tenant: str | None
    site: str
    host_id: str | None
    report_key: bytes
    mesh_key: str
    validity: timedelta
    renew_before: timedelta


def read_key(text: str, what: str) -> bytes:
    """The 32 raw bytes of a public key in base64, in its only spelling."""
    try:
        if fields.KEY.fullmatch(text):
            return base64.b64decode(text, validate=True)
    except binascii.Error:
        pass  # falls to the one message below
    raise BadInput(f"The {what} is not a public key of 32 bytes in base64; read it from the host again.")


def plan_enrolment(current: Enrolment | None, wanted: Wanted, now: datetime, replace_keys: bool) -> Enrolment | None:
    """The document to sign, or None where the current one says it all; raises BadInput where a word is needed first."""
    not_after = now + wanted.validity
    if current is None:
        return Enrolment(
            kind="enrolment",
            host_id=wanted.host_id or str(uuid.uuid4()),
            name=wanted.name,
            tenant=wanted.tenant,
            site=wanted.site,
            generation=1,
            report_key=wanted.report_key,
            mesh_key=wanted.mesh_key,
            issued_at=now,
            not_after=not_after,
        )
    # Of two documents of one generation the later counts, so a clock that stands still must not make them equal.
    issued_at = max(now, current.issued_at + timedelta(seconds=1))
    changed = _other_identity(current, wanted)
    if changed is not None:
        if not replace_keys:
            raise BadInput(
                f"The name {wanted.name} is enrolled already{changed}; if the host was really made anew, enrol it with"
                f" replace: true, which signs generation {current.generation + 1}."
            )
        following = enrolments.successor(
            current,
            report_key=wanted.report_key,
            mesh_key=wanted.mesh_key,
            issued_at=issued_at,
            not_after=not_after,
        )
        return replace(following, tenant=wanted.tenant, site=wanted.site)
    # Short-lived enrolments are not renewed in every run.
    renew_before = min(wanted.renew_before, wanted.validity / 3)
    if (current.tenant, current.site) == (wanted.tenant, wanted.site) and current.not_after - now > renew_before:
        return None
    return replace(current, tenant=wanted.tenant, site=wanted.site, issued_at=issued_at, not_after=not_after)


def plan_revocation(current: Enrolment | None, name: str, now: datetime) -> Enrolment | None:
    if current is None:
        raise BadInput(f"There is no enrolment of {name} to revoke; check the name.")
    if current.revoked:
        return None
    issued_at = max(now, current.issued_at + timedelta(seconds=1))
    return replace(current, kind="revocation", issued_at=issued_at)


def check_others(new: Enrolment, others: Iterable[Enrolment]) -> None:
    """A cloned image brings somebody else's identity along; two names must not share one."""
    for other in others:
        if other.name == new.name:
            continue
        shared = "host id" if other.host_id == new.host_id else None
        if not other.revoked:
            if other.report_key == new.report_key:
                shared = "report key"
            elif other.mesh_key == new.mesh_key:
                shared = "mesh key"
        if shared is not None:
            raise BadInput(
                f"The host {new.name} brings the {shared} of {other.name}, as a cloned image does; remove /etc/bocage"
                f" on {new.name} so that it makes its own keys."
            )


def _other_identity(current: Enrolment, wanted: Wanted) -> str | None:
    """How the host differs from the one that holds the name; None when it is the same."""
    if current.report_key != wanted.report_key:
        return " with another report key"
    if current.mesh_key != wanted.mesh_key:
        return " with another mesh key"
    if wanted.host_id is not None and wanted.host_id != current.host_id:
        return f" for the host {current.host_id}"
    return " and was revoked" if current.revoked else None
