# SPDX-License-Identifier: GPL-3.0-or-later
"""One at a time, and the one that has to wait says for whom."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.locks import exclusive


def test_a_second_one_is_told_at_once_and_comes_after(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with exclusive(path, "busy"):
        with pytest.raises(BocageError, match="another is at work"), exclusive(path, "another is at work"):
            pass
        with pytest.raises(BadInput), exclusive(path, "busy", kind=BadInput):
            pass
    with exclusive(path, "busy"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_it_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    path, begun = tmp_path / "lock", threading.Event()

    def hold() -> None:
        with exclusive(path, "busy"):
            begun.set()
            time.sleep(0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait()
    with pytest.raises(BocageError, match="busy"), exclusive(path, "busy", wait_seconds=0.1):
        pass
    with exclusive(path, "busy", wait_seconds=10):
        holder.join()


def test_it_ends_with_what_fails_in_it_and_follows_no_link(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ValueError), exclusive(path, "busy"):
        raise ValueError
    with exclusive(path, "busy"):
        pass
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError), exclusive(tmp_path / "link", "busy"):
        pass
