# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between a program's folder and the list that was made when its bytes were verified."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from bocage_core._common import program_list
from bocage_core._common.errors import BocageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "0.1.0-abc"
    for name, text in (("bin/program", "run"), ("lib/one.py", "1"), ("lib/__pycache__/one.cpython-311.pyc", "c1")):
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for place in (path, *path.rglob("*")):
        place.chmod(0o755 if place.is_dir() or place.parent.name == "bin" else 0o644)
    program_list.write(tmp_path / "list.json", path)
    return path


def look(folder: Path) -> program_list.Look:
    listed = program_list.read(folder.parent / "list.json")
    assert listed is not None
    return program_list.compare(folder, listed)


def test_an_untouched_folder_is_known_by_its_inodes(folder: Path) -> None:
    first = look(folder)
    assert first.findings == ()
    assert program_list.inodes(folder) == first.inodes == look(folder).inodes


def same_size_and_times(path: Path) -> None:
    before = path.stat()
    path.write_text("2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: (one / "lib/one.py").write_text("22"), "lib/one.py was altered on the host."),
        (lambda one: same_size_and_times(one / "lib/one.py"), "lib/one.py was altered on the host."),
        (lambda one: (one / "lib/__pycache__/one.cpython-311.pyc").write_text("e"), "311.pyc was altered on the host."),
        (lambda one: (one / "lib/one.py").unlink(), "lib/one.py was removed on the host."),
        (lambda one: (one / "lib/two.py").touch(0o644), "lib/two.py was added on the host."),
        (lambda one: (one / "lib/one.py").chmod(0o666), "lib/one.py is writable by others (mode 0666)."),
        (lambda one: (one / "lib").chmod(0o775), "lib is writable by others (mode 0775)."),
        (lambda one: one.chmod(0o777), "0.1.0-abc is writable by others (mode 0777)."),
        (lambda one: (one / "bin/program").chmod(0o644), "bin/program has the mode 0644 instead of 0755."),
        (
            lambda one: ((one / "lib/one.py").unlink(), (one / "lib/one.py").symlink_to("/etc/passwd")),
            "lib/one.py is of another kind than what was installed.",
        ),
        (
            lambda one: ((one / "lib/one.py").unlink(), os.mkfifo(one / "lib/one.py", 0o644)),
            "lib/one.py is of another kind than what was installed.",
        ),
    ],
)
def test_each_change_is_told(folder: Path, change: Callable[[Path], object], said: str) -> None:
    known = look(folder).inodes
    change(folder)
    assert program_list.inodes(folder) != known
    findings = look(folder).findings
    assert len(findings) == 1
    assert findings[0].endswith(said)


def test_another_owner_is_told(folder: Path) -> None:
    path = folder.parent / "list.json"
    listed = json.loads(path.read_text())
    path.write_text(json.dumps({**listed, "owner": os.getuid() + 1}))
    assert (
        f"{folder}/lib/one.py belongs to the user {os.getuid()} instead of {os.getuid() + 1}." in look(folder).findings
    )


def test_what_another_python_compiled_is_no_drift(folder: Path) -> None:
    (folder / "lib/__pycache__/one.cpython-313.pyc").touch(0o644)
    assert look(folder).findings == ()
    (folder / "lib/__pycache__/one.cpython-313.pyc").chmod(0o666)
    assert len(look(folder).findings) == 1


def test_a_folder_that_is_gone_is_told(folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    assert look(folder).findings == (f"{folder} does not exist.",)
    assert program_list.inodes(folder) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"schema":1}', b"\xff"])
def test_a_damaged_list_is_none(folder: Path, content: bytes) -> None:
    path = folder.parent / "list.json"
    path.write_bytes(content)
    assert program_list.read(path) is None
    path.unlink()
    assert program_list.read(path) is None


def test_a_program_with_links_is_not_listed(folder: Path) -> None:
    (folder / "lib/link").symlink_to("one.py")
    with pytest.raises(BocageError, match="lib/link, which is neither a file nor a folder"):
        program_list.write(folder.parent / "list.json", folder)
