# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes in files: one that comes back from holders, and one that waits for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import change_waiting, repository_edit, repository_publish
from bocage_core._packages.change_archive import write_change
from bocage_core._packages.estate_roots import EstateRoots
from signed_repository import NOW, SignedRepository


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    return SignedRepository(tmp_path)


def prepared(signed: SignedRepository, *, complete: bool = True) -> tuple[repository_edit.Change, Path]:
    keys = signed.holders.signing if complete else {}
    change = repository_edit.prepare(signed.store, [signed.package("base/a_1.wapt")], [], keys, NOW)
    path = signed.folder / "a.change"
    write_change(change, path)
    return change, path


def test_what_comes_back_is_taken_once(signed: SignedRepository) -> None:
    change, path = prepared(signed)
    found = change_waiting.take_signed(path, signed.folder / "1", EstateRoots({1: signed.root}), signed.store)
    assert found is not None
    assert (found.steps, found.change.lists) == (("publish base/a_1.wapt",), change.lists)
    repository_publish.commit(signed.path, found.change, signed.holders.online, NOW)
    assert change_waiting.take_signed(path, signed.folder / "2", EstateRoots({1: signed.root}), signed.store) is None
    signed.publish("base/b_1.wapt")
    with pytest.raises(BadInput, match="was overtaken: its list base is not the next one of what is served; make it"):
        change_waiting.take_signed(path, signed.folder / "3", EstateRoots({1: signed.root}), signed.store)


def test_what_is_not_complete(signed: SignedRepository) -> None:
    _change, path = prepared(signed, complete=False)
    with pytest.raises(BadInput, match="is not complete: it lacks 1 signature of base; pass it on to another holder"):
        change_waiting.take_signed(path, signed.folder / "1", EstateRoots({1: signed.root}), signed.store)


def test_a_root_that_is_not_the_pinned_one(signed: SignedRepository) -> None:
    change, path = prepared(signed)
    change.root = signed.holders.new_root(signed.root)
    write_change(change, path)
    with pytest.raises(BadInput, match="brings a root that is not the pinned one; bring the pinned root up to date"):
        change_waiting.take_signed(path, signed.folder / "1", EstateRoots({1: signed.root}), signed.store)


def test_what_waits(signed: SignedRepository) -> None:
    change, path = prepared(signed, complete=False)
    waits = change_waiting.waiting(path, signed.folder / "1", signed.root, signed.store)
    assert waits is not None
    assert waits.missing() == {"base": 1}
    assert change_waiting.waiting(signed.folder / "none", signed.folder / "2", signed.root, signed.store) is None
    repository_edit.sign_change(change, "base", signed.holders.lists["base"])
    repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    assert change_waiting.waiting(path, signed.folder / "3", signed.root, signed.store) is None, "overtaken"
    path.write_text("no change")
    with pytest.raises(Refused, match="The change is no change, or ends too early"):
        change_waiting.waiting(path, signed.folder / "4", signed.root, signed.store)
