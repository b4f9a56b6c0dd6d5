# SPDX-License-Identifier: GPL-3.0-or-later
"""What rollouts let this host have: exact versions, packages that it must not take, leave to go back.

Kept as plain data beside the state, so that a host without a network keeps to what it was told last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bocage_core._packages import rollout_document
from bocage_core._packages.versions import Version

from .packages_ports import Offer
from .packages_report import is_of
from .packages_store import Store


@dataclass(frozen=True)
class Kept:
    """All rollouts of this host together; of two that name one package the first by name has it."""

    versions: Mapping[str, tuple[str, tuple[str, ...], str]] = field(default_factory=dict)
    """By package: version, hashes of its builds, and for whose sake."""
    withheld: Mapping[str, str] = field(default_factory=dict)
    tickets: tuple[Mapping[str, Any], ...] = ()
    rollouts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the report tells: by rollout its ring, whether it waits for that or has the change, the digest of the versions."""

    def to_plain(self) -> dict[str, Any]:
        return {
            "versions": {name: [one[0], list(one[1]), one[2]] for name, one in self.versions.items()},
            "withheld": dict(self.withheld),
            "tickets": [dict(one) for one in self.tickets],
            "rollouts": {name: dict(one) for name, one in self.rollouts.items()},
        }

    @classmethod
    def from_plain(cls, value: Mapping[str, Any] | None) -> Kept:
        if not value:
            return cls()
        versions = {name: (one[0], tuple(one[1]), one[2]) for name, one in value["versions"].items()}
        return cls(versions, value["withheld"], tuple(value["tickets"]), value["rollouts"])

    def allows(self, offer: Offer) -> bool:
        """Whether an offer is the one of the rollouts, where they speak of its package."""
        kept = self.versions.get(offer.package)
        if kept is None:
            return True
        # what was installed before hashes were recorded is told by its version
        same_file = not offer.sha256 or offer.sha256 in kept[1]
        return Version.parse(offer.version) == Version.parse(kept[0]) and same_file

    def ticket_bytes(self) -> list[bytes]:
        return [json.dumps(one).encode() for one in self.tickets]


def keep_to(
    documents: Iterable[tuple[str, bytes]],
    host_id: str,
    name: str,
    site: str,
    now: datetime,
    installed: Mapping[str, str],
) -> Kept:
    """What all rollouts (path and bytes, as the repository has them) say for this host.

    Raises Refused for one that cannot be read: without it nobody knows what this host may have.
    """
    versions: dict[str, tuple[str, tuple[str, ...], str]] = {}
    withheld: dict[str, str] = {}
    tickets: list[Mapping[str, Any]] = []
    rollouts: dict[str, Mapping[str, Any]] = {}
    for path, raw in sorted(documents):
        document = rollout_document.parse(raw, f"the rollout {path}")
        found = rollout_document.pins(document, host_id, name, site, now, installed)
        if found is None:
            continue
        for package, locked in found.versions.items():
            if package not in withheld:
                versions.setdefault(package, (locked.version, locked.sha256, found.reason))
        for package in found.withheld - versions.keys():
            withheld.setdefault(package, found.reason)
        tickets += found.tickets
        rollouts[document.name] = {
            "ring": found.ring,
            "pending": found.pending,
            "taken": found.taken,
            "digest": found.digest,
        }
    return Kept(versions, withheld, tuple(tickets), rollouts)


def begin(store: Store, packages: Iterable[str]) -> bool:
    """Note that the host is about to take what rollouts bring among these packages; whether any of that is new.

    A host that comes to its end over it can say nothing afterwards, so whoever rolls out has to hear it before. To be
    called only where something begins now: what was noted once is not said again.
    """
    found = Kept.from_plain(store.fact("kept"))
    reasons = [found.versions[name][2] for name in packages if name in found.versions]
    begun = {
        name: one["digest"] for name, one in found.rollouts.items() if any(is_of(name, reason) for reason in reasons)
    }
    before = store.fact("begun") or {}
    if begun.items() <= before.items():
        return False
    store.set_facts({"begun": {**before, **begun}})
    return True
