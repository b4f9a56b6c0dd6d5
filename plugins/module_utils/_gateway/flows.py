# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much passes through a host: packets by the kernel's counters, flows by its table of flows.

Entries of that table outlive their flows by minutes or days, so a flow counts only while its entry is made younger.
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .._common.commands import Run
from .._common.errors import BocageError

PROC = Path("/proc/net")
# Entries by their addresses and ports, with the seconds that each has left; None for one that does not age.
Entries = Mapping[tuple[str, ...], "int | None"]


@dataclass(frozen=True, slots=True)
class Passing:
    """What passed while it was watched."""

    packets: int
    flows: int
    """At most so many; where no table of flows can be read, as many as packets."""


def forwarded_packets(proc: Path = PROC) -> int:
    """All packets that were forwarded since the network was made, of both families. Raises BocageError."""
    try:
        names, values = (line.split() for line in (proc / "snmp").read_text().splitlines() if line.startswith("Ip:"))
        count = int(dict(zip(names, values, strict=True))["ForwDatagrams"])
        # a kernel without IPv6 has no such file
        for line in (proc / "snmp6").read_text().splitlines() if (proc / "snmp6").exists() else ():
            if line.startswith("Ip6OutForwDatagrams"):
                count += int(line.split()[1])
    except (OSError, ValueError, KeyError) as error:
        raise BocageError(f"The kernel's counters of forwarded packets in {proc} cannot be read: {error}.") from error
    return count


def parse_entries(text: str, local: frozenset[str]) -> dict[tuple[str, ...], int | None]:
    """Entries of flows that pass through, of lines of /proc/net/nf_conntrack or of ``conntrack -L``.

    `local` are the host's own addresses: what begins or ends here does not pass through.
    """
    found: dict[tuple[str, ...], int | None] = {}
    for line in text.splitlines():
        fields = line.split()
        first = next((number for number, one in enumerate(fields) if one.startswith("src=")), None)
        if first is None:
            continue
        # the direction in which it began; the answers' follows with the next src=
        original = [fields[first]]
        for one in fields[first + 1 :]:
            if one.startswith("src=") or "=" not in one:
                break
            original.append(one)
        addresses = {one.partition("=")[2] for one in original if one.startswith(("src=", "dst="))}
        if addresses & local:
            continue
        # the protocol's name and number, then the time left; before them, in /proc, the family
        words = fields[:first]
        if words[:1] in (["ipv4"], ["ipv6"]):
            words = words[2:]
        left = int(words[2]) if len(words) > 2 and words[2].isdigit() else None
        found[(words[0], *original)] = left
    return found


def renewed(before: Entries, after: Entries, seconds: float) -> int:
    """How many entries a packet made younger in the meantime, or made at all."""
    count = 0
    for key, left in after.items():
        earlier = before.get(key, -1)
        # whole seconds: one that only grew older lost at least the whole ones of the time that passed
        if earlier is None or left is None or left > earlier - int(seconds):
            count += 1
    return count


def read_entries(run: Run, proc: Path = PROC) -> dict[tuple[str, ...], int | None] | None:
    """The table of flows, or None where it cannot be read."""
    status, output, _error = run(["ip", "-json", "address", "show"])
    if status != 0:
        return None
    local = frozenset(one["local"] for link in json.loads(output) for one in link.get("addr_info", []))
    try:
        return parse_entries(_expanded((proc / "nf_conntrack").read_text()), local)
    except OSError:
        found: dict[tuple[str, ...], int | None] = {}
        for family in ("ipv4", "ipv6"):
            status, output, _error = run(["conntrack", "-L", "-f", family])
            if status != 0:
                return None
            found |= parse_entries(output, local)
        return found


def _expanded(text: str) -> str:
    """The same with IPv6 addresses as everybody else writes them; the kernel's file has them in full."""

    def short(word: str) -> str:
        name, equals, value = word.partition("=")
        if name not in ("src", "dst") or ":" not in value:
            return word
        return f"{name}{equals}{ipaddress.ip_address(value)}"

    return "\n".join(" ".join(map(short, line.split())) for line in text.splitlines())


def watch(
    run: Run,
    seconds: float,
    proc: Path = PROC,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Passing:
    """What passes through this host in so many seconds. The table of flows is read only where packets passed."""
    packets = forwarded_packets(proc)
    sleep(seconds)
    passed = forwarded_packets(proc) - packets
    if passed <= 0:
        return Passing(0, 0)
    before, started = read_entries(run, proc), clock()
    sleep(seconds)
    after, elapsed = read_entries(run, proc), clock() - started
    passed = forwarded_packets(proc) - packets
    if before is None or after is None:
        return Passing(passed, passed)
    return Passing(passed, max(1, min(passed, renewed(before, after, elapsed))))
