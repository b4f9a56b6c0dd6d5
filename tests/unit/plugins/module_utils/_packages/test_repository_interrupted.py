# SPDX-License-Identifier: GPL-3.0-or-later
"""No interruption of a publish is ever seen, and the next call finishes it."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._packages import index_upkeep, repository, repository_publish, repository_refresh
from bocage_core._packages import repository_layout as layout
from bocage_core._packages.repository_client import Listing
from signed_repository import NOW, SignedRepository

LATER = NOW + timedelta(hours=1)


def paths(listing: Listing) -> set[str]:
    return {one.path for one in listing.targets()}


def indexed(signed: SignedRepository) -> dict[str, int]:
    """Of which versions of the lists the index for agents of WAPT is."""
    with zipfile.ZipFile(signed.public / layout.INDEX) as archive:
        table = json.loads(archive.read(index_upkeep.TABLE))
    return {name: version for name, version, *_rest in table["parts"]}


class Killed(BaseException):
    """The process ended here: nothing that comes later in it happens."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Ends the process before the given call that changes the disk; counts the calls."""
    count = [0]

    def ending(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            count[0] += 1
            if count[0] >= step:
                raise Killed
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("link", "replace", "rename", "unlink", "mkdir", "symlink", "rmdir"):
            patch.setattr(os, name, ending(getattr(os, name)))
        yield count


def test_a_publish_interrupted_anywhere_is_never_seen_and_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = SignedRepository(tmp_path)
    signed.publish("base/a_1.wapt", "base/old_1.wapt")
    pristine = tmp_path / "pristine"
    shutil.copytree(signed.path, pristine, copy_function=os.link)
    reader = signed.client()
    reader.update()
    shutil.copytree(reader.folder, tmp_path / "reader")
    old, new = {"base/a_1.wapt", "base/old_1.wapt"}, {"base/a_1.wapt", "base/b_1.wapt", "group/g_1.wapt"}

    def publish() -> None:
        signed.publish("base/b_1.wapt", "group/g_1.wapt", removals=["base/old_1.wapt"])

    seen = {"old": 0, "new": 0}
    for step in range(1, 200):
        for folder, origin in ((signed.path, pristine), (reader.folder, tmp_path / "reader")):
            shutil.rmtree(folder)
            shutil.copytree(origin, folder, copy_function=os.link if origin == pristine else shutil.copy2)
        interrupted = False
        with killed_at(step, monkeypatch):
            try:
                publish()
            except Killed:
                interrupted = True
        # a reader sees one state or the other, with every file of it
        found = paths(reader.update())
        assert found in (old, new), step
        for one in list(reader.listing().targets()):
            reader.download(one)
        seen["new" if found == new else "old"] += 1
        if not interrupted:
            break
        waits = (signed.path / "pending").exists()
        if step % 3 == 0:
            repository_refresh.refresh(signed.path, signed.holders.online, NOW)
        elif step % 3 == 1:
            signed.publish("base/c_1.wapt")
        elif waits or found == new:
            signed.publish("base/b_1.wapt")
        else:
            publish()
        expected = new if waits or found == new or step % 3 == 2 else old
        assert paths(reader.update()) - {"base/c_1.wapt"} == expected, step
        assert (signed.public / "wapt/old_1.wapt").exists() == (expected == old)
        assert indexed(signed) == {
            role: head for role, head in signed.store.heads().items() if role in ("base", "deployers")
        }
        assert not (signed.path / "pending").exists()
    else:
        pytest.fail("the publish never ended")
    assert seen["old"] > 10
    assert seen["new"] > 2


def test_the_first_publish_interrupted_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = SignedRepository(tmp_path)
    change = repository.new_change(signed.root, signed.holders.delegations(), signed.holders.signing, NOW)
    for step in range(1, 120, 3):
        folder = tmp_path / f"r{step}"
        done = False
        with killed_at(step, monkeypatch):
            try:
                repository_publish.init(folder, change, signed.holders.online, NOW)
                done = True
            except Killed:
                done = False
        if done:
            break
        if not (folder / "public/metadata/timestamp.json").exists() or (folder / "pending").exists():
            repository_publish.init(folder, change, signed.holders.online, NOW)
        assert paths(signed.client(str(folder / "public"), name=f"client{step}").update()) == set()
    else:
        pytest.fail("init never ended")
