# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With whom a gateway exchanges routes at the moment, and which of the paths to them live."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .._common.commands import Run


def established(run: Run) -> list[str]:
    """Addresses of the neighbours whose BGP sessions stand, of all address families; none where nothing routes."""
    try:
        status, output, _error = run(["vtysh", "-c", "show bgp summary json"])
        return established_of(output) if status == 0 else []
    except (OSError, ValueError):
        return []


def established_of(answer: str) -> list[str]:
    """Addresses of the neighbours whose sessions stand, of what ``show bgp summary json`` answers.

    Raises ValueError where that is no JSON; what lists no neighbours has none.
    """
    families: Any = json.loads(answer)
    found: set[str] = set()
    for family in families.values() if isinstance(families, Mapping) else ():
        peers = family.get("peers") if isinstance(family, Mapping) else None
        for name, peer in peers.items() if isinstance(peers, Mapping) else ():
            if isinstance(peer, Mapping) and peer.get("state") == "Established":
                found.add(str(name))
    return sorted(found)


def living(run: Run) -> list[str]:
    """Addresses of the neighbours whose paths live, as BFD sees them; none where nothing watches them."""
    try:
        status, output, _error = run(["vtysh", "-c", "show bfd peers brief json"])
        paths = paths_of(output) if status == 0 else {}
    except (OSError, ValueError):
        return []
    return sorted(address for address, lives in paths.items() if lives)


def paths_of(answer: str) -> dict[str, bool]:
    """By address of the other end, whether the path lives, of what ``show bfd peers brief json`` answers.

    Raises ValueError where that is no JSON; what is no list of sessions has none.
    """
    sessions: Any = json.loads(answer or "[]")
    if not isinstance(sessions, list):
        return {}
    return {str(one["peer"]): one.get("status") == "up" for one in sessions if isinstance(one, dict) and "peer" in one}
