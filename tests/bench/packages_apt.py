# SPDX-License-Identifier: GPL-3.0-or-later
"""The update check of a host beside that of apt: one package is new, and both ask the same small server on loopback.

Each is a process of its own from its start to its end, so that imports count, and the memory of both is the largest
that the system saw. apt's repository has no signature and no differences (pdiffs), as most that estates make have none:
it checks hashes alone and reads its list whole. Less than 10 MB of memory cannot be seen, as that is what the process
takes that looks.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from figures import figure, missing
from runs import BenchError
from signed_repository import NOW, SignedRepository

ROUNDS = 3
STANZA = """Package: app{number}
Version: 1.0-{version}
Architecture: all
Maintainer: The Maintainers of the Estate <packages@example.org>
Installed-Size: 4711
Depends: libc6 (>= 2.36), app{other} (>= 1.0)
Section: misc
Priority: optional
Filename: ./app{number}_1.0-{version}_all.deb
Size: 123456
SHA256: {sha256}
Description: An application of the estate
"""
CLIENT = """
import sys
from datetime import datetime
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from bocage_core._packages.repository_client import Client
now = datetime.fromisoformat(sys.argv[5])
found = Client(Path(sys.argv[2]), Path(sys.argv[3]).read_bytes(), [sys.argv[4]], clock=lambda: now).update()
if len(found) != int(sys.argv[6]):
    sys.exit(f"{len(found)} targets are listed")
"""


STARTER = """
import os, sys
child = os.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
_pid, status, usage = os.wait4(child, 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Taken:
    seconds: float
    processor_seconds: float
    memory_bytes: int
    sent_bytes: int


class Server:
    """A folder on loopback that counts what it sends."""

    def __init__(self, folder: Path) -> None:
        self.sent = 0
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments, directory=str(folder))

            def copyfile(self, source: Any, outputfile: Any) -> None:
                raw = source.read()
                outer.sent += len(raw)
                outputfile.write(raw)

            def log_message(self, *words: Any) -> None:
                """Nothing on the terminal."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @contextmanager
    def running(self) -> Iterator[Server]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def measure(self, *command: object, environment: dict[str, str] | None = None) -> Taken:
        """A command to its end; its children count as well."""
        before, started = self.sent, time.perf_counter()
        # by way of a small process, since the memory of whoever starts a program counts as the program's
        words = [sys.executable, "-I", "-S", "-c", STARTER, *(str(one) for one in command)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        *said, last = (done.stdout + done.stderr).splitlines() if done.returncode else done.stdout.splitlines()
        if done.returncode:
            raise BenchError(f"{command[0]} failed: {' '.join([*said, last])[-400:]}")
        processor, kibibytes = last.split()
        return Taken(seconds, float(processor), int(kibibytes) * 1024, self.sent - before)


def beside_apt(folder: Path, signed: SignedRepository, targets: int) -> None:
    """Figures of one size; `signed` has that many targets already."""
    with Server(signed.public).running() as server:
        ours = list(_ours(folder, signed, server))
    theirs: list[Taken] = []
    if shutil.which("apt-get") is not None:
        served = folder / "apt-served"
        served.mkdir()
        with Server(served).running() as server:
            theirs = list(_apt(folder / "apt", served, server, targets))
    for name, unit in (
        ("seconds", "s"),
        ("processor_seconds", "s"),
        ("memory_bytes", "bytes"),
        ("sent_bytes", "bytes"),
    ):
        full = f"packages.update.{targets}.whole_process_{name}"
        mine = statistics.median(getattr(one, name) for one in ours)
        if theirs:
            figure(full, mine, unit, statistics.median(getattr(one, name) for one in theirs))
        else:
            figure(full, mine, unit, missing_baseline="apt is not installed here.")
    if not theirs:
        missing(f"packages.update.{targets}.ratio_to_apt_bytes", "ratio", "apt is not installed here.")
        return
    sent = [statistics.median(one.sent_bytes for one in taken) for taken in (ours, theirs)]
    figure(f"packages.update.{targets}.ratio_to_apt_bytes", sent[0] / sent[1], "ratio")


def _ours(folder: Path, signed: SignedRepository, server: Server) -> Iterator[Taken]:
    source = Path(__file__).resolve().parents[2] / "build/src"
    root = folder / "root.json"
    root.write_bytes(signed.root)
    command = [sys.executable, "-c", CLIENT, source, folder / "host", root, server.url]
    listed = len(signed.client(name="counting").update())
    server.measure(*command, NOW.isoformat(), listed)
    for number in range(ROUNDS):
        now = NOW + timedelta(hours=1, minutes=number)
        signed.publish(f"base/beside_1.0-{number}.wapt", now=now)
        yield server.measure(*command, now.isoformat(), listed + number + 1)


def _apt(folder: Path, served: Path, server: Server, targets: int) -> Iterator[Taken]:
    for name in ("lists/partial", "archives/partial", "etc/sources.list.d", "etc/preferences.d", "etc/trusted.gpg.d"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "etc/sources.list").write_text(f"deb [trusted=yes] {server.url} ./\n")
    settings = {
        "Dir::State": folder, "Dir::State::status": folder / "status", "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder, "Dir::Cache::archives": folder / "archives", "Dir::Etc": folder / "etc",
        "Dir::Etc::main": "none", "Dir::Etc::parts": folder / "none", "Dir::Log": folder,
        "APT::Sandbox::User": "root", "Acquire::http::Proxy": "DIRECT", "Acquire::Languages": "none",
    }  # fmt: skip
    (folder / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
    environment = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
    _write_list(served, targets)
    server.measure("apt-get", "update", environment=environment)
    for number in range(ROUNDS):
        # apt asks with the second of the last change
        time.sleep(1.1)
        _write_list(served, targets + number + 1)
        taken = server.measure("apt-get", "update", environment=environment)
        said = subprocess.run(
            ["apt-cache", "show", f"app{targets + number}"], env=environment, capture_output=True, check=False
        )
        if said.returncode:
            raise BenchError("apt did not read the list that was served.")
        yield taken


def _write_list(served: Path, count: int) -> None:
    stanzas = (
        STANZA.format(
            number=number, version=number % 50, other=number // 2, sha256=hashlib.sha256(b"%d" % number).hexdigest()
        )
        for number in range(count)
    )
    raw = "\n".join(stanzas).encode()
    packed = gzip.compress(raw, 9, mtime=0)
    (served / "Packages.gz").write_bytes(packed)
    (served / "Packages").write_bytes(raw)
    lines = [
        f" {hashlib.sha256(one).hexdigest()} {len(one)} {name}"
        for name, one in (("Packages", raw), ("Packages.gz", packed))
    ]
    date = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime())
    (served / "Release").write_text(f"Date: {date}\nSHA256:\n" + "\n".join(lines) + "\n")
