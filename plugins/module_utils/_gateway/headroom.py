# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a gateway, as it reports itself, is large enough for its share of the site, and how much room it has left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .sizing import Demand, GatewaySizing, lacks


@dataclass(frozen=True, slots=True)
class Verdict:
    """Sentences; a gateway that is too small has no room either, and is told of once."""

    undersized: tuple[str, ...] = ()
    low: tuple[str, ...] = ()


def judge(demand: Demand, sized: GatewaySizing, section: Mapping[str, Any]) -> Verdict:
    """The verdict on a gateway; `section` is what it reports as a gateway, and may lack what older agents do not say."""
    clients = section.get("clients") or 0
    load = max(sized.most, clients)
    about = f"{clients} clients" if clients > sized.most else f"{load} connections"
    lacking = lacks(sized.resources, load, demand.peak_to_mean)
    if lacking:
        return Verdict(
            undersized=tuple(f"For {about} {sized.name} needs {one.needs} and has {one.has}." for one in lacking)
        )
    percent = demand.headroom_percent
    low: list[str] = []
    if load * 100 > sized.capacity.connections * (100 - percent):
        room = f"{load} of {sized.capacity.connections} connections, where {sized.capacity.binding} binds"
        low.append(f"Less than {percent} % of {sized.name} is to spare: {room}.")
    count, most = section.get("conntrack_count") or 0, section.get("conntrack_max") or 0
    if most and count * 100 > most * (100 - percent):
        low.append(f"Less than {percent} % of the table of flows of {sized.name} is to spare: {count} of {most}.")
    return Verdict(low=tuple(low))
