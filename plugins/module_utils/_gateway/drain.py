# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a gateway out of service and back: the file that says so, what its health says, and whether it may go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._common.atomic import read_bounded, sync_directory, write_file
from .._common.errors import BocageError
from .._common.findings import listed
from .places import DRAIN_FILE, HEALTH_FILE
from .sizing import Demand, Gateway, without

MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Status:
    """What a gateway says of itself; health is None where nothing watches it."""

    drained: bool
    reason: str = ""
    health: Mapping[str, Any] | None = None

    @property
    def serves(self) -> bool:
        return not self.drained and self.health is not None and bool(self.health.get("healthy"))

    @property
    def excuse(self) -> str:
        """Why it does not serve, as the end of a sentence that begins with its name."""
        if self.drained:
            return "is drained"
        if self.health is None:
            return "does not say how it is"
        silent = sorted(name for name, answers in dict(self.health.get("targets") or {}).items() if not answers)
        return f"gets no answer from {listed(silent)} on its LAN" if silent else "is not healthy"


def read_status(drain_file: Path = DRAIN_FILE, health_file: Path = HEALTH_FILE) -> Status:
    """The status of this host. Raises BocageError where a file is there and cannot be read."""
    reason = _read(drain_file)
    health = _read(health_file)
    found = None
    if health is not None:
        try:
            found = json.loads(health)
        except ValueError as error:
            raise BocageError(f"The file {health_file} is no JSON: {error}; restart bocage-gateway-health.") from error
        if not isinstance(found, dict):
            raise BocageError(f"The file {health_file} holds no object; restart bocage-gateway-health.")
    return Status(reason is not None, (reason or "").strip(), found)


def _read(path: Path) -> str | None:
    try:
        return read_bounded(path, MOST_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BocageError(f"The file {path} cannot be read: {error.strerror}.") from error


def set_drained(drained: bool, reason: str, check: bool, path: Path = DRAIN_FILE) -> dict[str, Any]:
    """Make the file or remove it: ``changed`` and ``diff``. One that is there keeps its reason. Raises OSError."""
    before = _read(path)
    after = None
    if drained:
        after = f"{reason.strip()}\n" if before is None else before
    changed = (before is None) != (after is None)
    if changed and not check:
        if after is None:
            path.unlink()
            sync_directory(path.parent)
        else:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_file(path, after.encode())
    shown = {"before": before or "", "after": after or "", "before_header": str(path), "after_header": str(path)}
    return {"changed": changed, "diff": shown}


def obstacle(
    demand: Demand,
    gateways: Sequence[Gateway],
    name: str,
    others: Mapping[str, Status | None],
    allow_fewer: bool = False,
) -> str | None:
    """Why a gateway may not be drained, in one sentence; None where it may.

    `others` is what the other gateways of its site say; None of one that does not answer. One may be away at a time;
    `allow_fewer` is the operator's word that more may, as long as one serves and those that do carry the site.
    """
    rest = [one.name for one in gateways if one.name != name]
    if not rest:
        return f"Gateway {name} cannot be drained: site {demand.site} has no other gateway; add one first."
    away = [one for one in rest if not _serves(others.get(one))]
    excuses = listed(f"{one} {_excuse(others.get(one))}" for one in away)
    if len(away) == len(rest):
        return (
            f"Gateway {name} cannot be drained: it is the last of site {demand.site} that serves, as {excuses}; "
            f"bring {'that one' if len(away) == 1 else 'one of those'} back first."
        )
    if away and not allow_fewer:
        return (
            f"Gateway {name} cannot be drained: {excuses}, and one gateway of site {demand.site} may be away at a time; "
            f"bring {'that one' if len(away) == 1 else 'those'} back first, or allow fewer with -e drain_allow_fewer=true."
        )
    problem = without(demand, gateways, {name, *away})
    return None if problem is None else f"Gateway {name} cannot be drained: {problem[0].lower()}{problem[1:]}"


def _serves(status: Status | None) -> bool:
    return status is not None and status.serves


def _excuse(status: Status | None) -> str:
    return "does not answer" if status is None else status.excuse
