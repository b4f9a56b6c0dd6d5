# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a user without rights to the agent: a socket in the file system, which no network reaches.

The kernel says who asks (SO_PEERCRED), the rights decide, and the answer is the run's own lines. systemd listens and
starts one agent for each connection, with the connection as its standard input.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bocage_core._common import canonical, fields
from bocage_core._common.errors import BocageError

from . import packages_platform as platform
from .commands import sentence
from .packages_rights import Caller

DOOR = Path("/run/bocage/packages.sock")
_MAX_REQUEST = 65536
_MAX_LINE = 8192
_SECONDS = 4 * 3600
# For a whole question, and for each line of an answer: a caller who lets others wait does so only once.
_ASKING_SECONDS = 10
_HEARING_SECONDS = 10
_VERB = frozenset({"verb", "packages"})
_FAILURES = frozenset({"failures"})
# What `session-setup` tells the agent, as a user.
SESSION_RESULT = "session-result"

# Does a verb for a caller: its lines go to the last argument, its status comes back.
Serve = Callable[[Caller, str, list[str], Callable[[str], None]], int]
# Takes what a caller's session-setup could not do, as it came.
Note = Callable[[Caller, list[Any]], int]


def ask(
    verb: str,
    packages: Sequence[str],
    line: Callable[[str], None],
    door: Path = DOOR,
    failures: Sequence[dict[str, str]] | None = None,
) -> int:
    """Ask the agent of this host; the status of its run."""
    question: dict[str, Any] = {"verb": verb, "packages": list(packages)}
    if failures is not None:
        question["failures"] = list(failures)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_SECONDS)
        try:
            connection.connect(str(door))
        except OSError as error:
            rights = "" if verb == SESSION_RESULT else f"`{verb}` needs the rights of an administrator, and "
            raise BocageError(f"{rights}no agent listens at {door} for others: {error.strerror}.") from error
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as answer:
            while raw := answer.readline(_MAX_LINE):
                found = json.loads(raw)
                if "status" in found:
                    return int(found["status"])
                line(str(found.get("line", "")))
    raise BocageError("The agent ended before it had answered; see the journal of bocage-packages.")


def serve(connection: socket.socket, do: Serve, note: Note | None = None) -> int:
    """Answer one caller; what is done and what is refused is in the journal, too."""
    caller = caller_of(connection)
    answers = _Answers(connection)
    try:
        verb, packages, failures = _read(connection)
    except BocageError as error:
        answers.send({"line": str(error)})
        return answers.end(2)
    _log(f"{caller.name} asks for {' '.join([verb, *packages])}")

    def line(text: str) -> None:
        _log(text)
        answers.send({"line": text[:2000]})

    try:
        mine = note if verb == SESSION_RESULT else None
        status = do(caller, verb, packages, line) if mine is None else mine(caller, failures)
    except BocageError as error:
        line(str(error))
        status = 1
    return answers.end(status)


class _Answers:
    """Lines to a caller, as long as the caller hears them; what was begun is brought to its end all the same."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._hears = True

    def send(self, answer: dict[str, Any]) -> None:
        if not self._hears:
            return
        try:
            self._connection.settimeout(_HEARING_SECONDS)
            self._connection.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            self._hears = False

    def end(self, status: int) -> int:
        self.send({"status": status})
        return status


def _log(text: str) -> None:
    print(sentence(text)[:2000], file=sys.stderr, flush=True)


def caller_of(connection: socket.socket) -> Caller:
    """Whom the kernel says that asks."""
    _process, user, _group = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Caller(platform.user_name(user), platform.groups_of(user), user == 0)


def _read(connection: socket.socket) -> tuple[str, list[str], list[Any]]:
    raw = b""
    deadline = time.monotonic() + _ASKING_SECONDS
    while not raw.endswith(b"\n"):
        try:
            # never 0, which would not wait at all
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            piece = connection.recv(4096)
        except TimeoutError as error:
            raise BocageError("The question did not come in time.") from error
        raw += piece
        if not piece or len(raw) > _MAX_REQUEST:
            raise BocageError("The question is not one line of JSON.")
    document = fields.record(canonical.loads(raw, "the question"), "the question")
    fields.only(document, _VERB, _FAILURES, "the question")
    failures = document.get("failures", [])
    if not isinstance(failures, list):
        raise BocageError("The question has failures that are no list.")
    return fields.text(document, "verb", "the question"), fields.texts(document, "packages", "the question"), failures
