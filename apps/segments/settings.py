# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings file, as the role writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bocage_core._common.errors import BadInput

DEFAULT_PATH = Path("/etc/bocage/segments/elector.json")


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """One segment of this gateway. ``port`` leads to the overlay, ``lan_port`` to the LAN."""

    name: str
    number: int
    rank: int
    bridge: str
    port: str
    lan_port: str
    peers: Mapping[str, str]
    """Overlay addresses of the other gateways by name."""
    overlay_targets: tuple[str, ...]
    lan_targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the elector of a host knows before it hears anything."""

    name: str
    address: str
    udp_port: int
    beat: float
    dead: float
    doubt: float
    drain_file: Path
    key_file: Path
    status_file: Path
    segments: tuple[SegmentSettings, ...]


def read_settings(path: Path = DEFAULT_PATH) -> Settings:
    try:
        values = json.loads(path.read_text())
        return Settings(
            name=str(values["name"]),
            address=str(values["address"]),
            udp_port=int(values["udp_port"]),
            beat=float(values["beat_seconds"]),
            dead=float(values["dead_seconds"]),
            doubt=float(values["doubt_seconds"]),
            drain_file=Path(values["drain_file"]),
            key_file=Path(values["key_file"]),
            status_file=Path(values["status_file"]),
            segments=tuple(_segment(one) for one in values["segments"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"The settings {path} cannot be used: {error!r}; run playbooks/mesh.yml for this host."
        ) from error


def _segment(values: Mapping[str, Any]) -> SegmentSettings:
    return SegmentSettings(
        name=str(values["name"]),
        number=int(values["id"]),
        rank=int(values["rank"]),
        bridge=str(values["bridge"]),
        port=str(values["port"]),
        lan_port=str(values["lan_port"]),
        peers={str(name): str(address) for name, address in values["peers"].items()},
        overlay_targets=tuple(map(str, values["overlay_targets"])),
        lan_targets=tuple(map(str, values["lan_targets"])),
    )
