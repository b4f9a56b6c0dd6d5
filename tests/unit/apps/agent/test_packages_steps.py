# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that fail, and disks that are full at any write: told, and repaired by the next run."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import packages_cache, packages_steps
from bocage_agent.packages_steps import defines
from bocage_core._common.errors import BocageError
from package_fakes import Host, touching


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "made").mkdir()
    return Host(tmp_path)


def made(host: Host, name: str) -> Path:
    return host.folder / "made" / name


def test_what_was_cut_off_while_it_ran_is_told_and_undone_on_removal(host: Host) -> None:
    first, second = made(host, "first"), made(host, "second")
    setup = f"def install():\n    write({str(first)!r}, 'x')\n    kill()\n    write({str(second)!r}, 'x')\n"
    # the child itself is killed: there is no result
    setup += "def kill():\n    import os\n    os.kill(os.getpid(), 9)\n"
    host.library.add("a", "1.0", setup)
    assert host.install("a") is False
    assert "install ended with status -9 and no result" in host.rows()["a"].reason
    assert first.exists()
    assert host.remove("a") is True
    assert not first.exists()
    assert host.states() == {}


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/disk")


@pytest.mark.parametrize("what", ["download", "flush", "unpack", "mkdir", "place"])
def test_a_full_disk_at_each_write(host: Host, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    setup = touching(made(host, "a")) + "def session_setup():\n    pass\n"
    host.library.add("a", "1.0", setup)
    with monkeypatch.context() as broken:
        if what in ("download", "unpack"):
            broken.setattr(host.library, what, full)
        elif what == "flush":
            broken.setattr(packages_cache, "_flush", full)
        elif what == "mkdir":
            broken.setattr(packages_steps, "_fresh", full)
        else:
            broken.setattr(packages_steps.atomic, "write_file", full)
        assert host.install("a") is False
    row = host.rows()["a"]
    assert (row.state, row.version) == ("ERROR", None)
    assert "No space left on device" in row.reason
    assert host.upgrade() is True
    assert host.states() == {"a": ("OK", "1.0")}


def test_a_disk_that_is_nearly_full_is_seen_before(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")))
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(packages_cache.shutil, "disk_usage", lambda folder: usage)
    assert host.install("a") is False
    assert "is full: a 1.0 needs" in host.rows()["a"].reason
    assert not made(host, "a").exists()


def test_a_state_that_cannot_grow_is_a_sentence_and_repaired(host: Host) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")))
    host.update()
    before = host.states()

    def crowd(engine: Any) -> None:
        pages = engine._store._connection.execute("PRAGMA page_count").fetchone()[0]
        engine._store._connection.execute(f"PRAGMA max_page_count={pages}")
        engine.install(["a"] * 1, "root" * 20000)

    with pytest.raises(BocageError, match=r"The disk of .*state\.sqlite is full; make room, then run this again"):
        host.run(crowd)
    assert host.states() == before
    assert host.install("a") is True


def test_a_damaged_state_is_a_sentence(host: Host) -> None:
    host.update()
    (host.folder / "state" / "state.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(BocageError, match=r"is damaged .*move it away, and the next upgrade installs anew"):
        host.update()


def test_the_state_of_a_newer_agent_is_left_alone(host: Host) -> None:
    host.update()
    connection = sqlite3.connect(host.folder / "state" / "state.sqlite")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(BocageError, match="written by a newer agent"):
        host.update()


@pytest.mark.parametrize("name", ["..", "../../other", "a/b", "OU=Lab,DC=example"])
def test_attack_a_package_named_like_a_path(host: Host, name: str) -> None:
    (host.folder / "other").mkdir()
    (host.folder / "other" / "file").touch()
    host.library.names = lambda requests: [requests] if requests else []  # type: ignore[method-assign]
    host.library.add(name, "1", "def install():\n    pass\ndef session_setup():\n    pass\n")
    assert host.install(name) is True
    assert (host.folder / "other" / "file").exists()
    (folder,) = (host.folder / "state" / "sessions").iterdir()
    assert len(folder.name) == 64
    assert host.remove(name) is True
    assert list((host.folder / "state" / "sessions").iterdir()) == []


def test_nothing_goes_for_what_cannot_come(host: Host) -> None:
    host.library.add("old", "1", touching(made(host, "old")))
    host.install("old")
    host.library.add("new", "1", touching(made(host, "new")), conflicts="old")
    host.changes["require"] = ["new"]
    host.library.refuse["new"] = "Its signer was revoked."
    assert host.upgrade() is False
    assert made(host, "old").exists()
    host.library.refuse.clear()
    assert host.upgrade() is True
    assert host.states() == {"new": ("OK", "1")}


@pytest.mark.parametrize(
    ("setup", "found"),
    [
        ("def audit():\n    pass\n", True),
        ("def  audit ():\n    pass\n", True),
        ("async def audit(): pass\n", True),
        ("if True:\n    audit = lambda: 'ERROR'\n", True),
        ("from other import look as audit\n", True),
        ("from setuphelpers import *\ndef install():\n    print('def audit')  # def audit\n", False),
        ("def audit_other():\n    return audit()\n", False),
        # run, so that it says what is wrong with it
        ("def audit(:\n", True),
        ("\0", True),
    ],
)
def test_a_hook_is_found_however_it_is_written(setup: str, found: bool) -> None:
    assert defines(setup.encode(), "audit") is found
