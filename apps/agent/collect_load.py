# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway carries at the moment, for the section `gateway`: the hosts that it serves, and how full its table of flows is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bocage_core._common.commands import Run

from .overlay_peers import OverlayPeer, overlay_peers

_NETFILTER = Path("/proc/sys/net/netfilter")
# A session that carries anything shakes hands every two minutes (WireGuard, section 6).
RECENT_SECONDS = 180


def collect_load(run: Run, now: float | None = None, netfilter: Path = _NETFILTER) -> dict[str, Any]:
    """What cannot be read is left out."""
    found: dict[str, Any] = {}
    shaken, handshakes, _error = run(["wg", "show", "all", "latest-handshakes"])
    peers = overlay_peers(run)
    if shaken == 0 and peers is not None:
        found["clients"] = len(_clients(peers, _recent(handshakes, time.time() if now is None else now)))
    for name in ("conntrack_count", "conntrack_max"):
        try:
            found[name] = int((netfilter / f"nf_{name}").read_text())
        except (OSError, ValueError):
            # a kernel that tracks no flows has no table that could be full
            found.pop("conntrack_count", None)
            break
    return found


def _recent(output: str, now: float) -> set[str]:
    """The keys of peers that were heard of lately."""
    heard: set[str] = set()
    for line in output.splitlines():
        fields = line.split("\t")
        if len(fields) == 3 and fields[2].isdigit() and now - int(fields[2]) < RECENT_SECONDS:
            heard.add(fields[1])
    return heard


def _clients(peers: Iterable[OverlayPeer], recent: set[str]) -> set[str]:
    """Overlay addresses of these peers, so that a host is one client whatever epochs of keys it has."""
    return {peer.address for peer in peers if peer.key in recent and not peer.relays}
