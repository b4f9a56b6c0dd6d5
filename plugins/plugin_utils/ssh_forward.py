# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way to an address that only a hub can reach: one SSH forward, for as long as it is needed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError

_POLL_SECONDS = 0.02
_END_SECONDS = 5


class TunnelFailed(BocageError):
    """The way to the registry could not be made."""


@dataclass(frozen=True)
class Tunnel:
    """The hub to go through; nothing is asked interactively and its host key is pinned."""

    host: str
    port: int = 22
    user: str | None = None
    key_file: Path | None = None
    known_hosts_file: Path | None = None
    extra_arguments: Sequence[str] = ()

    def command(self, listen: Path, address: str, port: int, timeout_seconds: float) -> list[str]:
        target = f"[{address}]" if ":" in address else address
        options = {
            "BatchMode": "yes",
            "ExitOnForwardFailure": "yes",
            "ConnectTimeout": str(max(1, int(timeout_seconds))),
            # A shared connection would outlive the inventory, and this one must not become one.
            "ControlMaster": "no",
            "ControlPath": "none",
            "StreamLocalBindMask": "0177",
            "StrictHostKeyChecking": "yes",
        }
        if self.known_hosts_file is not None:
            options["UserKnownHostsFile"] = str(self.known_hosts_file)
            options["GlobalKnownHostsFile"] = "/dev/null"
        command = ["ssh", "-N", "-T", "-L", f"{listen}:{target}:{port}", "-p", str(self.port)]
        for name, value in options.items():
            command += ["-o", f"{name}={value}"]
        if self.key_file is not None:
            command += ["-o", "IdentitiesOnly=yes", "-i", str(self.key_file)]
        if self.user is not None:
            command += ["-l", self.user]
        return [*command, *self.extra_arguments, "--", self.host]


@contextlib.contextmanager
def forward(tunnel: Tunnel, address: str, port: int, timeout_seconds: float) -> Iterator[Path]:
    """The socket of a forward to `address`; the child is ended with the block, however it ends."""
    # The system's own folder, because a socket's path may have 107 characters only.
    directory = Path(tempfile.mkdtemp(prefix="bocage-"))
    try:
        socket = directory / "registry"
        errors = directory / "errors"
        with errors.open("wb") as stream:
            try:
                child = subprocess.Popen(
                    tunnel.command(socket, address, port, timeout_seconds),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stream,
                    # Ctrl-C ends the run, which ends the child by its handle.
                    start_new_session=True,
                )
            except OSError as error:
                raise TunnelFailed(f"The SSH forward through {tunnel.host} did not start: {error}.") from error
        try:
            _wait_for(socket, child, errors, tunnel.host, timeout_seconds)
            yield socket
        finally:
            _end(child)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _wait_for(socket: Path, child: subprocess.Popen[bytes], errors: Path, hub: str, timeout_seconds: float) -> None:
    until = time.monotonic() + timeout_seconds
    while not socket.exists():
        if child.poll() is not None:
            said = errors.read_text(errors="replace").strip().splitlines()
            last = said[-1].rstrip(".") if said else "ssh said nothing"
            raise TunnelFailed(f"The SSH forward through {hub} ended: {last}.")
        if time.monotonic() > until:
            raise TunnelFailed(f"The SSH forward through {hub} did not stand after {timeout_seconds:g} seconds.")
        time.sleep(_POLL_SECONDS)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
