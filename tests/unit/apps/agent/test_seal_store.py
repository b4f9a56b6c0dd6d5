# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of seals: what counts is above its counter, whatever was interrupted."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import chain
from bocage_agent.seal_store import SealStore
from bocage_core._common import atomic
from bocage_core._common.errors import BocageError


@pytest.fixture
def store(tmp_path: Path) -> SealStore:
    store = SealStore(tmp_path / "seals")
    with store.locked():
        store.prepare()
    return store


def test_an_unused_folder_is_empty(tmp_path: Path) -> None:
    store = SealStore(tmp_path / "none")
    assert (store.roles(), store.counters(), store.key(), store.read("mesh")) == ([], {}, None, None)
    assert not store.directory.exists(), "looking makes nothing"


def test_the_key_is_made_once(store: SealStore) -> None:
    key = store.key()
    assert key is not None
    assert (len(key), store.prepare()) == (32, key)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [store.directory, *store.directory.iterdir()]}
    assert modes == {"seals": 0o700, "key": 0o600, "counters.json": 0o600, "lock": 0o600}


def test_counters_only_go_up(store: SealStore) -> None:
    assert store.advance(["mesh"]) == {"mesh": 1}
    assert store.advance(["mesh", "names"]) == {"mesh": 2, "names": 2}
    store.write("mesh", b"{}")
    store.drop(["mesh", "names"])
    assert store.counters() == {"mesh": 3, "names": 2}, "a role without a seal has nothing to drop"
    assert store.roles() == []


def test_roles_are_those_with_a_file(store: SealStore) -> None:
    for name in ("mesh", "names"):
        store.write(name, b"{}")
    (store.directory / "Not a role.json").write_text("")
    assert store.roles() == ["mesh", "names"]


@pytest.mark.parametrize("role", ["../mesh", "counters", "", "Mesh", "a/b"])
def test_a_name_that_is_no_role_leads_nowhere(store: SealStore, role: str) -> None:
    for call in (lambda: store.read(role), lambda: store.write(role, b""), lambda: store.drop([role])):
        with pytest.raises(BocageError, match="There is no role of the name"):
            call()


def test_the_counter_goes_up_before_a_seal_is_dropped(store: SealStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.advance(["mesh"])
    store.write("mesh", b"{}")
    with monkeypatch.context() as crash:
        crash.setattr(Path, "unlink", lambda *_args, **_names: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.drop(["mesh"])
    assert (store.counters(), store.read("mesh")) == ({"mesh": 2}, b"{}")


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"mesh":-1}', b'{"mesh":"1"}', b"\xff", b"{}" * 65536])
def test_counters_that_were_lost_are_never_begun_again(store: SealStore, content: bytes | None) -> None:
    store.advance(["mesh"])
    path = store.directory / "counters.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(BocageError, match=r"counters\.json"):
        store.counters()
    before = int(time.time())
    assert store.advance(["mesh"])["mesh"] > before
    # a role that was known before the loss, too
    assert store.advance(["names"])["names"] > before


def test_a_key_that_was_lost_is_not_made_anew_by_looking(store: SealStore) -> None:
    (store.directory / "key").write_bytes(b"short")
    assert store.key() is None
    key = store.prepare()
    assert (store.key(), len(key)) == (key, 32)


def test_a_crash_between_counters_and_key_is_a_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SealStore(tmp_path / "seals")
    written = atomic.write_file

    def crash(path: Path, *rest: Any) -> None:
        if path.name == "key":
            raise KeyboardInterrupt
        written(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_file", crash)
        with store.locked(), pytest.raises(KeyboardInterrupt):
            store.prepare()
    assert store.counters() == {}
    with store.locked():
        store.prepare()
    assert store.advance(["mesh"]) == {"mesh": 1}


def test_one_at_a_time(store: SealStore) -> None:
    with (
        store.locked(),
        pytest.raises(BocageError, match="Another agent has held"),
        chain.locked(store.directory / "lock", 0.1),
    ):
        raise AssertionError("two hold the lock")


def test_counters_are_read_as_they_were_written(store: SealStore) -> None:
    store.advance(["mesh"])
    assert json.loads((store.directory / "counters.json").read_text()) == {"mesh": 1}
