# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which UDP ports a host has open on all of its addresses, as programs that cannot be told to listen on one open them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._common.estate import Host
from .._common.links import main_port

# Of BFD (RFC 5881, section 4; RFC 5883, section 5), which FRR opens everywhere and the firewall for the overlay alone.
BFD_PORTS = (3784, 3785, 4784)
# Of a VXLAN interface (RFC 7348, section 5): the kernel listens everywhere, and the firewall lets in the overlay alone.
VXLAN_PORT = 4789


def plan_listening(
    host: Host, mesh: Mapping[str, Any], routing: Mapping[str, Any] | None, segments: Sequence[Mapping[str, Any]]
) -> list[int]:
    """The ports from the host's other plans; those of the interfaces are of the epochs of keys that are live.

    The main interface has one for each parity of epochs, both of which are open in the firewall at all times.
    """
    ports = {main_port(host.port, epoch) for epoch in (0, 1)}
    ports |= {int(one["listen_port"]) for one in mesh.get("interfaces", mesh.get("links", ()))}
    if routing:
        ports.update(BFD_PORTS)
    if segments:
        ports.add(VXLAN_PORT)
    return sorted(ports)
