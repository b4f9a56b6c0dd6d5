# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from bocage_core._common import atomic
from bocage_core._common.errors import BocageError


def test_writes_the_bytes_with_the_mode_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "key"
    atomic.write_file(target, b"one", 0o600)
    atomic.write_file(target, b"two", 0o640)
    assert target.read_bytes() == b"two"
    assert target.stat().st_mode & 0o7777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_failure_keeps_the_old_file_and_leaves_no_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "counter.json"
    atomic.write_file(target, b"old")

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        atomic.write_file(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["counter.json"]


def test_the_bytes_are_on_the_disk_before_they_have_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "counter.json"
    seen: list[bool] = []
    original = os.fsync

    def spy(descriptor: int) -> None:
        seen.append(target.exists())
        original(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    atomic.write_file(target, b"x")
    assert seen == [False, True], "first the file, then its directory"


def test_reading_is_bounded(tmp_path: Path) -> None:
    target = tmp_path / "large"
    target.write_bytes(b"x" * 11)
    assert atomic.read_bounded(target, 11) == b"x" * 11
    with pytest.raises(BocageError, match="larger than 10 bytes"):
        atomic.read_bounded(target, 10)
