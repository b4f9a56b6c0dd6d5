# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the traffic classes of a host true while it runs; needs nothing but Python, ip, nft, tc and wg.

A packet takes the interface of its class only towards a peer that answers there: the addresses of these peers are
leased to sets of nftables and run out by themselves. So where a class has no path, where the far end has none, or where
this program is gone, everything takes the ordinary interface.

Each peer is sent an ICMP echo by the interface of the class every few seconds. An answer says that what is sent there
arrives; that something comes from the peer does not, where one direction is cut. The answer may come by any interface.

    python3 class_watch.py watch.json
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

# How often a peer is asked, and after how much silence it is not there.
ASK_SECONDS, SILENCE_SECONDS = 3.5, 11.0
TICK_SECONDS = 2
LEASE_SECONDS = 20
RENEW_SECONDS = 6
HEAL_SECONDS = 15
# Before that of gateways for what they send from their own addresses (5183), which may belong to a class, too.
RULE_PRIORITY = 5180
# Of our routes, as others have bgp or dhcp: what a program puts there is nobody's drift.
ROUTE_PROTOCOL = "176"
MARK_RANGE = (0x0B0C0000, 0x0B0CFFFF)

# (exit status, standard output, standard error) of a command with this input
Run = Callable[[Sequence[str], str], tuple[int, str, str]]
Range = tuple[int, int]
_ECHO_REQUEST, _ECHO_REPLY, _IDENTIFIER = 128, 129, 0xB0CA
_ECHO = struct.Struct("!BBHHHQ")
_ICMPV6_FILTER = 1


def run_command(command: Sequence[str], given: str = "") -> tuple[int, str, str]:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout, done.stderr


def log(text: str) -> None:
    print(text, flush=True)


class Echo:
    """ICMPv6 echo (RFC 4443, section 4.1) by way of the interface that a mark leads to."""

    def __init__(self, source: str) -> None:
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        # answers alone, as RFC 3542, section 3.2, has it: a bit that is set blocks its type
        blocked = bytearray(b"\xff" * 32)
        word, bit = divmod(_ECHO_REPLY, 32)
        struct.pack_into("=I", blocked, 4 * word, 0xFFFFFFFF ^ 1 << bit)
        self._socket.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, bytes(blocked))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.setblocking(False)
        self._source = source

    def ask(self, address: str, mark: int, dscp: int, calls: bool) -> int:
        """Sends a request, and gives the number that its answer will have."""
        number = secrets.randbits(64)
        try:
            self._socket.bind((self._source, 0))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
            # the kernel writes the checksum
            self._socket.sendto(_ECHO.pack(_ECHO_REQUEST, 0, 0, _IDENTIFIER, 0, number), (address, 0))
        except OSError as error:
            # who calls by itself has no session before that
            if not calls:
                log(f"{address} cannot be asked: {error.strerror}.")
        return number

    def answers(self) -> list[int]:
        """The numbers of the answers that came since."""
        found: list[int] = []
        while True:
            try:
                data = self._socket.recv(2048)
            except BlockingIOError:
                return found
            if len(data) >= _ECHO.size:
                kind, _code, _checksum, identifier, _sequence, number = _ECHO.unpack_from(data)
                if (kind, identifier) == (_ECHO_REPLY, _IDENTIFIER):
                    found.append(number)


def live_ranges(networks: Iterable[tuple[int, int, bool]]) -> list[Range]:
    """Addresses of which the longest prefix that holds them is alive.

    ``networks`` are first address, last address and whether alive; two are disjoint or one holds the other.
    """
    found: list[Range] = []

    def give(first: int, last: int, alive: bool) -> None:
        if not alive or first > last:
            return
        if found and found[-1][1] + 1 == first:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))

    open_ones: list[tuple[int, bool]] = []
    position = 0
    for first, last, alive in sorted(networks, key=lambda one: (one[0], -one[1])):
        while open_ones and open_ones[-1][0] < first:
            end, state = open_ones.pop()
            give(position, end, state)
            position = max(position, end + 1)
        if open_ones:
            give(position, first - 1, open_ones[-1][1])
        position = first
        open_ones.append((last, alive))
    while open_ones:
        end, state = open_ones.pop()
        give(position, end, state)
        position = max(position, end + 1)
    return found


class Hearing:
    """Which peers answered lately."""

    def __init__(self, run: Run, now: Callable[[], float], echo: Any) -> None:
        self._run = run
        self._now = now
        self._echo = echo
        # by interface and peer: when it was asked, and when it answered
        self._asked: dict[tuple[str, str], float] = {}
        self._answered: dict[tuple[str, str], float] = {}
        # by the number of a request: whom it went to
        self._open: dict[int, tuple[float, tuple[str, str]]] = {}

    def ask(self, interfaces: Iterable[dict[str, Any]]) -> None:
        """Take the answers that came, and ask whoever is due."""
        now = self._now()
        for number in self._echo.answers():
            if number in self._open:
                self._answered[self._open.pop(number)[1]] = now
        self._open = {number: one for number, one in self._open.items() if now - one[0] <= SILENCE_SECONDS}
        for interface in interfaces:
            for peer in interface["peers"]:
                slot = (interface["name"], peer["public_key"])
                if now - self._asked.get(slot, float("-inf")) >= ASK_SECONDS:
                    number = self._echo.ask(peer["address"], interface["mark"], interface["dscp"], peer["calls"])
                    self._open[number] = (now, slot)
                    self._asked[slot] = now

    def listen(self, name: str) -> tuple[int, dict[int, list[Range]]]:
        """How many peers of an interface answer, and the addresses behind them by version of IP."""
        networks: dict[int, list[tuple[int, int, bool]]] = {4: [], 6: []}
        heard = 0
        # an interface that is not there yet has no peers
        _status, output, _error = self._run(["wg", "show", name, "allowed-ips"], "")
        for key, *prefixes in (line.split() for line in output.splitlines() if line.strip()):
            alive = self._now() - self._answered.get((name, key), float("-inf")) <= SILENCE_SECONDS
            heard += alive
            for prefix in prefixes:
                if prefix != "(none)":
                    network = ipaddress.ip_network(prefix)
                    ends = (int(network.network_address), int(network.broadcast_address))
                    networks[network.version].append((*ends, alive))
        return heard, {version: live_ranges(found) for version, found in networks.items()}


def lease_commands(table: str, sets: dict[str, tuple[int, list[Range]]]) -> str:
    """For ``nft -f``: each set with these addresses and no others, in one transaction."""
    address: dict[int, Callable[[int], object]] = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
    lines: list[str] = []
    for name, (version, ranges) in sets.items():
        lines.append(f"flush set inet {table} {name}")
        elements = [
            f"{address[version](first)}" + (f"-{address[version](last)}" if last > first else "")
            for first, last in ranges
        ]
        if elements:
            leased = ", ".join(f"{one} timeout {LEASE_SECONDS}s" for one in elements)
            lines.append(f"add element inet {table} {name} {{ {leased} }}")
    return "".join(f"{line}\n" for line in lines)


class Watcher:
    """One round after the other; each makes true what is not."""

    def __init__(
        self,
        settings: dict[str, Any],
        echo: Any,
        run: Run = run_command,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._run = run
        self._now = now
        self._hearing = Hearing(run, now, echo)
        self._leased: dict[str, tuple[int, list[Range]]] = {}
        self._leased_at = float("-inf")
        self._healed_at = float("-inf")
        self._told: dict[str, str] = {}

    def round(self) -> None:
        if self._now() - self._healed_at >= HEAL_SECONDS:
            self._heal_rules()
            self._heal_shaping()
            self._healed_at = self._now()
        # each round: without a route in its table a class falls back to the ordinary interface, which is no harm
        self._heal_routes()
        self._hearing.ask(self._settings["interfaces"])
        self._lease()

    def stop(self) -> None:
        """At once back to the ordinary interfaces."""
        self._run(["nft", "delete", "table", "inet", self._settings["marks_table"]], "")

    def load_marks(self) -> None:
        status, _output, error = self._run(["nft", "-f", self._settings["marks_file"]], "")
        self._leased = {}
        self._tell("marks", "" if status == 0 else f"The marks cannot be loaded: {error.strip()}")

    def _tell(self, subject: str, text: str) -> None:
        if text and self._told.get(subject) != text:
            log(text)
        self._told[subject] = text

    def _lease(self) -> None:
        sets: dict[str, tuple[int, list[Range]]] = {}
        for interface in self._settings["interfaces"]:
            heard, found = self._hearing.listen(interface["name"])
            self._tell(interface["name"], f"{interface['name']} carries its class to {heard} peers.")
            for version, name in interface["sets"].items():
                sets[name] = (int(version), found[int(version)])
        if sets == self._leased and self._now() - self._leased_at < RENEW_SECONDS:
            return
        commands = lease_commands(self._settings["marks_table"], sets)
        status, _output, _error = self._run(["nft", "-f", "-"], commands)
        if status != 0:
            # somebody flushed the whole ruleset
            self.load_marks()
            status, _output, error = self._run(["nft", "-f", "-"], commands)
            self._tell("lease", "" if status == 0 else f"The addresses of a class cannot be leased: {error.strip()}")
        self._leased, self._leased_at = (sets, self._now()) if status == 0 else ({}, float("-inf"))

    def _read(self, command: Sequence[str]) -> list[dict[str, Any]]:
        status, output, _error = self._run(command, "")
        found: list[dict[str, Any]] = json.loads(output or "[]") if status == 0 else []
        return found

    def _heal_rules(self) -> None:
        wanted = {int(one["mark"]) for one in self._settings["interfaces"]}
        for family in ("-4", "-6"):
            present: set[int] = set()
            for rule in self._read(["ip", "-json", family, "rule", "show"]):
                mark = int(str(rule.get("fwmark", "0")), 0)
                if mark in wanted:
                    present.add(mark)
                elif MARK_RANGE[0] <= mark <= MARK_RANGE[1]:
                    self._run(["ip", family, "rule", "del", "fwmark", str(mark), "lookup", str(rule["table"])], "")
            for mark in sorted(wanted - present):
                rule_words = ["fwmark", str(mark), "lookup", str(mark), "priority", str(RULE_PRIORITY)]
                self._run(["ip", family, "rule", "add", *rule_words], "")

    def _heal_routes(self) -> None:
        for family in ("-4", "-6"):
            routes = self._read(["ip", "-json", family, "route", "show", "default", "table", "all"])
            present = {(str(route.get("table")), route.get("dev")) for route in routes}
            for one in self._settings["interfaces"]:
                if (str(one["mark"]), one["name"]) not in present:
                    # fails while the interface is not there
                    way = ["default", "dev", one["name"], "table", str(one["mark"]), "protocol", ROUTE_PROTOCOL]
                    self._run(["ip", family, "route", "replace", *way], "")

    def _heal_shaping(self) -> None:
        device = self._settings["uplink_interface"]
        if not device:
            return
        roots = self._read(["tc", "-json", "qdisc", "show", "dev", device, "root"])
        handles = {str(one.get("handle", "")).rstrip(":") for one in roots}
        # a discipline that is nobody's has no number; an interface that was made anew has such a one
        if roots and handles <= {"0", ""}:
            status, _output, error = self._run(["tc", "-batch", self._settings["shaping_file"]], "")
            self._tell(
                "shaping", f"Shaping {device} anew." if status == 0 else f"Cannot shape {device}: {error.strip()}"
            )
        elif self._settings["handle"] in handles:
            self._tell("shaping", "")


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("class_watch.py: give the file with the settings, and nothing else", file=sys.stderr)
        return 2
    settings = json.loads(Path(arguments[0]).read_text())
    watcher = Watcher(settings, Echo(settings["source"]))
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    watcher.load_marks()
    try:
        while True:
            watcher.round()
            time.sleep(TICK_SECONDS)
    finally:
        watcher.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
