# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rollout stands, as data and as one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput
from ansible_collections.bocage.fleet.plugins.module_utils._common.rollout import Host, members, soaked_at
from ansible_collections.bocage.fleet.plugins.module_utils._common.rollout_gates import Health, judge
from ansible_collections.bocage.fleet.plugins.module_utils._packages.rollout_document import (
    RolloutDocument,
    ring_lock,
)
from ansible_collections.bocage.fleet.plugins.module_utils._packages.rollout_progress import Report, observe


def status(document: RolloutDocument, hosts: Sequence[Host], reports: Mapping[str, Report], now: Any) -> dict[str, Any]:
    """Phase, rings with their hosts and their health, and what changes."""
    rollout, state = document.rollout, document.state
    seen = observe(document, reports, now)
    rings = members(rollout, hosts)
    untouched = [name for ring in rings[state.ring + 1 :] for name in ring]
    since = soaked_at(rollout, state)
    judged = [
        judge(rollout.gates, ring, untouched, seen, since if index == state.ring else None)
        for index, ring in enumerate(rings)
    ]
    return {
        "phase": state.phase,
        "ring": rollout.rings[state.ring].name if state.ring >= 0 else "",
        "reason": state.reason,
        "opened_at": timestamps.write(state.opened_at) if state.opened_at else None,
        "expires": timestamps.write(document.expires),
        "rings": [
            {
                "name": ring.name,
                "open": index <= state.ring,
                "hosts": rings[index],
                "changed": judged[index].changed,
                "failed": dict(judged[index].failed),
                "waiting": judged[index].waiting,
            }
            for index, ring in enumerate(rollout.rings)
        ],
        "changes": changes(document),
        "history": list(state.history),
    }


def differences(document: RolloutDocument, rings: Sequence[str]) -> list[dict[str, str]]:
    """What hosts of two rings should not have alike now: package, and by ring its version, "" where it is absent."""
    names = [ring.name for ring in document.rollout.rings]
    if len(rings) != 2 or rings[0] == rings[1]:
        raise BadInput(
            f"A difference is between two rings of the rollout {document.name}; name two of {', '.join(names)}."
        )
    for ring in rings:
        if ring not in names:
            raise BadInput(f"The rollout {document.name} has no ring {ring}; there are: {', '.join(names)}.")
    locks = {ring: ring_lock(document, names.index(ring)) for ring in rings}
    found = []
    for package in sorted({name for lock in locks.values() for name in lock}):
        locked = {ring: lock.get(package) for ring, lock in locks.items()}
        if locked[rings[0]] != locked[rings[1]]:
            found.append({"package": package, **{ring: one.version if one else "" for ring, one in locked.items()}})
    return found


def changes(document: RolloutDocument) -> list[str]:
    """One line for each package that is another one afterwards."""
    lines = []
    for name in sorted(document.changing):
        old, new = document.before.get(name), document.after.get(name)
        if old and new:
            lines.append(f"{name}: {old.version} becomes {new.version}")
        else:
            lines.append(f"{name}: {new.version} comes" if new else f"{name} leaves")
    return lines


def line(name: str, found: Mapping[str, Any], health: Mapping[str, Health]) -> str:
    """For those who watch: `editor-2: running, ring pilots: 3 of 4 hosts changed, 0 failed`."""
    words = f"{name}: {found['phase'].replace('_', ' ')}"
    for ring, one in health.items():
        words += f"; ring {ring}: {one.changed} of {one.hosts} hosts changed"
        words += f", {len(one.failed)} failed" if one.failed else ""
    return f"{words}; {found['reason']}" if found["reason"] else words
