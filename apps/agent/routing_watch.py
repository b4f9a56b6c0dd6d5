# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-agent routing-watch`: begins sessions again that stand at this end alone; run by its own unit."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, fields
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._gateway.half_sessions import PATIENCE_SECONDS, Half, judge
from bocage_core._gateway.sessions import established_of, paths_of

from .gateway_probe import FRR_DIRECTORY, Daemon

SETTINGS = Path("/etc/bocage/routing-watch.json")
MAX_SETTINGS_BYTES, MAX_NEIGHBORS = 1024 * 1024, 10_000
PAUSE_SECONDS = 2.0


class Watch:
    """What one host knows of its sessions. ``settings`` are those of the role routing's template routing-watch.json."""

    def __init__(self, settings: Any) -> None:
        try:
            record = fields.record(settings, "settings")
            fields.only(record, frozenset({"neighbors"}), frozenset(), "settings")
            self._watched: list[str] = fields.texts(record, "neighbors", "settings", most=MAX_NEIGHBORS)
        except Refused as error:
            raise BadInput(f"{error} Run playbooks/mesh.yml, which writes {SETTINGS}.") from error
        self._paths, self._routes = Daemon(FRR_DIRECTORY / "bfdd.vty"), Daemon(FRR_DIRECTORY / "bgpd.vty")
        self._known: dict[str, Half] = {}

    def look(self) -> None:
        """Once; FRR that is away, or that says what nobody understands, ends nothing and is asked again."""
        try:
            (answer,) = self._paths.ask(["show bfd peers brief json"])
            paths = paths_of(answer)
            if all(paths.get(address) is not False for address in self._watched):
                self._known = {}
                return
            (answer,) = self._routes.ask(["show bgp summary json"])
            begin, self._known = judge(self._watched, paths, established_of(answer), self._known, time.monotonic())
            for address in begin:
                print(
                    f"The session with {address} stands, and its path has been dead for {PATIENCE_SECONDS:.0f} seconds:"
                    " it begins again.",
                    file=sys.stderr,
                )
                self._routes.ask([f"clear bgp {address}"])
        except (OSError, ValueError):
            self._known = {}


def main() -> int:
    try:
        watch = Watch(json.loads(atomic.read_bounded(SETTINGS, MAX_SETTINGS_BYTES)))
        while True:
            watch.look()
            time.sleep(PAUSE_SECONDS)
    except (OSError, ValueError, BadInput) as error:
        print(f"bocage-agent: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
