# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client keeps of lists: whole after a power cut, and judged again wherever it could be judged otherwise."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._packages import repository_edit, repository_lists, repository_publish
from bocage_core._packages.repository_cache import Cache, TargetRow, VerifiedList
from signed_repository import NOW, SignedRepository

ROOT = Path(__file__).parents[5]
# Writes each page to the file before the transaction is over, and is killed then.
KILLED = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT / "build" / "src")!r})
from pathlib import Path
from bocage_core._packages import repository_cache
def die(database):
    os.kill(os.getpid(), signal.SIGKILL)
connect = repository_cache.Cache._connect
def small(cache):
    database = connect(cache)
    database.execute("pragma cache_size = 1")
    return database
repository_cache.Cache._connect = small
repository_cache._refuse_too_many = die
cache = repository_cache.Cache(Path(sys.argv[1]))
rows = {{(f"base/{{n}}", "base", n, "1" * 64, None, "x" * 500) for n in range(2000)}}
one = repository_cache.VerifiedList("base", "targets", 2, "", "", True, rows, None, [], cache.rows("base"))
cache.replace([one], ["other"], {{}})
"""


def listed(name: str, *rows: TargetRow, before: set[TargetRow] | None = None) -> VerifiedList:
    return VerifiedList(name, "targets", 1, "", "2027-01-01T00:00:00Z", True, set(rows), None, [], before or set())


def told(call: Callable[[], object]) -> str:
    """What it said in the place of an answer."""
    try:
        call()
    except BocageError as error:
        return str(error)
    return ""


def row(path: str, name: str, length: int = 1) -> TargetRow:
    return (path, name, length, "0" * 64, None, None)


def test_an_update_that_is_cut_off_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "targets.sqlite"
    cache = Cache(path)
    before = [row(f"base/{number}", "base", 7) for number in range(2000)]
    cache.replace([listed("base", *before), listed("other", row("crl/a", "other"))], [], {"root": "1"})
    size = path.stat().st_size
    done = subprocess.run([sys.executable, "-c", KILLED, path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    # much of it was written, and what undoes that lies beside it
    assert path.stat().st_size > 2 * size
    assert (tmp_path / "targets.sqlite-journal").stat().st_size > 0
    assert cache.rows("base") == set(before)
    assert cache.rows("other") == {row("crl/a", "other")}
    assert cache.state() == {"root": "1"}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]


def test_the_journal_stays_and_is_emptied(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "targets.sqlite")
    for number in range(2):
        cache.replace([listed("base", row("base/a", "base", number), before=cache.rows("base"))], [], {})
        assert (tmp_path / "targets.sqlite-journal").stat().st_size == 0
        assert [one.length for one in cache.targets()] == [number]
    with cache.kept_open():
        assert cache._read("pragma journal_mode") == [("truncate",)]
        # each transaction is on the disk when it is over
        assert cache._read("pragma synchronous") == [(2,)]


def test_others_read_while_an_update_waits_for_a_replica(tmp_path: Path) -> None:
    cache, other = Cache(tmp_path / "targets.sqlite"), Cache(tmp_path / "targets.sqlite")
    cache.replace([listed("base", row("base/a", "base"))], [], {"root": "1"})
    with cache.kept_open():
        before = cache.rows("base")
        assert other.state() == {"root": "1"}
        cache.replace([listed("base", row("base/b", "base"), before=before)], [], {"root": "2"})
        assert other.state() == cache.state() == {"root": "2"}
    assert other.rows("base") == {row("base/b", "base")}


@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_damaged_list_of_packages_is_begun_anew(tmp_path: Path, page: int) -> None:
    signed = SignedRepository(tmp_path)
    signed.publish("base/a_1.wapt")
    client = signed.client()
    client.update()
    path = client.folder / "targets.sqlite"
    content = bytearray(path.read_bytes())
    content[page * 4096 + 100 * (page == 0) : (page + 1) * 4096] = b"\xff" * (4096 - 100 * (page == 0))
    path.write_bytes(content)
    # where the file cannot even be opened it is begun anew at once
    removed = f"The list of packages {path} was damaged and is removed; update again."
    assert told(client.update) == (removed if page else "")
    found = client.update()
    assert [one.path for one in found.targets()] == ["base/a_1.wapt"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_path_that_goes_to_another_list(tmp_path: Path, order: int) -> None:
    cache = Cache(tmp_path / "targets.sqlite")
    old, kept, new = row("a/a", "one"), row("a/b", "one"), row("a/a", "two", 2)
    cache.replace([listed("one", old, kept), listed("two")], [], {})
    lists = [listed("one", kept, before={old, kept}), listed("two", new)]
    cache.replace(lists[::order], [], {})
    assert cache.rows("one") == {kept}
    assert cache.rows("two") == {new}


def test_only_what_could_be_judged_otherwise_is_judged_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = SignedRepository(tmp_path)
    signed.publish("base/a_1.wapt", "base/b_1.wapt")
    client = signed.client()
    judged: list[str] = []
    wrong = repository_lists.wrong

    def judge(path: str, *rest: Any) -> str:
        judged.append(path)
        return wrong(path, *rest)

    monkeypatch.setattr(repository_lists, "wrong", judge)
    client.update()
    assert judged == ["base/a_1.wapt", "base/b_1.wapt"]

    judged.clear()
    signed.publish("base/c_1.wapt")
    client.update()
    assert judged == ["base/c_1.wapt"]

    # the same path with other bytes
    judged.clear()
    signed.add(signed.package("base/a_1.wapt", b"other content"))
    client.update()
    assert judged == ["base/a_1.wapt"]

    # the same list under other rights
    judged.clear()
    changed = [replace(one, may_execute=False) for one in signed.holders.delegations()]
    change = repository_edit.delegate(signed.store, changed, signed.holders.signing, NOW)
    repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    assert {one.may_execute for one in client.update().targets()} == {False}
    assert judged == ["base/a_1.wapt", "base/b_1.wapt", "base/c_1.wapt"]


def test_what_was_left_out_is_judged_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = SignedRepository(tmp_path)
    signed.publish("base/a_1.wapt")
    client = signed.client()
    wrong = repository_lists.wrong
    with monkeypatch.context() as stricter:
        stricter.setattr(repository_lists, "wrong", lambda path, *rest: "is refused by the test")
        assert len(client.update()) == 0
        signed.publish("base/b_1.wapt")
        assert len(client.update()) == 0
    assert repository_lists.wrong is wrong
    signed.publish("base/c_1.wapt")
    assert len(client.update()) == 3
