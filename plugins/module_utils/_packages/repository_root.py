# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ceremony of the root: a draft goes from holder to holder as a file, and each adds a signature (TUF 4.3, 6.1).

A holder checks with `describe` what the draft changes against the root that the holder has, signs with
`repository_keys.sign`, and passes the file on. `check` says whether it can be placed: the keys of the old root and
those of the new one, both with their thresholds, must have signed, so that hosts that slept follow the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .._common import timestamps
from .._common.errors import BadInput
from .._common.refused import Refused
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf

_TOP = ("root", "targets", "snapshot", "timestamp")


@dataclass(frozen=True)
class Holders:
    """The keys of a top role and how many of them must sign."""

    keys: tuple[tuf.Key, ...]
    threshold: int = 1


@dataclass(frozen=True)
class RootPlan:
    """Who signs what at the top."""

    root: Holders
    targets: Holders
    snapshot: Holders
    timestamp: Holders


def holders(keys: Sequence[tuf.Key], threshold: int = 1) -> Holders:
    return Holders(tuple(keys), threshold)


def draft(plan: RootPlan, previous: bytes | None, now: datetime, lifetime: timedelta = layout.ROOT_LIFETIME) -> bytes:
    """The next root, unsigned. Raises BadInput for a plan that would lock the estate out or leave it to one key."""
    tuf.require_libraries()
    _check_plan(plan)
    version = 1 if previous is None else roles.read_root(previous, "previous root").version + 1
    signed = tuf.Root(version=version, expires=now + lifetime, consistent_snapshot=True)
    for name in _TOP:
        given: Holders = getattr(plan, name)
        for key in given.keys:
            signed.add_key(key, name)
        signed.roles[name].threshold = given.threshold
    return roles.to_bytes(tuf.Metadata(signed))


def plan_of(root: bytes) -> RootPlan:
    """The plan that a root carries out, to draft the next one from it with `dataclasses.replace`."""
    signed = roles.read_root(root, "root")
    found = {
        name: Holders(tuple(signed.keys[one] for one in signed.roles[name].keyids), signed.roles[name].threshold)
        for name in _TOP
    }
    return RootPlan(**found)


def describe(document: bytes, previous: bytes | None) -> dict[str, Any]:
    """What a holder is about to sign, as plain data: version, expiry, keys that come and go, signatures that lack.

    Raises Refused where the draft is not the one after `previous`.
    """
    metadata = roles.from_bytes(document, tuf.Root, "draft of the root", layout.MAX_ROOT)
    signed: tuf.Root = metadata.signed
    old = None if previous is None else roles.read_root(previous, "previous root")
    _check_order(signed, old)
    changes = {}
    for name in _TOP:
        before = set() if old is None else set(old.roles[name].keyids)
        after = set(signed.roles[name].keyids)
        changes[name] = {
            "added": sorted(after - before),
            "removed": sorted(before - after),
            "kept": sorted(after & before),
            "threshold": signed.roles[name].threshold,
        }
    result = {role: _signatures(delegator, metadata) for role, delegator in (("new", signed), ("old", old or signed))}
    return {
        "version": signed.version,
        "expires": timestamps.write(signed.expires),
        "roles": changes,
        "signed_by": sorted({*result["new"].signed, *result["old"].signed}),
        "missing_signatures_new": max(result["new"].missing, 0),
        "missing_signatures_old": 0 if old is None else max(result["old"].missing, 0),
        "complete": result["new"].verified and result["old"].verified,
    }


def check(document: bytes, previous: bytes | None, now: datetime) -> tuf.Metadata[tuf.Root]:
    """The root, when it can be placed after `previous`. Raises Refused with what lacks."""
    metadata: tuf.Metadata[tuf.Root] = roles.from_bytes(document, tuf.Root, "new root", layout.MAX_ROOT)
    said = describe(document, previous)
    if not said["complete"]:
        raise Refused(
            "bad_signature",
            f"The root {said['version']} is not complete: {said['missing_signatures_old']} signatures of the holders of"
            f" the previous root and {said['missing_signatures_new']} of its own are missing; pass the file on.",
        )
    if metadata.signed.is_expired(now):
        raise Refused("expired", f"The root {said['version']} expired at {said['expires']}; draft it again.")
    try:
        _check_plan(plan_of(document))
    except BadInput as error:
        raise Refused("malformed", f"The root {said['version']} cannot be used: {error}") from error
    return metadata


def _check_plan(plan: RootPlan) -> None:
    for name in _TOP:
        given: Holders = getattr(plan, name)
        count = len({key.keyid for key in given.keys})
        if count != len(given.keys):
            raise BadInput(f"The role {name} names a key twice; name each once.")
        if not 1 <= given.threshold <= count:
            raise BadInput(f"The role {name} asks for {given.threshold} of {count} keys; give enough.")
    if plan.root.threshold < 2 or len(plan.root.keys) <= plan.root.threshold:
        raise BadInput(
            "The root needs at least two of three keys: with fewer, one stolen key decides or one lost key ends it."
        )
    online = {key.keyid for key in (*plan.snapshot.keys, *plan.timestamp.keys)}
    if shared := online & {key.keyid for key in (*plan.root.keys, *plan.targets.keys)}:
        raise BadInput(f"The key {min(shared)[:16]} would be on the publisher and sign offline roles; use another.")


def _check_order(signed: tuf.Root, old: tuf.Root | None) -> None:
    expected = 1 if old is None else old.version + 1
    if signed.version != expected:
        raise Refused("rolled_back", f"The root has the version {signed.version}; {expected} is the next one.")
    if not signed.consistent_snapshot:
        raise Refused(
            "malformed", f"The root {signed.version} is not one of consistent snapshots, which all readers need."
        )


def _signatures(delegator: tuf.Root, metadata: tuf.Metadata[tuf.Root]) -> Any:
    return delegator.get_verification_result("root", metadata.signed_bytes, metadata.signatures)
