# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of traffic_classes for a host with two classes, a link and an uplink."""

from __future__ import annotations

from typing import Any


def parameters(**changes: Any) -> dict[str, Any]:
    peer = {"public_key": "key", "address": "fd00::1", "calls": False}
    return {
        "classes": [
            {"name": "voice", "percent": 30, "dscp": ["ef", "va"], "ports": ["udp/16384-32767", "udp/5060"]},
            {"name": "far-screens", "percent": 40, "dscp": ["af41"]},
            {"name": "bulk", "percent": 30},
        ],
        "interfaces": [
            {"name": "bocage0v1", "follows": "bocage0", "class": 1, "port": 51826, "mark": 0x0B0C0100, "peers": [peer]},
            {"name": "bocage0v1-abcd", "follows": "bocage0-1-1", "class": 1, "port": 60220, "mark": 0x0B0C0101, "peers": []},
            {"name": "bocage0v2", "follows": "bocage0", "class": 2, "port": 51828, "mark": 0x0B0C0200, "peers": []},
        ],
        "source": "fd00::2",
        "uplink_interface": "eth0",
        "uplink_kbit": 10000,
        **changes,
    }  # fmt: skip
