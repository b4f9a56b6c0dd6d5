# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a user without rights to the agent: a socket in the file system, which no network reaches.

The kernel says who asks (SO_PEERCRED), the rights decide, and the answer is the run's own lines. systemd listens and
starts one agent for each connection, with the connection as its standard input.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bocage_core._common import canonical, fields
from bocage_core._common.errors import BocageError

from . import packages_platform as platform
from .packages_rights import Caller

DOOR = Path("/run/bocage/packages.sock")
_MAX_REQUEST = 65536
_MAX_LINE = 8192
_SECONDS = 4 * 3600
_VERB = frozenset({"verb", "packages"})
_NONE: frozenset[str] = frozenset()

# Does a verb for a caller: its lines go to the last argument, its status comes back.
Serve = Callable[[Caller, str, list[str], Callable[[str], None]], int]


def ask(verb: str, packages: Sequence[str], line: Callable[[str], None], door: Path = DOOR) -> int:
    """Ask the agent of this host; the status of its run."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_SECONDS)
        try:
            connection.connect(str(door))
        except OSError as error:
            raise BocageError(
                f"`{verb}` needs the rights of an administrator, and no agent listens at {door} for others:"
                f" {error.strerror}."
            ) from error
        connection.sendall(json.dumps({"verb": verb, "packages": list(packages)}).encode() + b"\n")
        with connection.makefile("rb") as answer:
            while raw := answer.readline(_MAX_LINE):
                found = json.loads(raw)
                if "status" in found:
                    return int(found["status"])
                line(str(found.get("line", "")))
    raise BocageError("The agent ended before it had answered; see the journal of bocage-packages.")


def serve(connection: socket.socket, do: Serve) -> int:
    """Answer one caller."""
    connection.settimeout(10)
    caller = caller_of(connection)
    try:
        verb, packages = _read(connection)
    except BocageError as error:
        _send(connection, {"line": str(error)})
        return _send(connection, {"status": 2})
    connection.settimeout(60)

    def line(text: str) -> None:
        _send(connection, {"line": text[:2000]})

    try:
        status = do(caller, verb, packages, line)
    except BocageError as error:
        line(str(error))
        status = 1
    return _send(connection, {"status": status})


def caller_of(connection: socket.socket) -> Caller:
    """Whom the kernel says that asks."""
    _process, user, _group = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Caller(platform.user_name(user), platform.groups_of(user), user == 0)


def _read(connection: socket.socket) -> tuple[str, list[str]]:
    raw = b""
    while not raw.endswith(b"\n"):
        try:
            piece = connection.recv(4096)
        except TimeoutError as error:
            raise BocageError("The question did not come in time.") from error
        raw += piece
        if not piece or len(raw) > _MAX_REQUEST:
            raise BocageError("The question is not one line of JSON.")
    document = fields.record(canonical.loads(raw, "the question"), "the question")
    fields.only(document, _VERB, _NONE, "the question")
    return fields.text(document, "verb", "the question"), fields.texts(document, "packages", "the question")


def _send(connection: socket.socket, answer: dict[str, Any]) -> int:
    try:
        connection.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        # who asked has gone; what was begun is brought to its end all the same
        return int(answer.get("status", 0))
    return int(answer.get("status", 0))
