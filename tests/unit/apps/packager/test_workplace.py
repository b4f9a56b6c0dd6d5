# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders for the time of a run, also of runs that were cut off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bocage_packager.workplace import workplace


def left(parent: Path, name: str, age: float) -> Path:
    """What a run of so many seconds ago left."""
    folder = parent / name
    folder.mkdir()
    (folder / "bytes").write_bytes(b"of a package")
    moment = folder.stat().st_mtime - age
    os.utime(folder, (moment, moment))
    return folder


def test_what_was_cut_off_goes_with_the_next_run(tmp_path: Path) -> None:
    old, young, other = (left(tmp_path, name, age) for name, age in ((".a-1", 120), (".a-2", 0), (".b-1", 120)))
    (tmp_path / ".a-file").write_text("no folder")
    (tmp_path / ".a-link").symlink_to(other)
    with workplace(tmp_path, ".a-") as here:
        assert here.parent == tmp_path and here.stat().st_mode & 0o777 == 0o700
        assert not old.exists()
        assert young.exists(), "its run may not have locked it yet"
        assert (other / "bytes").exists()
    assert not here.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a-2", ".a-file", ".a-link", ".b-1"]


def test_who_is_at_work_keeps_his(tmp_path: Path) -> None:
    with workplace(tmp_path, ".a-") as first:
        moment = first.stat().st_mtime - 120
        os.utime(first, (moment, moment))
        with workplace(tmp_path, ".a-"):
            assert first.exists()


def test_who_only_looks_clears_nothing(tmp_path: Path) -> None:
    old = left(tmp_path, ".a-1", 120)
    with workplace(tmp_path, ".a-", clear=False):
        pass
    assert old.exists()


def test_the_end_of_a_run_by_an_error_clears_its_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), workplace(tmp_path, ".a-"):
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []
