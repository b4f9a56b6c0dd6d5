# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent on a host of `package_fakes` that can be watched, and killed, at each step and within each transaction.

Run as a program, it is the agent of the host in a folder, and ends by SIGKILL at the point of that number, or as soon
as a file is there: killed_agent.py FOLDER CALL NUMBER|FILE
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parents[4]
sys.path[:0] = [str(ROOT / "build" / "src"), str(Path(__file__).parent)]

from bocage_agent.packages_store import Store  # noqa: E402
from package_fakes import Host  # noqa: E402 - found by the path above, as the one before

CALLS: dict[str, Callable[[Host], bool]] = {
    "install": lambda host: host.install("a"),
    "upgrade": lambda host: host.upgrade(),
    "remove": lambda host: host.remove("a"),
}
_LIBRARY = "library"
_POINTS = "points"


@contextmanager
def watched(host: Host, point: Callable[[str], None]) -> Iterator[None]:
    """`point` gets the name of each step once it is over, and `transaction` when one is about to be."""
    whole = Store.step

    @contextmanager
    def step(store: Store) -> Iterator[object]:
        with whole(store) as connection:
            yield connection
            point("transaction")

    host.after = point
    with patch.object(Store, "step", step):
        yield
    host.after = lambda name: None


def points(host: Host, call: str) -> list[str]:
    """What a call goes through when nothing happens to it."""
    seen: list[str] = []
    with watched(host, seen.append):
        if not CALLS[call](host):
            raise AssertionError(host.lines)
    return seen


def kill(host: Host, call: str, at: int | Path) -> list[str]:
    """Have the agent as a process of its own, and killed; what it went through until then."""
    (host.folder / _LIBRARY).write_bytes(pickle.dumps(host.library))
    seen = host.folder / _POINTS
    seen.unlink(missing_ok=True)
    command = [sys.executable, __file__, str(host.folder), call, str(at)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != -signal.SIGKILL:
        raise AssertionError(f"it ended with {done.returncode}: {done.stderr}")
    return seen.read_text().splitlines()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    folder, call, at = sys.argv[1:]
    host = Host(Path(folder))
    host.library = pickle.loads((host.folder / _LIBRARY).read_bytes())
    seen: list[str] = []

    def point(name: str) -> None:
        with (host.folder / _POINTS).open("a") as stream:
            stream.write(f"{name}\n")
        seen.append(name)
        if at == str(len(seen)):
            _die()

    def watch() -> None:
        while not Path(at).exists():
            time.sleep(0.005)
        _die()

    if not at.isdigit():
        threading.Thread(target=watch, daemon=True).start()
    with watched(host, point):
        CALLS[call](host)


if __name__ == "__main__":
    main()
