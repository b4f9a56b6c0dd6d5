# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of reports that gates of rollouts are about, by their way in a report, as in `system.boot.kernel_milliseconds`."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._common.errors import BadInput

# What agents tell where it applies, so that it may be a gate before any host has it.
TOLD = frozenset(
    {
        *(f"system.boot.{stage}_milliseconds" for stage in ("firmware", "loader", "kernel", "initrd", "userspace")),
        "mesh.round_trip_microseconds",
        *(f"packages.fetched.{name}" for name in ("site_percent", "site_bytes", "site_requests")),
        *(f"packages.fetched.{name}" for name in ("elsewhere_bytes", "elsewhere_requests")),
    }
)


def values(sections: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """The figures of these names that the sections of a report have."""
    found = {}
    for name in names:
        value: Any = sections
        for word in name.split("."):
            value = value.get(word) if isinstance(value, Mapping) else None
        if _is_figure(value):
            found[name] = float(value)
    return found


def names(reports: Iterable[Mapping[str, Any]]) -> set[str]:
    """The names of all figures that some report's sections have."""
    return {name for sections in reports for name in _names(sections, "")}


def check(rollout: str, wanted: Iterable[str], reported: Collection[str]) -> None:
    """Raises BadInput for a name that no host reports: a gate that is about nothing stops nothing."""
    for name in wanted:
        if name in reported or name in TOLD:
            continue
        near = difflib.get_close_matches(name, [*TOLD, *reported], n=1)
        advice = f"did you mean {near[0]}?" if near else "look it up in reported.sections."
        raise BadInput(
            f"The rollout {rollout} has a gate about {name[:120]!a}, a figure that no host reports; {advice}"
        )


def _names(value: Mapping[str, Any], way: str) -> Iterator[str]:
    for name, one in value.items():
        # a name with a dot could not be told from a way
        if "." in name:
            continue
        if isinstance(one, Mapping):
            yield from _names(one, f"{way}{name}.")
        elif _is_figure(one):
            yield f"{way}{name}"


def _is_figure(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
