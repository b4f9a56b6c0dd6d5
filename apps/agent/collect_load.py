# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway carries at the moment, for the section `gateway`: the hosts that it serves, and how full its table of flows is."""

from __future__ import annotations

import ipaddress
import time
from pathlib import Path
from typing import Any

from bocage_core._common.commands import Run

_NETFILTER = Path("/proc/sys/net/netfilter")
# A session that carries anything shakes hands every two minutes (WireGuard, section 6).
RECENT_SECONDS = 180


def collect_load(run: Run, now: float | None = None, netfilter: Path = _NETFILTER) -> dict[str, Any]:
    """What cannot be read is left out."""
    found: dict[str, Any] = {}
    shaken, handshakes, _error = run(["wg", "show", "all", "latest-handshakes"])
    allowed, prefixes, _error = run(["wg", "show", "all", "allowed-ips"])
    if shaken == allowed == 0:
        recent = _recent(handshakes, time.time() if now is None else now)
        found["clients"] = len(_clients(prefixes, recent))
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


def _clients(output: str, recent: set[str]) -> set[str]:
    """Overlay addresses of these peers, without those that relay for others.

    A host has one address and, while keys rotate, a key in each epoch.
    """
    found: set[str] = set()
    relays: set[str] = set()
    for line in output.splitlines():
        _interface, _tab, rest = line.partition("\t")
        key, _tab, prefixes = rest.partition("\t")
        own = _own_address(prefixes.split())
        if own is None or key not in recent:
            continue
        found.add(own)
        if _relays(prefixes.split(), own):
            relays.add(own)
    return found - relays


def _own_address(prefixes: list[str]) -> str | None:
    """A peer's address in the overlay; a host's own hub is the way to everything and has none here."""
    return next((prefix.removesuffix("/128") for prefix in prefixes if prefix.endswith("/128")), None)


def _relays(prefixes: list[str], own: str) -> bool:
    """Whether a peer has more of the overlay's /48 than its address: a hub, or another gateway of this site."""
    estate = ipaddress.IPv6Network((own, 48), strict=False)
    wide = (prefix for prefix in prefixes if ":" in prefix and not prefix.endswith("/128"))
    return any(ipaddress.IPv6Network(prefix).network_address in estate for prefix in wide)
