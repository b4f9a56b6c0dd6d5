# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizing of gateways as values and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._gateway.sizing import (
    MEAN_MBIT,
    GatewaySizing,
    Need,
    Resources,
    SiteSizing,
)

_HEADINGS = ("gateway", "", "carries", "vCPU", "memory", "network", "line", "disk", "room for", "bound by")
_UNKNOWN = "?"


def values(sized: SiteSizing) -> dict[str, Any]:
    """One site as plain data."""
    demand = sized.demand
    return {
        "site": demand.site,
        "connections": demand.connections,
        "mean_mbit": round(demand.connections * MEAN_MBIT, 1),
        "peak_to_mean": demand.peak_to_mean,
        "spare": sized.spare,
        "gateways_needed": sized.gateways_needed,
        "problem": sized.problem,
        "gateways": [_gateway_values(one) for one in sized.gateways],
    }


def _gateway_values(one: GatewaySizing) -> dict[str, Any]:
    return {
        "name": one.name,
        "carries": one.share,
        "carries_without_one": one.most,
        "needs": {name: getattr(one.need, name) for name in Need.__slots__},
        "has": {name: getattr(one.resources, name) for name in Resources.__slots__},
        "capacity": one.capacity.connections,
        "binding": one.capacity.binding,
        "lacks": [f"needs {lack.needs} and has {lack.has}" for lack in one.lacks],
    }


def table(sites: Sequence[SiteSizing]) -> list[tuple[str, str | None]]:
    """Lines of text with their colours: for each site what it asks, and a pair of lines a gateway."""
    lines: list[tuple[str, str | None]] = [("", None)]
    for sized in sites:
        lines += [(f"  {_about(sized)}", None), ("", None)]
        rows = [_HEADINGS]
        for one in sized.gateways:
            rows += [_needs(one), _has(one)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for number, row in enumerate(rows):
            text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            colour = "red" if number and sized.gateways[(number - 1) // 2].lacks else None
            lines.append((f"    {text}", colour))
        verdict = sized.problem or _verdict(sized)
        lines += [("", None), (f"    {verdict}", "red" if sized.problem else "green"), ("", None)]
    return lines


def _about(sized: SiteSizing) -> str:
    demand = sized.demand
    count = len(sized.gateways)
    return (
        f"Site {demand.site}: {demand.connections} connections, {demand.connections * MEAN_MBIT:.0f} Mbit/s on average and "
        f"{demand.connections * MEAN_MBIT * demand.peak_to_mean:.0f} at the peak; "
        f"{count} gateway{'' if count == 1 else 's'}, {'one of them to spare' if sized.spare else 'none to spare'}"
    )


def _verdict(sized: SiteSizing) -> str:
    if not sized.gateways:
        return "Nothing is asked of it."
    least = min(sized.gateways, key=lambda one: (one.capacity.connections, one.name))
    room = least.capacity.connections - least.most
    when = "with any one gateway away" if sized.spare else "with all gateways there"
    binding = "the limit of the product" if least.capacity.binding == "limit" else least.capacity.binding
    return f"It holds {when}; {least.name} then has room for {room} more connections, where {binding} binds."


def _needs(one: GatewaySizing) -> tuple[str, ...]:
    wanted = one.need
    carries = f"{one.share}" if one.share == one.most else f"{one.share}, {one.most} without one"
    return (
        one.name, "needs", carries, f"{wanted.cpu_count}", f"{wanted.memory_gb} GB",
        f"{wanted.nic_count} x {wanted.nic_gbit} Gbit/s", f"{wanted.line_mbit:.0f} Mbit/s", f"{wanted.disk_gb} GB",
        "", "",
    )  # fmt: skip


def _has(one: GatewaySizing) -> tuple[str, ...]:
    has = one.resources
    network = f"{_known(has.nic_count)} x {_known(has.nic_gbit)} Gbit/s"
    return (
        "", "has", "", _known(has.cpu_count), f"{_known(has.memory_gb)} GB", network,
        f"{_known(has.line_mbit)} Mbit/s", f"{_known(has.disk_gb)} GB", f"{one.capacity.connections}",
        one.capacity.binding,
    )  # fmt: skip


def _known(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{round(value, 1):g}"
