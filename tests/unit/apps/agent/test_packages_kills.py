# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent that is killed wherever it is, as by a power cut: the next run finishes or undoes it, and tells of it."""

from __future__ import annotations

import functools
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import packages_report
from killed_agent import CALLS, kill, points
from package_fakes import Host, touching

CUT_OFF = "was cut off at 2026-11-21T12:00:00Z; the next upgrade does it again"
ACTIONS = {"install": "install", "upgrade": "install", "remove": "remove"}
# What setup.py made, by what was asked for: before that, and when it is done.
MADE = {"install": ("", "1.0 "), "upgrade": ("1.0 ", "1.0 2.0 "), "remove": ("1.0 ", "")}
STATES = {
    "install": ({"a": ("NEED-INSTALL", None)}, {"a": ("OK", "1.0")}),
    "upgrade": ({"a": ("NEED-UPGRADE", "1.0")}, {"a": ("OK", "2.0")}),
    "remove": ({"a": ("NEED-REMOVE", "1.0")}, {}),
}


def host_before(folder: Path, call: str) -> Host:
    """A host, and a repository that has what it will be asked for."""
    (folder / "made").mkdir()
    host = Host(folder)
    host.library.add("a", "1.0", touching(folder / "made" / "a"))
    if call != "install":
        host.install("a")
    if call == "upgrade":
        host.library.add("a", "2.0", touching(folder / "made" / "a"))
    return host


@functools.cache
def points_of(call: str) -> list[str]:
    """As the engine has them, so that a new step of it is killed, too."""
    with tempfile.TemporaryDirectory() as folder:
        return points(host_before(Path(folder), call), call)


def made(host: Host) -> str:
    path = host.folder / "made" / "a"
    return path.read_text() if path.exists() else ""


def state_of(host: Host) -> dict[str, Any]:
    """What the agent says of it, after a look at the database itself."""
    connection = sqlite3.connect(host.folder / "state" / "state.sqlite")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()
    return packages_report.state_of(host.folder / "state")


def uninstall_version(host: Host) -> str | None:
    known = host.look(lambda store: store.uninstall("a"))
    return None if known is None else known.version


def has_come_to_an_end(host: Host, call: str) -> None:
    """All that was asked for is there, once, and nothing is left over."""
    assert host.states() == STATES[call][1]
    assert made(host) == MADE[call][1]
    state = state_of(host)
    assert state["interrupted"] == []
    newest = {"install": "1.0", "upgrade": "2.0", "remove": "1.0"}[call]
    assert done(state, ACTIONS[call], newest) == ["finished"]
    assert uninstall_version(host) == (None if call == "remove" else newest)
    assert host.look(lambda store: store.floor("a")) == newest
    assert host.cached() == []
    assert list((host.folder / "state" / "work").iterdir()) == []


def done(state: dict[str, Any], action: str, version: str) -> list[str]:
    """The ends that a package came to."""
    return [
        one["step"]
        for one in state["history"]
        if (one["action"], one["version"]) == (action, version) and one["step"] in ("finished", "failed")
    ]


def is_asked_for(state: dict[str, Any], call: str) -> bool:
    """Whether the next upgrade does it, too."""
    if call == "install":
        return "a" in state["requests"]
    return call == "upgrade" or state["packages"].get("a", {"wanted": ""})["wanted"] == ""


@pytest.mark.parametrize("call", CALLS)
def test_the_points_are_those_of_the_steps(call: str) -> None:
    found = points_of(call)
    steps = [one for one in found if one != "transaction"]
    assert steps == ["begun", "unpacked", "started", "executed", "placed", "finished", "cleaned"]
    # what a step says of itself is written by then
    for step in ("begun", "unpacked", "started", "finished"):
        assert found[found.index(step) - 1] == "transaction"


@pytest.mark.parametrize(
    ("call", "number", "name"), [(call, *one) for call in CALLS for one in enumerate(points_of(call), 1)]
)
def test_killed_at_each_point(tmp_path: Path, call: str, number: int, name: str) -> None:
    host = host_before(tmp_path, call)
    passed = kill(host, call, number)
    assert passed == points_of(call)[:number]
    assert passed[-1] == name

    # as it lies there: whole, and told of
    interrupted = ["a"] if "begun" in passed and "finished" not in passed else []
    left = state_of(host)
    assert left["interrupted"] == interrupted
    asked = is_asked_for(left, call)
    assert asked or "begun" not in passed
    executed = "executed" in passed
    assert made(host) == MADE[call][executed]

    # the next run brings it to an end, before anything else and without doing it again
    host.update()
    state = state_of(host)
    told = [one for one in state["history"] if one["step"] in ("forgotten", "interrupted")]
    assert [one["package"] for one in told] == interrupted
    assert sum(f": {ACTIONS[call]} was cut off at 2026-11-21T12:00:00Z, " in line for line in host.lines) == len(
        interrupted
    )
    assert made(host) == MADE[call][executed]
    (version,) = (version for _state, version in STATES[call][0].values())
    if executed:
        has_come_to_an_end(host, call)
        assert all(one["note"] == "cut off after it had been executed; it is finished" for one in told)
    elif "started" in passed:
        assert host.states() == {"a": ("ERROR", version)}
        assert host.rows()["a"].reason == f"Its {ACTIONS[call]} {CUT_OFF}"
        assert [one["note"] for one in told] == ["cut off while it was executed"]
    else:
        assert host.states() == (STATES[call][0] if asked else {"install": {}, "remove": {"a": ("OK", "1.0")}}[call])
        # what never ran is not undone, and what is there goes as it said itself
        assert uninstall_version(host) == version
        assert all(one["note"] == "cut off before anything was executed" for one in told)

    # what is still to be done is done, once
    assert (host.upgrade() if asked else CALLS[call](host)) is True
    assert host.states() == STATES[call][1]
    assert made(host) == MADE[call][1]
    if "started" in passed and not executed:
        newest = "2.0" if call == "upgrade" else "1.0"
        assert done(state_of(host), ACTIONS[call], newest) == ["finished", "failed"]
    else:
        has_come_to_an_end(host, call)
    # and it goes, or comes again
    assert (host.install("a") if call == "remove" else host.remove("a")) is True
    assert made(host) == ("1.0 " if call == "remove" else "")


@pytest.mark.parametrize("call", ["install", "remove"])
def test_killed_again_while_it_is_repaired(tmp_path: Path, call: str) -> None:
    def cut_off(name: str) -> Host:
        (tmp_path / name).mkdir()
        host = host_before(tmp_path / name, call)
        kill(host, call, points_of(call).index("executed") + 1)
        return host

    found = points(cut_off("whole"), "upgrade")
    repair = found[: found.index("cleaned") + 1]
    assert repair == ["transaction", "executed", "placed", "transaction", "finished", "cleaned"]
    for number in range(1, len(repair) + 1):
        host = cut_off(str(number))
        assert kill(host, "upgrade", number) == repair[:number]
        host.update()
        has_come_to_an_end(host, call)


@pytest.mark.parametrize("call", CALLS)
def test_killed_while_setup_py_runs(tmp_path: Path, call: str) -> None:
    """It ends with its agent, and is run again by the next upgrade."""
    (tmp_path / "made").mkdir()
    host = Host(tmp_path)
    first, again = tmp_path / "made" / "first", tmp_path / "made" / "again"
    slow = (
        "    import os, time\n"
        f"    write({str(first)!r}, str(os.getpid()))\n"
        f"    if not isfile({str(again)!r}):\n"
        "        time.sleep(60)\n"
    )
    quick = "def {}():\n    pass\n"
    if call == "install":
        host.library.add("a", "1.0", f"def install():\n{slow}")
    else:
        setup = quick.format("install") + (f"def uninstall():\n{slow}" if call == "remove" else "")
        host.library.add("a", "1.0", setup)
        assert host.install("a") is True
    if call == "upgrade":
        host.library.add("a", "2.0", f"def install():\n{slow}")
    passed = kill(host, call, first)
    assert passed == points_of(call)[: points_of(call).index("started") + 1]
    child = Path(f"/proc/{first.read_text()}")
    deadline = time.monotonic() + 10
    while child.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not child.exists()
    again.touch()
    assert state_of(host)["interrupted"] == ["a"]
    host.update()
    (version,) = (version for _state, version in STATES[call][0].values())
    assert host.states() == {"a": ("ERROR", version)}
    assert host.rows()["a"].reason == f"Its {ACTIONS[call]} {CUT_OFF}"
    assert host.upgrade() is True
    assert host.states() == STATES[call][1]
    assert state_of(host)["interrupted"] == []
    if call != "remove":
        # what its helpers noted, of both times
        assert host.remove("a") is True
        assert not first.exists()
