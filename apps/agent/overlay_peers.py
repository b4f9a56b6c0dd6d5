# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's peers are, by the prefixes that they may send from: as `wg show all allowed-ips` prints them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from bocage_core._common.commands import Run


@dataclass(frozen=True, slots=True)
class OverlayPeer:
    """A peer on one interface; a host is one on each interface, with a key for each epoch."""

    interface: str
    key: str
    address: str
    """Its own address in the overlay."""
    prefixes: tuple[str, ...]

    @property
    def relays(self) -> bool:
        """Whether it has more of the overlay's /48 than its address: a hub, or another gateway of this host's site."""
        estate = ipaddress.IPv6Network((self.address, 48), strict=False)
        wide = (prefix for prefix in self.prefixes if ":" in prefix and not prefix.endswith("/128"))
        return any(ipaddress.IPv6Network(prefix).network_address in estate for prefix in wide)


def overlay_peers(run: Run) -> list[OverlayPeer] | None:
    """The peers that have an address; a host's own hub is the way to everything and has none here. None: unknown."""
    status, output, _error = run(["wg", "show", "all", "allowed-ips"])
    return list(_parsed(output)) if status == 0 else None


def _parsed(output: str) -> Iterator[OverlayPeer]:
    for line in output.splitlines():
        interface, _tab, rest = line.partition("\t")
        key, _tab, words = rest.partition("\t")
        prefixes = tuple(words.split())
        own = next((prefix for prefix in prefixes if prefix.endswith("/128")), None)
        if own is not None:
            yield OverlayPeer(interface, key, own.removesuffix("/128"), prefixes)
