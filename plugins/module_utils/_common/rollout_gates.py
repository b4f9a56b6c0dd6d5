# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a ring is well: its hosts, by what they reported, beside those that are not changed yet."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from . import fields
from .errors import BadInput
from .refused import Refused

_GATES = frozenset(
    {"failed_percent", "soak_seconds", "sample_percent", "sample_hosts", "silence_seconds", "metrics", "audits"}
)
_METRIC = frozenset({"name"})
_METRIC_OPTIONAL = frozenset({"most_ratio", "least_ratio"})
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
# below this a comparison says more of chance than of the change
LEAST_CONTROLS = 3


@dataclass(frozen=True)
class Metric:
    """A figure of reports whose median in the ring may be so many times the median of hosts not yet changed."""

    name: str
    most_ratio: float | None
    least_ratio: float | None


@dataclass(frozen=True)
class Gates:
    """``sample``: how much of a ring has to have taken the change and reported before the next one opens."""

    failed_percent: float = 0.0
    soak_seconds: int = 3600
    sample_percent: int = 90
    sample_hosts: int = 1
    silence_seconds: int = 86400
    audits: bool = True
    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True)
class Observation:
    """What a host's last report says of the change. ``error`` is empty where it went well."""

    changed: bool = False
    """Whether it has taken the change, well or not."""
    error: str = ""
    audit_failed: bool = False
    silent: bool = False
    """Whether it has not reported for longer than a gate allows; of one that had not begun yet that says nothing."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    to_audit: bool = False
    """Whether there is anything on it to ask; a host that has nothing of the change is well with it."""
    audited_at: datetime | None = None
    """When it was last asked whether all that it has of the change is well."""
    begun: bool = False
    """Whether it said that it was about to take the change."""

    def proves(self, since: datetime | None) -> bool:
        """Whether it was asked since then; a change that nobody looked at yet shows no harm."""
        return since is None or not self.to_audit or (self.audited_at is not None and self.audited_at >= since)

    def problem(self, audits: bool) -> str:
        """Why it failed; one that was switched off before it began is no failure, and is waited for."""
        if not (self.changed or self.begun):
            return ""
        if self.error:
            return self.error
        if audits and self.audit_failed:
            return "its audit fails"
        if not self.silent:
            return ""
        return (
            "it does not report any more"
            if self.changed
            else "it began to take the change and does not report any more"
        )


@dataclass(frozen=True)
class Health:
    """``failed``: reason by host. ``waiting``: what is missing before the gate can be met; empty where it is met."""

    failed: Mapping[str, str]
    problems: tuple[str, ...]
    waiting: str
    changed: int
    hosts: int


def read_gates(value: object, what: str) -> Gates:
    """Gates from plain data; raises BadInput in one sentence."""
    about = f"gates of {what}"
    try:
        record = fields.record(value, about)
        fields.only(record, frozenset(), _GATES, about)
        metrics = record.get("metrics", [])
        if not isinstance(metrics, list) or len(metrics) > 20:
            raise BadInput(f"The {about} have metrics that are no list of at most 20.")
        default = Gates()
        full = {
            "soak_seconds": default.soak_seconds,
            "sample_percent": default.sample_percent,
            "sample_hosts": default.sample_hosts,
            "silence_seconds": default.silence_seconds,
            **record,
        }
        return Gates(
            failed_percent=_number(record.get("failed_percent", 0), f"failed_percent in {about}", 0, 100),
            soak_seconds=fields.integer(full, "soak_seconds", about, 0, 90 * 86400),
            sample_percent=fields.integer(full, "sample_percent", about, 1, 100),
            sample_hosts=fields.integer(full, "sample_hosts", about, 1, 1_000_000),
            silence_seconds=fields.integer(full, "silence_seconds", about, 60, 90 * 86400),
            audits=_choice(record.get("audits", True), f"audits in {about}"),
            metrics=tuple(_read_metric(one, about) for one in metrics),
        )
    except Refused as error:
        raise BadInput(str(error)) from error


def _read_metric(value: object, what: str) -> Metric:
    about = f"a metric in {what}"
    record = fields.record(value, about)
    fields.only(record, _METRIC, _METRIC_OPTIONAL, about)
    if not record.keys() & _METRIC_OPTIONAL:
        raise BadInput(f"A metric in the {what} has no limit; give most_ratio or least_ratio.")
    ratios = {name: _number(record[name], f"{name} in {about}", 0, 1e6) for name in record.keys() & _METRIC_OPTIONAL}
    name, most, least = fields.text(record, "name", about), ratios.get("most_ratio"), ratios.get("least_ratio")
    if most is not None and least is not None and least > most:
        raise BadInput(
            f"The metric {name} in the {what} has a least_ratio of {least:g} above its most_ratio of {most:g}, which"
            " nothing can meet; exchange them, or leave one out."
        )
    return Metric(name, most, least)


def _number(value: object, what: str, low: float, high: float) -> float:
    """A number; also as text, since signed documents hold no fractions."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise BadInput(f"The value of {what} is no number from {low:g} to {high:g}.")
    return float(value)


def _choice(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise BadInput(f"The value of {what} is neither true nor false.")
    return value


def judge(
    gates: Gates,
    ring: Sequence[str],
    controls: Iterable[str],
    seen: Mapping[str, Observation],
    since: datetime | None = None,
) -> Health:
    """How the hosts of a ring do. A host nobody has heard of has not changed; audits count from `since` on."""
    changed = [host for host in ring if host in seen and seen[host].changed]
    failed = {host: reason for host in ring if host in seen and (reason := seen[host].problem(gates.audits))}
    problems = []
    # of the whole ring and not of those that changed so far: one bad host in the first two would be half of them
    allowed = math.floor(len(ring) * gates.failed_percent / 100)
    if len(failed) > allowed:
        first = sorted(failed)[0]
        problems.append(
            f"{len(failed)} of {len(ring)} hosts failed, {allowed} may; the first is {first}: {failed[first]}"
        )
    untouched = [seen[host] for host in controls if host in seen and not seen[host].changed]
    compared = (_compare(metric, [seen[host] for host in changed], untouched) for metric in gates.metrics)
    problems += [problem for problem in compared if problem]
    needed = min(len(ring), max(gates.sample_hosts, math.ceil(len(ring) * gates.sample_percent / 100)))
    proven = [host for host in changed if not gates.audits or seen[host].proves(since)]
    waiting = ""
    if len(changed) < needed:
        waiting = f"{len(changed)} of {needed} hosts have taken the change{_asleep(ring, seen)}"
    elif len(proven) < needed:
        waiting = f"{len(proven)} of {needed} hosts have been audited since the ring was soaked"
    return Health(failed, tuple(problems), waiting, len(changed), len(ring))


def _asleep(ring: Iterable[str], seen: Mapping[str, Observation]) -> str:
    """Which hosts may keep a ring waiting for long."""
    silent = [host for host in ring if host in seen and seen[host].silent and not seen[host].changed]
    unknown = [host for host in ring if host not in seen]
    return listed("; no report for long of ", silent) + listed("; nothing is known of ", unknown)


def listed(before: str, names: Iterable[str], most: int = 5) -> str:
    """Names in order behind some words; of many the first; nothing without names."""
    ordered = sorted(names)
    if not ordered:
        return ""
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return f"{before}{', '.join(ordered[:most])}{more}"


def _compare(metric: Metric, changed: Sequence[Observation], untouched: Sequence[Observation]) -> str:
    mine, theirs = (
        [one.metrics[metric.name] for one in those if metric.name in one.metrics] for those in (changed, untouched)
    )
    if not mine or len(theirs) < LEAST_CONTROLS:
        return ""
    here, there = statistics.median(mine), statistics.median(theirs)
    if metric.most_ratio is not None and here > there * metric.most_ratio:
        return (
            f"{metric.name} is {here:g} where it was changed and {there:g} elsewhere, over {metric.most_ratio:g} times"
        )
    if metric.least_ratio is not None and here < there * metric.least_ratio:
        return f"{metric.name} is {here:g} where it was changed and {there:g} elsewhere, under {metric.least_ratio:g} times"
    return ""
