# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings every 10 ms and held downloads from a host of the lab, and what was lost of them."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import driver

# What erp1 gives to whoever asks slowly enough: at this speed it takes longer than any test.
FILE, BYTES, BYTES_A_SECOND = "held.bin", 60_000_000, 50_000
# The number of an answer has 16 bits.
ROUND = 1 << 16


@dataclass
class Probes:
    """What was found when they ended."""

    sent: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    longest_gap_seconds: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    lost_at: dict[str, list[str]] = field(default_factory=dict)
    """When the last answer before each lost stretch came, to compare with what hosts logged then."""
    said: dict[str, list[str]] = field(default_factory=dict)
    """What ping said beside answers: who found a target unreachable, or why nothing could be sent."""


def _lost(lines: str) -> tuple[int, int, float, list[str]]:
    """Sent, lost, the longest time between two answers, and when, of ``ping -D``; what came after the last is not known."""
    numbers: list[int] = []
    moments: list[float] = []
    for moment, number in re.findall(r"^\[([0-9.]+)\] .*icmp_seq=([0-9]+) ", lines, re.MULTILINE):
        before = numbers[-1] if numbers else 0
        # nearest to the one before, across the turn of the count; an answer may be overtaken by the next
        shift = round((before - int(number)) / ROUND) * ROUND
        numbers.append(int(number) + shift)
        moments.append(float(moment))
    assert numbers, f"no answer at all: {lines[-500:]}"
    gap = max((after - before for before, after in itertools.pairwise(moments)), default=0.0)
    answered = sorted(zip(numbers, moments, strict=True))
    lost_at = [
        datetime.fromtimestamp(moment, UTC).isoformat()
        for (number, moment), (following, _later) in itertools.pairwise(answered)
        if following > number + 1
    ]
    return max(numbers), max(numbers) - len(set(numbers)), gap, lost_at


def _said(lines: str) -> list[str]:
    """The first lines that are neither answers nor the summary."""
    others = [line for line in lines.splitlines()[1:] if line.strip() and " bytes from " not in line]
    return [line for line in others if not re.match(r"--- |rtt |[0-9]+ packets ", line)][:20]


@contextmanager
def held(host: str, targets: Mapping[str, str]) -> Iterator[Probes]:
    """Probe the targets, by a name of each, from a host as long as the block runs."""
    driver.on("erp1", f"test -s /var/www/html/{FILE} || head -c {BYTES} /dev/zero > /var/www/html/{FILE}")
    found = Probes()
    for name, target in targets.items():
        place = f"[{target}]" if ":" in target else target
        ping = f"ping -n -D -i 0.01 {target} > /run/probe-{name}.txt 2>&1"
        get = f"curl --silent --show-error --limit-rate {BYTES_A_SECOND} --output /dev/null --write-out '%{{size_download}}\\n'"
        driver.on(host, f"systemd-run --quiet --collect --unit=probe-ping-{name} sh -c 'exec {ping}'")
        driver.on(
            host,
            f"systemd-run --quiet --collect --unit=probe-get-{name} sh -c "
            f"'{get} http://{place}/{FILE} > /run/probe-get-{name}.txt 2>&1; echo \"ended $?\" >> /run/probe-get-{name}.txt'",
        )
    time.sleep(2)
    try:
        yield found
        time.sleep(2)
        for name in targets:
            still = driver.on(host, f"systemctl is-active probe-get-{name}", check=False).strip()
            if still != "active":
                found.broken.append(f"{name}: {driver.on(host, f'cat /run/probe-get-{name}.txt').strip()}")
    finally:
        for name in targets:
            driver.on(host, f"systemctl stop probe-ping-{name} probe-get-{name}", check=False)
    for name in targets:
        answers = driver.on(host, f"cat /run/probe-{name}.txt; rm /run/probe-{name}.txt /run/probe-get-{name}.txt")
        sent, lost, gap, lost_at = _lost(answers)
        found.sent[name], found.lost[name], found.longest_gap_seconds[name], found.lost_at[name] = (
            sent,
            lost,
            gap,
            lost_at,
        )
        found.said[name] = _said(answers)
    print(f"probes from {host}: {found}")
