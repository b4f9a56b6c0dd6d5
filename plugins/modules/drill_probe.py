#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_probe
short_description: Probe a LAN a hundred times a second while something fails
version_added: 0.1.0
description:
  - Sends echo requests to each target at a steady interval, each with its time, and holds downloads open beside them,
    until O(stop_file) exists or O(most_seconds) are over. Run it with C(async).
  - Gives the stretches of lost probes, from the last answered one before to the first one after.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Probes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  targets:
    description: Addresses to probe.
    type: list
    elements: str
    required: true
  downloads:
    description: Pages that are read slowly for as long as the probes run, each C(http) with an address.
    type: list
    elements: str
    default: []
  interval_milliseconds:
    description: Time between two probes of a target.
    type: int
    default: 10
  most_seconds:
    description: When to stop at the latest.
    type: int
    default: 900
  stop_file:
    description:
      - Ends the probes by its existence, also before they began; it is removed at the end.
      - Remove before what an interrupted drill may have left.
    type: path
    default: /run/bocage-drill-stop
"""

EXAMPLES = r"""
- name: Probe while a gateway is taken away
  bocage.fleet.drill_probe:
    targets: [198.51.100.20]
    downloads: ["http://198.51.100.20/large"]
  async: 900
  poll: 0
"""

RETURN = r"""
gaps:
  description: By target, the stretches of lost probes as lists of when they began (seconds since 1970), seconds and lost probes.
  type: dict
  returned: success
sent:
  description: By target, how many probes were sent.
  type: dict
  returned: success
lost:
  description: By target, how many were not answered within two seconds.
  type: dict
  returned: success
downloads:
  description: For each download C(name), C(survived), C(bytes), C(longest_pause_seconds) and C(problem).
  type: list
  elements: dict
  returned: success
"""

import contextlib
import ipaddress
import os
import socket
import struct
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.icmp import answer, echo_socket, request
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.drill import gaps

LATE_SECONDS = 2.0
READ_BYTES = 16384
READ_PAUSE_SECONDS = 0.05


class Prober:
    """Probes of one target: a thread sends, and another one takes the answers."""

    def __init__(self, target: str, interval: float, stop: threading.Event) -> None:
        self.target, self._interval, self._stop = target, interval, stop
        self._version = ipaddress.ip_address(target).version
        self._socket = echo_socket(self._version)
        self._socket.settimeout(0.2)
        self._identifier = (os.getpid() ^ hash(target)) & 0xFFFF
        self.sent: list[float] = []
        self.answered: dict[int, float] = {}
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._send, self._take)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            number = len(self.sent)
            # the sequence has 16 bits, and an hour has more probes
            packet = request(self._version, self._identifier, number & 0xFFFF, struct.pack("!Q", number))
            self.sent.append(time.time())
            # not sent is lost, too
            with contextlib.suppress(OSError):
                self._socket.sendto(packet, (self.target, 0))
            due += self._interval
            time.sleep(max(0.0, due - time.monotonic()))

    def _take(self) -> None:
        ended = None
        while ended is None or time.monotonic() - ended < LATE_SECONDS:
            if self._stop.is_set() and ended is None:
                ended = time.monotonic()
            try:
                packet, sender = self._socket.recvfrom(2048)
            except OSError:
                continue
            found = answer(packet, self._version)
            if sender[0] != self.target or found is None or found[0] != self._identifier or len(found[2]) < 8:
                continue
            number = struct.unpack("!Q", found[2][:8])[0]
            if number < len(self.sent) and time.time() - self.sent[number] <= LATE_SECONDS:
                self.answered[number] = time.time()

    def answers(self) -> list[tuple[float, bool]]:
        return [(sent, number in self.answered) for number, sent in enumerate(self.sent)]


class Download:
    """A download that is read slowly, so that it lasts; it survives when nobody ends it."""

    def __init__(self, url: str, stop: threading.Event) -> None:
        self._parts, self.name, self._stop = urlsplit(url), url, stop
        self.bytes, self.longest, self.problem = 0, 0.0, ""
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _read(self) -> None:
        host, port = self._parts.hostname or "", self._parts.port or 80
        shown = f"[{host}]" if ":" in host else host
        try:
            with socket.create_connection((host, port), timeout=5) as opened:
                opened.settimeout(30)
                # a small window, so that a stall of the path is a stall here
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                path = self._parts.path or "/"
                opened.sendall(f"GET {path} HTTP/1.1\r\nHost: {shown}\r\nConnection: close\r\n\r\n".encode())
                last = time.monotonic()
                while not self._stop.is_set():
                    part = opened.recv(READ_BYTES)
                    now = time.monotonic()
                    self.longest = max(self.longest, now - last)
                    if not part:
                        self.problem = "the other end closed it"
                        return
                    if not self.bytes and not part.startswith(b"HTTP/1.1 200"):
                        self.problem = f"the answer was {part[:40].decode(errors='replace')!r}"
                        return
                    self.bytes += len(part)
                    last = time.monotonic()
                    time.sleep(READ_PAUSE_SECONDS)
        except OSError as error:
            self.problem = str(error)

    def result(self) -> dict:
        return {
            "name": self.name,
            "survived": not self.problem and self.bytes > 0,
            "bytes": self.bytes,
            "longest_pause_seconds": round(self.longest, 3),
            "problem": self.problem,
        }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "str", "required": True},
            "downloads": {"type": "list", "elements": "str", "default": []},
            "interval_milliseconds": {"type": "int", "default": 10},
            "most_seconds": {"type": "int", "default": 900},
            "stop_file": {"type": "path", "default": "/run/bocage-drill-stop"},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, gaps={}, sent={}, lost={}, downloads=[])
    interval = module.params["interval_milliseconds"] / 1000
    stop_file = Path(module.params["stop_file"])
    stop = threading.Event()
    try:
        probers = [Prober(target, interval, stop) for target in module.params["targets"]]
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"The targets cannot be probed: {error}; give addresses, and become root.")
    downloads = [Download(url, stop) for url in module.params["downloads"]]
    for one in [*probers, *downloads]:
        one.start()
    until = time.monotonic() + module.params["most_seconds"]
    while time.monotonic() < until and not stop_file.exists():
        time.sleep(0.05)
    stop.set()
    for one in [*probers, *downloads]:
        one.join()
    stop_file.unlink(missing_ok=True)
    found = {one.target: gaps(one.answers(), 2 * interval) for one in probers}
    module.exit_json(
        changed=False,
        gaps=found,
        sent={one.target: len(one.sent) for one in probers},
        lost={one.target: len(one.sent) - len(one.answered) for one in probers},
        downloads=[one.result() for one in downloads],
    )


if __name__ == "__main__":
    main()
