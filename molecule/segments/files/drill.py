# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the active gateway of a segment away, in each way that matters, and measures what a guest misses.

Runs on the controller of the lab: drill.py PODMAN PREFIX ROUNDS OUTPUT [CAUSE...]. A guest in a network namespace of the
hypervisor sends an echo request to the server of the LAN every 10 ms and holds a download from it. OUTPUT gets a verdict
by the rules and in the form of the failover drill; a line of it is printed.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from segment_lab import HYPERVISOR, SERVER, TARGET, Lab, steady, wait

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "plugins"))

from module_utils._gateway.drill import gaps, judge

PROBE, HELD = "/run/probe.log", "/run/held.log"
INTERVAL = 0.01
# Of a fault, and of the time after it, in which what going back costs is not taken for the next fault's.
FAULT_SECONDS, SETTLE_SECONDS = 3.0, 1.5
MOST_SECONDS = 1.0
# At this speed the file takes longer than any drill.
FILE_BYTES, BYTES_A_SECOND = 100_000_000, 50_000
# The number of an answer has 16 bits.
ROUND = 1 << 16


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
    """One echo request every 10 ms, each answer with its time, and a download that is held."""
    lab.run(SERVER, f"test -s /var/www/html/held.bin || truncate --size {FILE_BYTES} /var/www/html/held.bin")
    get = f"curl --silent --show-error --limit-rate {BYTES_A_SECOND} --output /dev/null http://{TARGET}/held.bin"
    for unit, output, command in (
        ("guest-probe", PROBE, f"ping -n -D -i {INTERVAL} {TARGET}"),
        ("guest-held", HELD, get),
    ):
        lab.run(
            HYPERVISOR,
            f"systemd-run --quiet --collect --unit={unit} --property=StandardOutput=truncate:{output} "
            f"ip netns exec guest1001 {command}",
        )
    try:
        yield
    finally:
        lab.run(HYPERVISOR, "systemctl stop guest-probe guest-held", check=False)


def answers(lines: str, until: float) -> list[tuple[float, bool]]:
    """The probes in order, each with a time and whether it was answered, of ``ping -D`` that ran at least ``until``.

    It prints answers alone: a probe that was lost has the time of the answer before it. Where nothing was sent for a
    while, as much was missed.
    """
    found: list[tuple[float, bool]] = []
    seen: dict[int, float] = {}
    last = 0
    for moment, text in re.findall(r"^\[([0-9.]+)\] [0-9]+ bytes from .*icmp_seq=([0-9]+) ", lines, re.MULTILINE):
        # nearest to the one before, across the turn of the count
        number = int(text) + round((last - int(text)) / ROUND) * ROUND
        # the first of duplicates
        seen.setdefault(number, float(moment))
        last = number
    before: tuple[int, float] | None = None
    for number, moment in sorted(seen.items()):
        if before is not None and (number > before[0] + 1 or moment - before[1] > 2 * INTERVAL):
            found += [(before[1], False)] * max(1, number - before[0] - 1)
        found.append((moment, True))
        before = number, moment
    if before is None:
        raise SystemExit(f"The guest got no answer at all: {lines[-500:]}")
    if until - before[1] > 2 * INTERVAL:
        found.append((until, False))
    return found


def main(podman: str, prefix: str, rounds: str, output: str, *causes: str) -> None:
    lab = Lab(podman, prefix)
    faults = []
    wait("a steady segment", lambda: steady(lab))
    with probing(lab):
        time.sleep(2)
        for number, cause in itertools.product(range(int(rounds)), causes or CAUSES):
            wait("a steady segment", lambda: steady(lab))
            (gateway,) = lab.active()
            fault = {"round": number, "cause": cause, "gateway": gateway, "started_at": time.time()}
            CAUSES[cause](lab, gateway)
            time.sleep(FAULT_SECONDS)
            fault["ended_at"] = time.time()
            restore(lab, gateway)
            wait("a steady segment", lambda: steady(lab))
            time.sleep(SETTLE_SECONDS)
            fault |= {"settled_at": time.time(), "active": lab.active()}
            faults.append(fault)
            print(f"{cause}: {gateway} -> {fault['active']}", file=sys.stderr, flush=True)
        held = lab.run(HYPERVISOR, "systemctl is-active guest-held", check=False).strip() == "active"
        until = time.time()
    sent = answers(lab.run(HYPERVISOR, f"cat {PROBE}"), until)
    problem = None if held else lab.run(HYPERVISOR, f"cat {HELD}").strip() or "it ended"
    downloads = [{"name": f"http://{TARGET}/held.bin", "survived": held, "problem": problem}]
    verdict = judge(faults, {TARGET: gaps(sent, 2 * INTERVAL)}, downloads, MOST_SECONDS)
    verdict |= {
        "faults": faults,
        "sent": {TARGET: len(sent)},
        "lost": {TARGET: sum(not answered for _moment, answered in sent)},
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(json.dumps(verdict, indent=1, sort_keys=True) + "\n")
    shown = ("p50_seconds", "p99_seconds", "max_seconds", "failback_lost_probes", "passed", "problems")
    print(json.dumps({"takeovers": len(verdict["takeovers"]), **{key: verdict[key] for key in shown}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
