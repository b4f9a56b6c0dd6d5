# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of playbooks and of their peers, as an operator waits for them, and the SSH sessions that they take."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COUNTED = Path(__file__).resolve().parent / "counted"
PYTHON = Path(sys.executable)

_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_LAST_LINES = 30
# Options of ssh that take a value in the next argument.
_WITH_VALUE = frozenset("BbcDEeFIiJLlmOopQRSWw")


class BenchError(Exception):
    """A run that cannot be measured; the message says why."""


@dataclass(frozen=True)
class Done:
    seconds: float
    output: str


def say(words: str) -> None:
    """What is being done goes to standard error; standard output is for figures."""
    print(words, file=sys.stderr, flush=True)


def run(*command: str | Path, **environment: str) -> Done:
    """One process, from its start to its end; raises BenchError with its last lines where it fails."""
    started = time.monotonic()
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, env={**os.environ, **environment}, check=False, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    seconds = time.monotonic() - started
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-_LAST_LINES:])
        raise BenchError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{last}")
    return Done(seconds, done.stdout)


def playbook(inventory: str | Path, path: str | Path, *arguments: str, **environment: str) -> Done:
    return run(PYTHON.with_name("ansible-playbook"), "-i", inventory, path, *arguments, **environment)


def changes(output: str) -> dict[str, int]:
    """What changed on each host, by the recap of a play; a host that failed makes the run worthless."""
    found = {}
    for name, changed, unreachable, failed in _RECAP.findall(output):
        if int(unreachable) or int(failed):
            raise BenchError(f"The host {name} failed:\n{output[-2000:]}")
        found[name] = int(changed)
    return found


def without_change(done: Done, hosts: Iterable[str], what: str) -> float:
    """The seconds of a run in which all hosts took part and nothing changed on them."""
    found = changes(done.output)
    missing = set(hosts) - found.keys()
    if missing or any(found.values()):
        changed = sorted(name for name, count in found.items() if count)
        raise BenchError(f"{what}: not what was to be measured; changed: {changed}, not in the run: {sorted(missing)}")
    return done.seconds


def interleaved(rounds: int, works: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Medians of rounds in which each work has its turn, so that a busy moment of the machine meets all of them."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            seconds = work()
            found[name].append(seconds)
            say(f"round {number + 1} of {rounds}: {name}: {seconds:.1f} s")
    return {name: statistics.median(taken) for name, taken in found.items()}


@contextmanager
def new_connections() -> Any:
    """A folder for the sockets of one run's connections, which end with it: each run opens its own."""
    # a socket's whole path has to fit in 108 characters
    with tempfile.TemporaryDirectory(prefix="bb-", dir="/tmp") as folder:
        try:
            yield {"ANSIBLE_SSH_CONTROL_PATH_DIR": folder}
        finally:
            for socket in Path(folder).iterdir():
                subprocess.run(
                    ["ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", "host"],
                    check=False, capture_output=True,
                )  # fmt: skip


@dataclass
class Sessions:
    """Calls of ssh, sftp and scp in one run."""

    hosts: Counter[str] = field(default_factory=Counter)
    """Sessions on each address, for tasks."""
    forwards: Counter[str] = field(default_factory=Counter)
    """Connections that carry no command: the inventory's way to the registry."""


@contextmanager
def counted_sessions() -> Any:
    """The environment in which calls are counted, and the counts, which are there when the context ends."""
    sessions = Sessions()
    with tempfile.TemporaryDirectory(prefix="bocage-bench-") as folder:
        yield {"PATH": f"{COUNTED}:{os.environ['PATH']}", "BOCAGE_BENCH_CALLS": folder}, sessions
        for path in sorted(Path(folder).iterdir()):
            note(path.read_bytes().decode().rstrip("\0").split("\0"), sessions)


def note(call: list[str], sessions: Sessions) -> None:
    """Count one call by its arguments; one that only speaks with a running connection (-O) is no session."""
    program, *arguments = call
    address, command, options = read_call(arguments)
    if "O" in options or "V" in options:
        return
    address = address.rpartition("@")[2]
    if program != "ssh":
        sessions.hosts[address.strip("[]").partition(":")[0]] += 1
    elif command and "N" not in options:
        sessions.hosts[address] += 1
    else:
        sessions.forwards[address] += 1


def read_call(arguments: list[str]) -> tuple[str, list[str], set[str]]:
    """Address, command and letters of the options of a call of ssh."""
    address, position = "", 0
    letters: set[str] = set()
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if word == "--":
            continue
        if word.startswith("-") and not address:
            letters.update(word[1:2] if word[1:2] in _WITH_VALUE else word[1:])
            if len(word) == 2 and word[1] in _WITH_VALUE:
                position += 1
        elif not address:
            address = word
        else:
            return address, arguments[position - 1 :], letters
    return address, [], letters
