# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a measured path, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Outer header, UDP 8, WireGuard's type and counter 16, tag 16 (WireGuard, Donenfeld 2017, section 5.4.6).
WIREGUARD_BYTES: Mapping[int, int] = {4: 20 + 8 + 32, 6: 40 + 8 + 32}


def finding(path: Mapping[str, Any]) -> str | None:
    """A sentence where a path carries less than planned; from `peer`, `planned`, `allowed`, `measured` and `underlay`."""
    peer, planned, measured, underlay = path["peer"], path["planned"], path["measured"], path["underlay"]
    if measured is None or measured >= planned:
        return None
    if path["allowed"] == measured:
        return (
            f"The path to {peer} carries {measured} bytes instead of the planned {planned}: "
            "its interface lets no more pass; apply the mesh."
        )
    if underlay is not None and underlay - measured in WIREGUARD_BYTES.values():
        return (
            f"The path to {peer} carries {measured} bytes in one piece instead of the planned {planned}: "
            f"its underlay carries {underlay}; give the narrower end this underlay_mtu, and no mesh_mtu."
        )
    return (
        f"The path to {peer} carries {measured} bytes instead of the planned {planned}: larger packets are lost; "
        "look for a router on the way that drops them without a word, or set underlay_mtu to what it carries."
    )
