# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill: which gateway fails in which way, and what the probes say of it. Pure.

A takeover's gap runs from the last probe that was answered before a stretch of lost ones to the first one after it,
so that it is never shorter than what a user saw. What nobody could have noticed is no success.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .._common.errors import BadInput
from .._common.estate import Estate
from .._common.exits import Exits
from .._common.findings import listed
from .takeover import plan_takeover

# Each way in which a gateway fails; those with a direction let the other one pass.
CAUSES = ("wireguard", "routing", "host", "lan", "wan", "lan_in", "lan_out", "wan_in", "wan_out")
# What the kernel has it forwards while the daemons come back; all other causes lose probes that go by the gateway.
MAY_GO_UNNOTICED = ("routing",)


def plan_drill(
    estate: Estate, site_name: str, causes: Sequence[str], takeovers: int, prober: str = ""
) -> dict[str, Any]:
    """Who probes what, and the faults in order: all causes in turn until there are enough takeovers.

    Faults hit the gateway that the prober uses. Without a name, the site is the one that has several gateways. Raises
    BadInput where nobody could notice a takeover.
    """
    exits = Exits(estate)
    site_name = site_name or _only_site(exits)
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


def _only_site(exits: Exits) -> str:
    """The site with several gateways that stand in for one another, if there is just one. Raises BadInput."""
    found = sorted(name for name, gateways in exits.gateways.items() if sum(not one.is_hub for one in gateways) > 1)
    if not found:
        raise BadInput(
            "No site has several enrolled gateways, so there is nothing to take over; a drill needs two at one site."
        )
    if len(found) > 1:
        raise BadInput(
            f"Sites {listed(found)} have several gateways each; name the one to drill: -e drill_site=<site>."
        )
    return found[0]


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

    ``faults`` have ``cause``, ``gateway``, ``started_at`` and ``ended_at`` (seconds of the gateway's clock); one that was
    not made has no time, but ``msg`` and perhaps ``unreachable``. ``probes`` have for each target its gaps, as `gaps`
    gives them. A takeover takes as long as the longest gap of any target that began while the fault lasted; what begins
    after it and before the next fault is the cost of going back. Percentiles are of those that somebody noticed.
    """
    made = [one for one in faults if "started_at" in one]
    takeovers: list[dict[str, Any]] = []
    back_lost = 0
    back_longest = 0.0
    for number, fault in enumerate(made):
        until = made[number + 1]["started_at"] if number + 1 < len(made) else math.inf
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
    noticed: list[float] = [one["seconds"] for one in takeovers if one["seconds"] > 0]
    blind = _blind(made, probes)
    problems = [
        *(_not_made(one) for one in faults if "started_at" not in one),
        *([] if made else ["Nothing was taken over."]),
        *([] if probes else ["Nobody was probed, so nothing was measured."]),
        *(f"{target} did not answer before a gateway failed, so nothing was measured." for target in blind),
        # whoever did not answer in the first place could not notice anything
        *(_not_noticed(takeovers) if probes and not blind else []),
        *(
            f"The takeover after {one['cause']} took {one['seconds']} s, and {most_seconds} are allowed."
            for one in takeovers
            if one["seconds"] >= most_seconds
        ),
        *(
            [f"Going back to the gateway took {round(back_longest, 3)} s, and {most_seconds} are allowed."]
            if back_longest >= most_seconds
            else []
        ),
        *(f"The download {one['name']} broke." for one in downloads if not one["survived"]),
    ]
    return {
        "takeovers": takeovers,
        "unnoticed": list(dict.fromkeys(one["cause"] for one in takeovers if one["seconds"] == 0)),
        "p50_seconds": round(percentile(noticed, 0.5), 3),
        "p99_seconds": round(percentile(noticed, 0.99), 3),
        "max_seconds": round(max(noticed, default=0.0), 3),
        "failback_lost_probes": back_lost,
        "failback_longest_seconds": round(back_longest, 3),
        "downloads": list(downloads),
        "passed": not problems,
        "problems": problems,
    }


def _blind(faults: Sequence[Mapping[str, Any]], probes: Mapping[str, Sequence[Sequence[float]]]) -> list[str]:
    """Targets that were silent before a fault and over the whole of it."""
    return [
        target
        for target, found in sorted(probes.items())
        if any(
            begin < one["started_at"] - 1 and begin + lasted >= one["ended_at"]
            for begin, lasted, _lost in found
            for one in faults
        )
    ]


def _not_made(fault: Mapping[str, Any]) -> str:
    cause, gateway = str(fault.get("cause") or fault.get("item") or "of no name"), fault["gateway"]
    reason = str(fault.get("msg") or "it gave no reason").strip().rstrip(".")
    if fault.get("unreachable"):
        return (
            f"Gateway {gateway} was out of Ansible's reach at the fault {cause}, so its time is not known: {reason}; name "
            "the interface by which Ansible comes in drill_spare_interfaces."
        )
    reason = reason.removeprefix(f"The fault {cause} could not be made or put back: ")
    return f"The fault {cause} of gateway {gateway} could not be made or put back: {reason}."


def _not_noticed(takeovers: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence where a cause that must cost probes never did: these did not go by the gateway that failed."""
    seen = {one["cause"] for one in takeovers if one["seconds"] > 0}
    silent = dict.fromkeys(one["cause"] for one in takeovers if one["cause"] not in {*seen, *MAY_GO_UNNOTICED})
    if not silent:
        return []
    gateways = listed(dict.fromkeys(one["gateway"] for one in takeovers))
    return [
        f"No probe was lost when gateway {gateways} failed by {', '.join(silent)}, so the probes did not go by it and "
        "nothing was measured."
    ]
