# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that travels in one file between signers and the publisher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_publish
from bocage_core._packages import repository_layout as layout
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.change_archive import read_change, write_change
from signed_repository import NOW, SignedRepository, signers

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    return SignedRepository(tmp_path)


def travelled(change: repository_edit.Change, folder: Path) -> repository_edit.Change:
    """As whoever gets the file reads it."""
    folder.mkdir()
    write_change(change, folder / "a.change")
    return read_change(folder / "a.change", folder)


def test_a_change_travels_and_is_signed_by_two(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two developers must sign, each on a machine of their own, also where the list is spread over bins."""
    monkeypatch.setattr(layout, "_BINS", ((2, 0), (1000, 2)))
    developers = signers(2)
    signed.holders.lists["base"] = developers
    two = [replace(one, threshold=2) if one.name == "base" else one for one in signed.holders.delegations()]
    change = repository_edit.delegate(signed.store, two, signed.holders.signing, NOW)
    repository_publish.commit(signed.path, change, signed.holders.online, NOW)

    additions = [signed.package(f"base/p{number}_1.wapt") for number in range(5)]
    change = repository_edit.prepare(signed.store, additions, [], {"base": developers[:1]}, NOW)
    carried = travelled(change, signed.folder / "first")
    with pytest.raises(Refused, match="2 of its keys must sign it"):
        repository_publish.commit(signed.path, carried, signed.holders.online, NOW)
    second = repository_edit.sign_change(carried, "base", developers[1:])
    assert second == ["base", "base-0", "base-1", "base-2", "base-3"]
    carried = travelled(carried, signed.folder / "second")
    assert (set(carried.files), carried.root) == (set(change.files), None)
    repository_publish.commit(signed.path, carried, signed.holders.online, NOW)
    assert len(signed.client().update()) == 5


def test_a_new_root_travels_with_its_lists(signed: SignedRepository) -> None:
    change = repository_edit.Change(root=signed.holders.new_root(signed.root))
    repository_publish.commit(signed.path, travelled(change, signed.folder / "stick"), signed.holders.online, NOW)
    assert signed.client().update().root == 2


def test_a_file_that_was_changed_on_its_way(signed: SignedRepository) -> None:
    change = repository_edit.prepare(signed.store, [signed.package("base/a_1.wapt")], [], signed.holders.signing, NOW)
    carried = travelled(change, signed.folder / "stick")
    for path in carried.files.values():
        path.write_bytes(b"c0ntent")
    with pytest.raises(BadInput, match="is not the one that was signed; it changed since"):
        repository_publish.commit(signed.path, carried, signed.holders.online, NOW)


def test_files_that_hold_no_change(signed: SignedRepository) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file or directory"):
        read_change(signed.folder / "none", signed.folder)
    empty = travelled(repository_edit.Change(), signed.folder / "empty")
    with pytest.raises(BadInput, match="has no list base that could be signed"):
        repository_edit.sign_change(empty, "base", signers())
    broken = travelled(repository_edit.Change({"base": b"{"}), signed.folder / "broken")
    with pytest.raises(Refused, match="The metadata of base cannot be read as TUF writes it"):
        repository_publish.commit(signed.path, broken, signed.holders.online, NOW)


def test_a_description_with_a_fraction() -> None:
    with pytest.raises(BadInput, match="cannot be written as canonical JSON"):
        roles.target("masters/a", 1, "0" * 64, {"size": 1.5})
