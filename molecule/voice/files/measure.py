# SPDX-License-Identifier: GPL-3.0-or-later
"""A call through a full uplink, with Bocage's classes and without them, on the lab of this scenario.

The uplink of the home is a slow queue on its router, with more buffer than a call bears. A flood from the home into
the office fills it; a stream of 50 packets of 200 bytes a second with DSCP EF goes beside it.

    python measure.py PODMAN SECONDS [all]

With ``all`` paths are broken, too: that of the class alone, its interface, and the way by the first gateway.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PREFIX = "bocage-voice-voice-"
SERVER, OFFICE = "198.18.102.20", "198.18.102.0/24"
UPLINK_KBIT = 4000
BUFFER_BYTES = 256_000
FLOOD_KBIT, FLOOD_BYTES = 6000, 1200
CALL_RATE, CALL_BYTES, EF = 50, 200, 46 << 2
CALL_PORT, FLOOD_PORT = 40000, 40001
GATEWAYS = {"gateway": "198.18.100.21", "gateway2": "198.18.100.22"}
# Outside, what is counted: packets of the tunnel of the class that carry EF, and those of the ordinary one.
SEEN = [
    f'ip daddr {address} {match} counter comment "{what} {gateway}"'
    for gateway, address in GATEWAYS.items()
    for what, match in (("class", "ip dscp ef udp dport 51826"), ("ordinary", "udp dport 51820"))
]
COUNTERS = "\n".join(
    [
        "table ip seen", "delete table ip seen", "table ip seen {", "chain forward {",
        "type filter hook forward priority 10; policy accept;", *SEEN, "}", "}\n",
    ]
)  # fmt: skip
CUT = "table ip cut { chain forward { type filter hook forward priority 0; udp dport 51826 drop; }; }\n"


class Lab:
    def __init__(self, podman: str) -> None:
        self._podman = podman
        self._stream = Path(__file__).with_name("stream.py").read_text()

    def run(self, host: str, *command: str, given: str = "") -> str:
        words = [self._podman, "exec", "-i", f"{PREFIX}{host}", *command]
        done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"measure.py: {' '.join(command)} failed on {host}: {done.stderr.strip()}")
        return done.stdout

    def begin(self, host: str, *words: object) -> subprocess.Popen[str]:
        command = [self._podman, "exec", "-i", f"{PREFIX}{host}", "/usr/bin/python3", "-", *map(str, words)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        process.stdin.write(self._stream)
        process.stdin.close()
        process.stdin = None
        return process

    def slow_uplink(self) -> None:
        self.run(
            "router", "tc", "qdisc", "replace", "dev", "internet0", "root", "tbf",
            "rate", f"{UPLINK_KBIT}kbit", "burst", "8kb", "limit", str(BUFFER_BYTES),
        )  # fmt: skip

    def free_uplink(self) -> None:
        self.run("router", "tc", "qdisc", "del", "dev", "internet0", "root")

    def classes(self, wanted: bool) -> None:
        """Takes the classes of the home away, or lets its unit bring them back."""
        if not wanted:
            self.run("home", "systemctl", "stop", "bocage-traffic.service")
            self.run("home", "nft", "delete", "table", "inet", "bocage_classes")
            self.run("home", "tc", "qdisc", "del", "dev", "home0", "root")
            return
        self.run("home", "systemctl", "start", "bocage-traffic.service")
        self.wait_for_classes(len(GATEWAYS))

    def wait_for_classes(self, gateways: int) -> None:
        """Until so many gateways are heard on interfaces of the class."""
        for _try in range(90):
            held = self.run("home", "sh", "-c", "nft list table inet bocage_class_marks 2>&1 || exit 0")
            if held.count(OFFICE) == gateways:
                return
            time.sleep(1)
        raise SystemExit(f"measure.py: not {gateways} gateways are heard in the class; look at bocage-traffic at home")

    def interfaces(self) -> list[dict[str, Any]]:
        """Those of the class at home that lead into the office."""
        watched = json.loads(self.run("home", "cat", "/etc/bocage/traffic/watch.json"))["interfaces"]
        return [one for one in watched if "-" in one["name"]]


def call(lab: Lab, seconds: float, flood: bool = False, midway: Callable[[], object] | None = None) -> dict[str, Any]:
    """One call of so many seconds, beside a flood or alone; something may happen while it goes on."""
    lab.run("router", "nft", "-f", "-", given=COUNTERS)
    listener = lab.begin("server", "listen", CALL_PORT, seconds + 8)
    flooding = None
    if flood:
        rate = FLOOD_KBIT * 1000 / 8 / FLOOD_BYTES
        flooding = lab.begin("home", "send", SERVER, FLOOD_PORT, seconds + 4, rate, FLOOD_BYTES, 0)
    time.sleep(3)
    sender = lab.begin("home", "send", SERVER, CALL_PORT, seconds, CALL_RATE, CALL_BYTES, EF)
    if midway is not None:
        time.sleep(seconds / 2)
        midway()
    sent = json.loads(sender.communicate()[0])["sent"]
    if flooding is not None:
        flooding.communicate()
    delays = sorted(json.loads(listener.communicate()[0])["delays_ms"])
    rules = json.loads(lab.run("router", "nft", "--json", "list", "table", "ip", "seen"))["nftables"]
    outside = {
        rule["rule"]["comment"]: one["counter"]["packets"]
        for rule in rules
        if "rule" in rule
        for one in rule["rule"]["expr"]
        if "counter" in one
    }
    return {
        "sent": sent,
        "lost": sent - len(delays),
        "p50_ms": round(statistics.median(delays), 2) if delays else None,
        "p99_ms": round(delays[int(len(delays) * 0.99)], 2) if delays else None,
        "max_ms": round(delays[-1], 2) if delays else None,
        "outside": outside,
    }


def measure(podman: str, seconds: float) -> dict[str, Any]:
    """The same call three times: alone, through a full uplink with classes, and without them."""
    lab = Lab(podman)
    lab.slow_uplink()
    try:
        lab.wait_for_classes(len(GATEWAYS))
        alone = call(lab, seconds)
        with_classes = call(lab, seconds, flood=True)
        lab.classes(wanted=False)
        try:
            without = call(lab, seconds, flood=True)
        finally:
            lab.classes(wanted=True)
    finally:
        lab.free_uplink()
    return {"alone": alone, "with": with_classes, "without": without}


def break_paths(podman: str) -> dict[str, Any]:
    """Calls while something of the class, or of its gateway, goes away."""
    lab = Lab(podman)
    found: dict[str, Any] = {}
    lab.wait_for_classes(len(GATEWAYS))
    before = call(lab, 4)["outside"]
    used = max(GATEWAYS, key=lambda gateway: int(before[f"class {gateway}"]))
    other = next(gateway for gateway in GATEWAYS if gateway != used)

    found["interface"] = call(
        lab, 8, midway=lambda: [lab.run("home", "ip", "link", "delete", "dev", one["name"]) for one in lab.interfaces()]
    )
    for one in lab.interfaces():
        lab.run("home", "systemctl", "restart", f"bocage-mesh@{one['name']}.service")
    lab.wait_for_classes(len(GATEWAYS))

    # without a word: the routing finds out by BFD
    found["takeover"] = call(lab, 8, midway=lambda: lab.run(used, "ip", "link", "set", "dev", "internet0", "down"))
    found["takeover"]["to"] = other
    lab.run(used, "ip", "link", "set", "dev", "internet0", "up")
    lab.wait_for_classes(len(GATEWAYS))

    lab.run("router", "nft", "-f", "-", given=CUT)
    try:
        lab.wait_for_classes(0)
        found["class_cut"] = call(lab, 5)
    finally:
        lab.run("router", "nft", "delete", "table", "ip", "cut")
    lab.wait_for_classes(len(GATEWAYS))
    return found


if __name__ == "__main__":
    result = measure(sys.argv[1], float(sys.argv[2]))
    if sys.argv[3:] == ["all"]:
        result["broken"] = break_paths(sys.argv[1])
    print(json.dumps(result))
