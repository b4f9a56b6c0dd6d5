# SPDX-License-Identifier: GPL-3.0-or-later
"""A network with nothing in it, for the real tools: never the machine's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import pytest

Answer = tuple[int, str, str]


class NetworkNamespace:
    """Lives as long as a sleeping process; its /run is its own, too."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self._keeper = self._popen("unshare", "--net", "--mount", "sleep", "600")
        deadline = time.monotonic() + 10
        while not self._entered():
            assert time.monotonic() < deadline, "the namespace did not come"
            time.sleep(0.01)
        self.must("mount", "-t", "tmpfs", "tmpfs", "/run")

    def _popen(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def _entered(self) -> bool:
        return Path(f"/proc/{self._keeper.pid}/comm").read_text() == "sleep\n"

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", "--net", "--mount", f"--target={self._keeper.pid}", *command]

    @property
    def pid(self) -> int:
        """Of the process that the namespace belongs to."""
        return self._keeper.pid

    def start(self, *command: str) -> None:
        """Run something beside the test until it ends."""
        self._popen(*self._inside(*command))

    def run(self, command: list[str]) -> Answer:
        done = subprocess.run(self._inside(*command), capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def must(self, *command: str) -> str:
        status, output, error = self.run(list(command))
        assert status == 0, (command, error)
        return output

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: Any) -> None:
        self.close()


def need(*programs: str, device: str | None = None) -> None:
    """Skip, with the reason, where a test with the real tools is not possible."""
    for program in ("unshare", "nsenter", *programs):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if device is not None and not os.access(device, os.W_OK):
        pytest.skip(f"{device} cannot be opened")
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("namespaces cannot be made without privileges")
