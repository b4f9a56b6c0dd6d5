# SPDX-License-Identifier: GPL-3.0-or-later
"""A call through a full uplink, with Bocage's classes and without them, on the lab of this scenario.

The uplink of the home is a slow queue on its router, with more buffer than a call bears. A flood from the home into
the office fills it; a stream of 50 packets of 200 bytes a second with DSCP EF goes beside it.

    python measure.py PODMAN [SECONDS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PREFIX = "bocage-voice-voice-"
SERVER = "198.18.102.20"
UPLINK_KBIT = 4000
BUFFER_BYTES = 256_000
FLOOD_KBIT, FLOOD_BYTES = 6000, 1200
CALL_RATE, CALL_BYTES, EF = 50, 200, 46 << 2
CALL_PORT, FLOOD_PORT = 40000, 40001
# Outside, what is counted of a call: packets of the tunnel of its class that carry EF, and those of the ordinary one.
COUNTERS = """\
table ip seen
delete table ip seen
table ip seen {
  chain forward {
    type filter hook forward priority 10; policy accept;
    ip dscp ef udp dport 51826 counter comment "class"
    ip dscp ef udp dport 51820 counter comment "ordinary"
  }
}
"""


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
        self.wait_for_classes()

    def wait_for_classes(self) -> None:
        """Until the gateway was heard on the interface of the class."""
        for _try in range(60):
            held = self.run("home", "sh", "-c", "nft list set inet bocage_class_marks c100_v4 2>&1 || exit 0")
            if "198.18.102.0/24" in held:
                return
            time.sleep(1)
        raise SystemExit("measure.py: the gateway is not heard on the interface of the class; look at bocage-traffic")


def call(lab: Lab, seconds: float, flood: bool, tos: int = EF) -> dict[str, Any]:
    """One call of so many seconds, beside a flood or alone."""
    lab.run("router", "nft", "-f", "-", given=COUNTERS)
    listener = lab.begin("server", "listen", CALL_PORT, seconds + 8)
    flooding = None
    if flood:
        rate = FLOOD_KBIT * 1000 / 8 / FLOOD_BYTES
        flooding = lab.begin("home", "send", SERVER, FLOOD_PORT, seconds + 4, rate, FLOOD_BYTES, 0)
    time.sleep(3)
    sender = lab.begin("home", "send", SERVER, CALL_PORT, seconds, CALL_RATE, CALL_BYTES, tos)
    sent = json.loads(sender.communicate()[0])["sent"]
    if flooding is not None:
        flooding.communicate()
    came = json.loads(listener.communicate()[0])
    delays = sorted(came["delays_ms"])
    rules = json.loads(lab.run("router", "nft", "--json", "list", "table", "ip", "seen"))["nftables"]
    seen = {
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
        "outside": seen,
    }


def measure(podman: str, seconds: float) -> dict[str, Any]:
    """The same call three times: alone, through a full uplink with classes, and without them."""
    lab = Lab(podman)
    lab.slow_uplink()
    try:
        lab.wait_for_classes()
        alone = call(lab, seconds, flood=False)
        with_classes = call(lab, seconds, flood=True)
        lab.classes(wanted=False)
        try:
            without = call(lab, seconds, flood=True)
        finally:
            lab.classes(wanted=True)
    finally:
        lab.free_uplink()
    return {"alone": alone, "with": with_classes, "without": without}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 20.0)))
