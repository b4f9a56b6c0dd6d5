# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies that nobody has to trust."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_publish
from bocage_core._packages import repository_layout as layout
from bocage_core._packages.repository_replica import newest, poisoned, replicate
from bocage_core._packages.repository_store import Store
from signed_repository import NOW, QUICK, SignedRepository, served

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    found = SignedRepository(tmp_path)
    found.publish("base/a_1.wapt", "host/paris/h.wapt")
    return found


def copy(signed: SignedRepository, source: str | None = None, **options: Any) -> dict[str, Any]:
    return replicate(
        source or str(signed.public), signed.folder / "replica", signed.root, limits=QUICK, at=NOW, **options
    )


def files(folder: Path) -> dict[str, bytes]:
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_a_copy_serves_hosts_and_agents_of_wapt(signed: SignedRepository) -> None:
    with served(signed.public) as url:
        copy(signed, url)
        signed.publish("base/b_1.wapt", removals=["base/a_1.wapt"])
        second = copy(signed, url)
        assert copy(signed, url)["bytes"] < second["bytes"]
    public = signed.folder / "replica/public"
    assert len(signed.client(str(public)).update()) == 2
    served_files = {name for name in files(public) if not name.startswith("metadata/")}
    assert {name for name in served_files if name.startswith("wapt")} == {
        "wapt/Packages", "wapt/b_1.wapt", "wapt-host/h.wapt",
    }  # fmt: skip
    assert (public / "wapt/Packages").read_bytes() == (signed.public / "wapt/Packages").read_bytes()
    assert (public / "wapt/b_1.wapt").stat().st_nlink == 2


def test_the_index_for_agents_of_wapt_comes_when_it_is_another_one(signed: SignedRepository) -> None:
    asked: list[str] = []

    def noted(handler: Any) -> bool:
        asked.append(handler.path)
        return False

    copied = signed.folder / "replica/public/wapt/Packages"
    with served(signed.public, {"wapt/Packages": noted}) as url:
        for _again in range(2):
            copy(signed, url)
            assert len(asked) == 1
        signed.publish("base/b_1.wapt")
        copy(signed, url)
        assert len(asked) == 2
        copied.unlink()
        copy(signed, url)
        assert len(asked) == 3
    assert copied.read_bytes() == (signed.public / "wapt/Packages").read_bytes()


def test_a_copy_of_the_metadata_is_enough_to_sign(signed: SignedRepository) -> None:
    copy(signed, packages=False)
    view = Store(signed.folder / "replica")
    assert not (view.public / "targets").exists()
    change = repository_edit.prepare(view, [signed.package("base/b_1.wapt")], [], signed.holders.signing, NOW)
    repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    assert len(signed.client().update()) == 3


@pytest.mark.parametrize("harmed", ["metadata/2.base.json", "metadata/timestamp.json", "targets"])
def test_a_source_that_lies_changes_nothing(signed: SignedRepository, harmed: str) -> None:
    copy(signed)
    before = files(signed.folder / "replica/public")
    signed.publish("base/b_1.wapt", "base/c_1.wapt")
    bad = shutil.copytree(signed.public, signed.folder / "bad")
    if harmed == "targets":
        for one in (bad / "targets/base").iterdir():
            one.write_bytes(b"c0ntent")
    else:
        path = bad / harmed.replace("2.base", "3.base")
        path.write_bytes(path.read_bytes().replace(b"version", b"Version"))
    with pytest.raises(Refused):
        copy(signed, str(bad))
    after = files(signed.folder / "replica/public")
    assert {name: after[name] for name in before} == before
    assert not any("b_1" in name or "c_1" in name for name in after)
    assert len(signed.client(str(signed.folder / "replica/public")).update()) == 2


def test_an_old_source_does_not_bring_a_copy_back(signed: SignedRepository) -> None:
    old = shutil.copytree(signed.public, signed.folder / "old")
    signed.publish("base/b_1.wapt")
    copy(signed)
    with pytest.raises(Refused, match="of another version than the one that is due"):
        copy(signed, str(old))


def test_a_reader_of_a_copy_never_sees_a_mix(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    copy(signed)
    signed.publish("base/b_1.wapt", removals=["base/a_1.wapt"])
    public = signed.folder / "replica/public"
    reader = signed.client(str(public))
    reader.update()
    seen: list[frozenset[str]] = []
    for name in ("link", "replace"):
        real = getattr(os, name)

        def watched(*arguments: Any, real: Callable[..., Any] = real) -> None:
            real(*arguments)
            if str(arguments[1]).startswith(str(public)):
                found = list(reader.update().targets())
                for one in found:
                    reader.download(one)
                seen.append(frozenset(one.path for one in found))

        monkeypatch.setattr(os, name, watched)
    copy(signed)
    states = list(dict.fromkeys(seen))
    assert states == [
        frozenset({"base/a_1.wapt", "host/paris/h.wapt"}), frozenset({"base/b_1.wapt", "host/paris/h.wapt"}),
    ]  # fmt: skip


def test_a_copy_has_every_root(signed: SignedRepository) -> None:
    first = signed.root
    root = first
    for _ in range(2):
        root = signed.holders.new_root(root)
        repository_publish.commit(signed.path, repository_edit.Change(root=root), signed.holders.online, NOW)
    signed.root = root
    copy(signed)
    sleeper = signed.client(str(signed.folder / "replica/public"), root=first)
    assert sleeper.update().root == 3


def test_a_poisoned_copy_is_found_and_mended(signed: SignedRepository) -> None:
    copy(signed)
    folder = signed.folder / "replica"
    sha256 = repository_publish.listing(folder)["base/a_1.wapt"]["sha256"]
    stored = layout.target_file("base/a_1.wapt", sha256)
    (folder / "public" / stored).write_bytes(b"c0ntent")
    assert poisoned(folder) == [stored]
    copy(signed)
    assert (folder / "public" / stored).read_bytes() == b"content"
    assert (folder / "public/wapt/a_1.wapt").read_bytes() == b"content"
    assert poisoned(folder) == []


def test_a_frozen_source(signed: SignedRepository) -> None:
    with pytest.raises(Refused, match="has expired: it is frozen"):
        replicate(str(signed.public), signed.folder / "r", signed.root, at=NOW + timedelta(days=2))
    with pytest.raises(BadInput, match="The pinned root of the repository cannot be used"):
        replicate(str(signed.public), signed.folder / "r", b"{}", at=NOW)


def test_a_copy_says_what_it_wrote_and_can_be_foreseen(signed: SignedRepository) -> None:
    replica = signed.folder / "replica"

    def foreseen() -> int:
        return newest(str(signed.public), replica, signed.root, limits=QUICK, at=NOW)

    assert foreseen() == 2 and not replica.exists()
    assert copy(signed)["written"] > 0
    assert copy(signed)["written"] == 0
    signed.publish("base/b_1.wapt")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in replica.rglob("*"))
    assert foreseen() == 3
    assert sorted((path.name, path.stat().st_mtime_ns) for path in replica.rglob("*")) == before
    done = copy(signed)
    assert done["timestamp"] == 3 and done["written"] > 0
