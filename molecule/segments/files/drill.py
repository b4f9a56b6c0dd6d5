# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the active gateway of a segment away, in each way that matters, and measures what a guest misses.

Runs on the controller of the lab: drill.py PODMAN PREFIX ROUNDS OUTPUT. A guest in a network namespace of the hypervisor
sends an echo request to the server of the LAN every 10 ms. Prints figures as JSON lines; all evidence is in OUTPUT.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segment_lab import HYPERVISOR, TARGET, Lab, steady, wait

PROBE = "/run/probe.log"
WINDOW = 6.0


def cut(*rules: str) -> Callable[[Lab, str], None]:
    """Drop packets without a word: ``lan1001 ingress`` and the like."""
    chains = [
        f"chain c{number} {{ type filter hook {rule.split()[1]} device {rule.split()[0]} priority -500; drop; }}\n"
        for number, rule in enumerate(rules)
    ]

    def take(lab: Lab, host: str) -> None:
        lab.run(host, f"nft 'table netdev cut {{\n{''.join(chains)}}}'")

    return take


def kill(lab: Lab, host: str) -> None:
    lab.run(host, "systemctl kill --signal=KILL bocage-segments-elector")


def stop(lab: Lab, host: str) -> None:
    lab.run(host, "systemctl stop bocage-segments-elector")


def drain(lab: Lab, host: str) -> None:
    lab.run(host, "mkdir -p /etc/bocage/gateway; touch /etc/bocage/gateway/drain")


def links_down(lab: Lab, host: str) -> None:
    lab.run(host, "ip link set internet0 down; ip link set lan1001 down")


def restore(lab: Lab, host: str) -> None:
    lab.run(
        host,
        "if nft list tables netdev | grep -q cut; then nft delete table netdev cut; fi; rm -f /etc/bocage/gateway/drain;"
        "ip link set internet0 up; ip link set lan1001 up; systemctl start bocage-segments-elector",
    )


CAUSES: dict[str, Callable[[Lab, str], None]] = {
    "power": cut("lan1001 ingress", "lan1001 egress", "internet0 ingress", "internet0 egress"),
    "links": links_down,
    "lan": cut("lan1001 ingress", "lan1001 egress"),
    "wan": cut("internet0 ingress", "internet0 egress"),
    "lan_in": cut("lan1001 ingress"),
    "lan_out": cut("lan1001 egress"),
    "killed": kill,
    "stopped": stop,
    "drained": drain,
}


@contextmanager
def probing(lab: Lab) -> Iterator[None]:
    """One echo request every 10 ms, each answer with its time."""
    lab.run(
        HYPERVISOR,
        f"systemd-run --quiet --unit=guest-probe --property=StandardOutput=truncate:{PROBE} "
        f"ip netns exec guest1001 ping -n -D -i 0.01 {TARGET}",
    )
    try:
        yield
    finally:
        lab.run(HYPERVISOR, "systemctl stop guest-probe", check=False)


def answers(lab: Lab) -> list[float]:
    text = lab.run(HYPERVISOR, f"cat {PROBE}")
    return [
        float(time) for time in re.findall(r"^\[([0-9.]+)\] [0-9]+ bytes from .*(?<!\(DUP!\))$", text, re.MULTILINE)
    ]


def gap(times: Sequence[float], begin: float, end: float) -> float:
    """The longest time without an answer."""
    inside = [begin, *(one for one in times if begin <= one <= end), end]
    return max(later - earlier for earlier, later in itertools.pairwise(inside))


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def main(podman: str, prefix: str, rounds: str, output: str, *causes: str) -> None:
    lab = Lab(podman, prefix)
    events = []
    wait("a steady segment", lambda: steady(lab))
    with probing(lab):
        time.sleep(1)
        for number in range(int(rounds)):
            for cause in causes or CAUSES:
                wait("a steady segment", lambda: steady(lab))
                (gateway,) = lab.active()
                begin = time.time()
                CAUSES[cause](lab, gateway)
                time.sleep(WINDOW / 2)
                back = time.time()
                restore(lab, gateway)
                wait("a steady segment", lambda: steady(lab))
                time.sleep(0.5)
                events.append(
                    {
                        "round": number,
                        "cause": cause,
                        "gateway": gateway,
                        "begin": begin,
                        "back": back,
                        "end": time.time(),
                        "active": lab.active(),
                    }
                )
                print(f"{cause}: {gateway} -> {events[-1]['active']}", file=sys.stderr, flush=True)
    times = answers(lab)
    for event in events:
        event["gap_seconds"] = round(gap(times, event["begin"], event["back"]), 3)
        event["back_gap_seconds"] = round(gap(times, event["back"], event["end"]), 3)
    gaps = [event["gap_seconds"] for event in events]
    Path(output).write_text(json.dumps(events, indent=1) + "\n")
    for name, value in (
        ("mesh.segment_takeover.p50_seconds", percentile(gaps, 0.5)),
        ("mesh.segment_takeover.p99_seconds", percentile(gaps, 0.99)),
        ("mesh.segment_takeover.max_seconds", max(gaps)),
        ("mesh.segment_failback.max_seconds", max(event["back_gap_seconds"] for event in events)),
        ("mesh.segment_takeover.count", len(gaps)),
    ):
        print(json.dumps({"name": name, "value": value}))


if __name__ == "__main__":
    main(*sys.argv[1:])
