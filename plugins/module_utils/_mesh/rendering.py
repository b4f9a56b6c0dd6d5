# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of interfaces of many hosts at once: the block of a peer is rendered once, and shared by all who have it."""

from __future__ import annotations

from .interface import configuration_of, peer_block
from .peers import MeshPlanner, Peer


class Renderer:
    """Renders what a host would render of its plan; a full mesh costs as many blocks as it has hosts."""

    def __init__(self, planner: MeshPlanner, listen_port: int = 51820) -> None:
        self._planner = planner
        self._listen_port = listen_port
        # by identity, which is faster to look up than all of a peer; who holds the object keeps its number from others
        self._blocks: dict[int, tuple[Peer, str]] = {}

    def configuration(self, host_name: str) -> str:
        """The file for `wg syncconf` of the main interface of one host, without its private key."""
        blocks = self._blocks
        found: list[str] = []
        for peer in self._planner.peers(host_name):
            known = blocks.get(id(peer))
            found.append(self._render(peer) if known is None else known[1])
        return configuration_of(self._listen_port, found)

    def _render(self, peer: Peer) -> str:
        block = peer_block(peer.name, peer.public_key, peer.allowed_ips, peer.endpoint, peer.keepalive_seconds)
        self._blocks[id(peer)] = (peer, block)
        return block
