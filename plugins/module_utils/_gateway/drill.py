# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill: which gateway fails in which way, and what the probes say of it. Pure.

A takeover's gap runs from the last probe that was answered before a stretch of lost ones to the first one after it,
so that it is never shorter than what a user saw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .._common.errors import BadInput
from .._common.estate import Estate
from .._common.exits import Exits
from .takeover import plan_takeover

# Each way in which a gateway fails; those with a direction let the other one pass.
CAUSES = ("wireguard", "routing", "host", "lan", "wan", "lan_in", "lan_out", "wan_in", "wan_out")


def plan_drill(
    estate: Estate, site_name: str, causes: Sequence[str], takeovers: int, prober: str = ""
) -> dict[str, Any]:
    """Who probes what, and the faults in order: all causes in turn until there are enough takeovers.

    Faults hit the gateway that the prober uses. Raises BadInput where nobody could notice a takeover.
    """
    exits = Exits(estate)
    if site_name not in estate.sites:
        raise BadInput(f"There is no site '{site_name}' to drill; name one of {', '.join(sorted(estate.sites))}.")
    if not causes:
        raise BadInput(f"A drill needs a cause; choose of {', '.join(CAUSES)}.")
    if unknown := sorted(set(causes) - set(CAUSES)):
        raise BadInput(f"A drill knows no cause '{', '.join(unknown)}'; choose of {', '.join(CAUSES)}.")
    probers = [
        host for host in sorted(estate.hosts.values(), key=lambda one: one.name) if site_name in exits.ranked(host)
    ]
    if not probers:
        raise BadInput(
            f"Nobody enters the LAN of site {site_name} by several gateways, so there is nothing to take over; "
            "a drill needs two gateways and a host of the same tenant at another site."
        )
    found = [host for host in probers if not prober or host.name == prober]
    if not found:
        raise BadInput(
            f"Host {prober} does not enter the LAN of site {site_name} by several gateways; "
            f"probe from {', '.join(one.name for one in probers[:5])}."
        )
    host = found[0]
    gateways = exits.ranked(host)[site_name]
    takeover = plan_takeover(estate, gateways[0].name, exits)
    targets = [] if takeover is None else takeover["targets"]
    # a gateway asks them on the LAN, the prober by the addresses that the overlay knows
    targets = [gateways[0].site.reached_address(one) for one in targets]
    targets = [one for one in targets if ":" in one or host.address4 is not None]
    if not targets:
        raise BadInput(
            f"Site {site_name} names nobody on its LAN who could answer; give it health_targets or names in estate_sites."
        )
    return {
        "site": site_name,
        "prober": host.name,
        "gateway": gateways[0].name,
        "others": [one.name for one in gateways[1:]],
        "targets": targets,
        "faults": [causes[number % len(causes)] for number in range(takeovers)],
    }


def gaps(answers: Sequence[tuple[float, bool]], least_seconds: float) -> list[tuple[float, float, int]]:
    """Stretches of lost probes: when the last answered one before was sent, for how long, and how many were lost.

    ``answers`` are the probes in the order in which they were sent, each with its time and whether it was answered.
    Where none was, all of them are one stretch.
    """
    found: list[tuple[float, float, int]] = []
    if answers and not any(answered for _sent, answered in answers):
        return [(answers[0][0], answers[-1][0] - answers[0][0], len(answers))]
    last: float | None = None
    lost = 0
    for sent, answered in answers:
        if not answered:
            lost += 1
            continue
        if last is not None and lost and sent - last >= least_seconds:
            found.append((last, sent - last, lost))
        last, lost = sent, 0
    if last is not None and lost and answers[-1][0] - last >= least_seconds:
        # nothing came back any more
        found.append((last, answers[-1][0] - last, lost))
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values does not exceed (nearest rank)."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def judge(
    faults: Sequence[Mapping[str, Any]],
    probes: Mapping[str, Sequence[Sequence[float]]],
    downloads: Sequence[Mapping[str, Any]],
    most_seconds: float,
) -> dict[str, Any]:
    """What a drill showed.

    ``faults`` have ``cause``, ``started_at``, ``ended_at`` and ``settled_at`` (seconds of the prober's clock);
    ``probes`` have for each target its gaps, as `gaps` gives them. A takeover takes as long as the longest gap of any
    target that began while the fault lasted; what begins after it and before the next fault is the cost of going back.
    """
    takeovers: list[dict[str, Any]] = []
    back_lost = 0
    back_longest = 0.0
    for number, fault in enumerate(faults):
        until = faults[number + 1]["started_at"] if number + 1 < len(faults) else math.inf
        during: dict[str, float] = {}
        for target, found in probes.items():
            for begin, lasted, lost in found:
                if fault["started_at"] - 1 <= begin < fault["ended_at"]:
                    during[target] = max(during.get(target, 0.0), lasted)
                elif fault["ended_at"] <= begin < until - 1:
                    back_lost += int(lost)
                    back_longest = max(back_longest, lasted)
        takeovers.append(
            {
                "cause": fault["cause"],
                "gateway": fault["gateway"],
                "started_at": fault["started_at"],
                "seconds": round(max(during.values(), default=0.0), 3),
                "by_target": {target: round(lasted, 3) for target, lasted in sorted(during.items())},
            }
        )
    seconds: list[float] = [one["seconds"] for one in takeovers]
    broken = [one["name"] for one in downloads if not one["survived"]]
    blind = [
        target
        for target, found in sorted(probes.items())
        if any(
            begin < one["started_at"] - 1 and begin + lasted >= one["ended_at"]
            for begin, lasted, _lost in found
            for one in faults
        )
    ]
    slow = [one for one in takeovers if one["seconds"] >= most_seconds]
    return {
        "takeovers": takeovers,
        "p50_seconds": round(percentile(seconds, 0.5), 3),
        "p99_seconds": round(percentile(seconds, 0.99), 3),
        "max_seconds": round(max(seconds, default=0.0), 3),
        "failback_lost_probes": back_lost,
        "failback_longest_seconds": round(back_longest, 3),
        "downloads": list(downloads),
        "passed": bool(takeovers) and not slow and not broken and not blind,
        "problems": [
            *(
                f"The takeover after {one['cause']} took {one['seconds']} s, and {most_seconds} are allowed."
                for one in slow
            ),
            *(f"The download {name} broke." for name in broken),
            *(f"{target} did not answer before a gateway failed, so nothing was measured." for target in blind),
        ],
    }
