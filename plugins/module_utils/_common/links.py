# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and ports of the overlay's interfaces: the main one of a host, and its links to single gateways.

All names begin alike, so that one pattern matches them in a firewall. Two epochs of
keys live side by side while keys rotate; each number has a parity for that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .estate import Host

MAIN = "bocage"
# What a gateway sends from its own addresses never goes by another gateway, whatever a protocol says: its sessions
# with hosts, and the answer whether these paths live, must take the paths that they are about.
DIRECT_TABLE = 5183
# The kernel's limit of the length of an interface's name (IFNAMSIZ without its zero byte).
_LONGEST_NAME = 15
_SLOTS = 4096
_FIRST_LINK_PORT = 100
_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535


def main_interface(epoch: int = 0) -> str:
    return f"{MAIN}{epoch % 2}"


def main_port(port: int, epoch: int = 0) -> int:
    return port + epoch % 2


def link_interface(gateway: Host, epoch: int = 0) -> str:
    """Name of the interface of which this gateway is the only peer."""
    name = f"{main_interface(epoch)}-{gateway.site.index:x}-{gateway.index:x}"
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(name.split("-", 1)[1].encode()).hexdigest()
        name = f"{main_interface(epoch)}-{digest[:7]}"
    return name


def link_ports(port: int, gateways: Iterable[Host], epoch: int = 0) -> dict[str, int]:
    """UDP ports of a host's links by gateway, of which nobody moves when another one joins, unless both want one place.

    ``port`` is that of the host's main interface.
    """
    ports: dict[str, int] = {}
    taken: set[int] = set()
    for gateway in sorted(gateways, key=lambda one: (one.site.index, one.index)):
        slot = _slot(gateway.site.index, gateway.index)
        while slot in taken:
            slot = (slot + 1) % _SLOTS
        taken.add(slot)
        number = port + _FIRST_LINK_PORT + 2 * slot + epoch % 2 - _LOWEST_PORT
        ports[gateway.name] = number % (_HIGHEST_PORT - _LOWEST_PORT) + _LOWEST_PORT
    return ports


@lru_cache(maxsize=1 << 14)
def _slot(site_index: int, gateway_index: int) -> int:
    digest = hashlib.sha256(f"{site_index}|{gateway_index}".encode()).digest()
    return int.from_bytes(digest[:4]) % _SLOTS
