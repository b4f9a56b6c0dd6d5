# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A digest of nftables rules that changes only with the rules: no counters, handles or learnt elements."""

from __future__ import annotations

import json
from typing import Any

from .._common import canonical
from .._common.errors import BocageError

_PASSING = {"counter": ("packets", "bytes"), "quota": ("used", "used_unit")}


def ruleset_digest(listing: str) -> str:
    """SHA-256 of what `nft -j list table ...` printed."""
    try:
        entries = json.loads(listing)["nftables"]
        rules = [_plain(entry) for entry in entries if "metainfo" not in entry]
    except (ValueError, KeyError, TypeError) as error:
        raise BocageError(f"The listing of nft cannot be read: {error}.") from error
    return canonical.digest(canonical.dumps(rules))


def _plain(value: Any, within: str = "") -> Any:
    """A part of the listing without what changes by itself; `within` is the name that holds it."""
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    passing = {"handle", "index", *_PASSING.get(within, ())}
    if within == "set" and _learns(value):
        passing.add("elem")
    return {name: _plain(inner, name) for name, inner in value.items() if name not in passing}


def _learns(found: dict[str, Any]) -> bool:
    """Whether packets fill the set: nft 1.0 hides the flag `dynamic`, but such a set has a size or a timeout."""
    return "size" in found or "timeout" in found or "timeout" in found.get("flags", ())
