# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of programs: named by their content, the same bytes from the same content, runnable."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from bocage_core._common.archive import digest, sources, write_archive


@pytest.fixture
def packages(tmp_path: Path) -> dict[str, Path]:
    """An application of two packages."""
    library, app = tmp_path / "module_utils", tmp_path / "apps/agent"
    for folder in (library / "_common", app, library / "__pycache__"):
        folder.mkdir(parents=True)
    (library / "__init__.py").write_text("")
    (library / "_common/__init__.py").write_text("WORD = 'it runs'\n")
    (library / "__pycache__/old.py").write_text("")
    (library / "README.md").write_text("x")
    (app / "__init__.py").write_text("")
    (app / "main.py").write_text(
        "import dependency\nfrom bocage_core._common import WORD\n\n\ndef main():\n    print(WORD, dependency.NAME)\n"
    )
    return {"bocage_core": library, "bocage_agent": app}


@pytest.fixture
def dependencies(tmp_path: Path) -> Path:
    folder = tmp_path / "dependencies"
    for name in ("bin", "native", "__pycache__"):
        (folder / name).mkdir(parents=True)
    (folder / "dependency.py").write_text("NAME = 'with its dependency'\n")
    (folder / "native/fast.so").write_bytes(b"\x7fELF")
    (folder / "bin/tool").write_text("#!/usr/bin/python3\n")
    (folder / "__pycache__/dependency.pyc").write_bytes(b"x")
    return folder


def test_sources_are_python_alone_in_a_stable_order(packages: dict[str, Path]) -> None:
    assert [name for name, _path in sources(packages)] == [
        "bocage_agent/__init__.py",
        "bocage_agent/main.py",
        "bocage_core/__init__.py",
        "bocage_core/_common/__init__.py",
    ]


def test_the_digest_follows_everything_that_makes_the_archive(packages: dict[str, Path]) -> None:
    first = digest(packages, b"lock", "3.11 x86_64")
    assert first == digest(dict(reversed(packages.items())), b"lock", "3.11 x86_64")
    assert len({first, digest(packages, b"lock 2", "3.11 x86_64"), digest(packages, b"lock", "3.12 x86_64")}) == 3
    (packages["bocage_core"] / "README.md").write_text("y")
    assert first == digest(packages, b"lock", "3.11 x86_64")
    main = packages["bocage_agent"] / "main.py"
    main.rename(main.with_name("entry.py"))
    assert first != digest(packages, b"lock", "3.11 x86_64")


def test_the_same_content_gives_the_same_bytes(packages: dict[str, Path], dependencies: Path, tmp_path: Path) -> None:
    written = []
    for number, name in enumerate(("one.tar.gz", "other.tar.gz")):
        for path in dependencies.rglob("*"):
            os.utime(path, (number, number))
        write_archive(tmp_path / name, "bocage-agent", "bocage_agent", packages, dependencies)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    assert not list(tmp_path.glob("*.new"))


def test_members_have_no_dates_and_no_owners(packages: dict[str, Path], dependencies: Path, tmp_path: Path) -> None:
    write_archive(tmp_path / "agent.tar.gz", "bocage-agent", "bocage_agent", packages, dependencies)
    with tarfile.open(tmp_path / "agent.tar.gz") as archive:
        members = {member.name: member for member in archive}
    assert {name: oct(member.mode) for name, member in members.items()} == {
        "bin/bocage-agent": "0o755",
        "lib/dependency.py": "0o644",
        "lib/native/fast.so": "0o755",
        "lib/bocage_agent/__init__.py": "0o644",
        "lib/bocage_agent/main.py": "0o644",
        "lib/bocage_core/__init__.py": "0o644",
        "lib/bocage_core/_common/__init__.py": "0o644",
    }
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, 0, "")}


def test_an_unpacked_archive_runs_from_anywhere(packages: dict[str, Path], dependencies: Path, tmp_path: Path) -> None:
    write_archive(tmp_path / "agent.tar.gz", "bocage-agent", "bocage_agent", packages, dependencies)
    target = tmp_path / "versions/1"
    with tarfile.open(tmp_path / "agent.tar.gz") as archive:
        archive.extractall(target)
    (tmp_path / "versions/current").symlink_to("1")
    program = tmp_path / "versions/current/bin/bocage-agent"
    assert program.read_text().startswith("#!/usr/bin/python3 -I\n")
    done = subprocess.run([sys.executable, "-I", program], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "it runs with its dependency\n"
