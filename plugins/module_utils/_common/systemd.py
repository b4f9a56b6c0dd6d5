# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of units, in one call for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .commands import Run, must

# What a unit was last started with by us; one file a unit.
STAMPS = "/var/lib/bocage/units"
_PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload"
# What is-enabled counts as enabled, without what is gone after a boot.
_ENABLED = frozenset({"enabled", "static", "alias", "indirect", "generated"})
_RUNNING = frozenset({"active", "reloading", "activating"})


@dataclass(frozen=True)
class UnitState:
    """One unit as systemd sees it now."""

    known: bool
    active: bool
    failed: bool
    crashing: bool
    """Whether it waits to be started again after a crash."""
    enabled: bool
    needs_reload: bool
    """Whether its files changed since systemd read them."""


def read_units(run: Run, names: Sequence[str]) -> list[UnitState]:
    """The states of units, in the order of their names; a unit that does not exist is one that is not known."""
    output = must(
        run, ["systemctl", "show", f"--property={_PROPERTIES}", "--", *names], "systemd does not answer on this host"
    )
    found = [_state(values) for values in shown(output)]
    # systemd answers for each name that is given, also for one that it does not know
    return found if len(found) == len(names) else [_state({}) for _name in names]


def shown(output: str) -> list[dict[str, str]]:
    """The properties of each unit, in their order, from what ``systemctl show`` printed."""
    blocks = [block for block in output.split("\n\n") if block.strip()]
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]


def _state(values: dict[str, str]) -> UnitState:
    crashing = values.get("SubState") == "auto-restart"
    return UnitState(
        known=values.get("LoadState", "not-found") not in ("not-found", ""),
        active=values.get("ActiveState") in _RUNNING and not crashing,
        failed=values.get("ActiveState") == "failed",
        crashing=crashing,
        enabled=values.get("UnitFileState") in _ENABLED,
        needs_reload=values.get("NeedDaemonReload") == "yes",
    )
