# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import app_install
from bocage_core._common import programs
from bocage_core._common.archive import write_archive

Archive = Callable[[str], str]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Makes the archive of a program that prints a word."""

    def make(word: str) -> str:
        program = tmp_path / "sources" / word
        program.mkdir(parents=True)
        (program / "__init__.py").touch()
        (program / "main.py").write_text(f"def main():\n    print({word!r})\n")
        (tmp_path / "none").mkdir(exist_ok=True)
        output = tmp_path / f"{word}.tar.gz"
        write_archive(output, "bocage-agent", "bocage_agent", {"bocage_agent": program}, tmp_path / "none")
        return str(output)

    return make


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {"name": "agent", "directory": str(tmp_path / "opt"), "lists": str(tmp_path / "lists")}


def said(options: dict[str, Any]) -> str:
    program = Path(options["directory"], "agent/current/bin/bocage-agent")
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()


def test_four_calls(call_module: Any, options: dict[str, Any], archive: Archive) -> None:
    options |= {"version": "1-one", "archive": archive("one")}
    predicted = call_module(app_install, check=True, **options)
    assert predicted["changed"] and not Path(options["directory"]).exists()
    done = call_module(app_install, diff=True, **options)
    assert done["changed"] and done["diff"] == {"before": "absent\n", "after": "1-one\n"}
    assert said(options) == "one"
    assert list(Path(done["path"]).rglob("main.*.pyc")), "nothing is compiled"
    for check in (True, False):
        assert not call_module(app_install, check=check, **options)["changed"]


def test_a_version_that_is_missing_is_asked_for(call_module: Any, options: dict[str, Any], archive: Archive) -> None:
    """The first of the two calls of the controller's half, which sends nothing where nothing is missing."""
    asked = call_module(app_install, **options, version="1-one", archive="")
    assert asked["missing"] and not Path(asked["path"]).exists()
    call_module(app_install, **options, version="1-one", archive=archive("one"))
    again = call_module(app_install, **options, version="1-one", archive="")
    assert (again["missing"], again["changed"]) == (False, False)


def test_the_version_before_stays_and_older_ones_go(
    call_module: Any, options: dict[str, Any], archive: Archive
) -> None:
    for number, word in enumerate(("one", "two", "three")):
        done = call_module(app_install, **options, version=f"{number}-{word}", archive=archive(word))
        os.utime(done["path"], (number, number))
    assert done["removed"] == ["0-one"]
    assert sorted(path.name for path in Path(options["directory"], "agent").iterdir()) == [
        "1-two",
        "2-three",
        "current",
    ]
    back = call_module(app_install, **options, version="1-two", archive="")
    assert (back["changed"], back["missing"], said(options)) == (True, False, "two")


@pytest.mark.parametrize(
    ("content", "said_of_it"),
    [(b"no archive", "cannot be unpacked on this host"), (None, "does not compile with this")],
)
def test_a_version_exists_entirely_or_not_at_all(
    call_module: Any, options: dict[str, Any], archive: Archive, tmp_path: Path, content: bytes | None, said_of_it: str
) -> None:
    call_module(app_install, **options, version="1-one", archive=archive("one"))
    bad = tmp_path / "bad.tar.gz"
    if content is None:
        broken = tmp_path / "broken"
        broken.mkdir()
        (broken / "main.py").write_text("def main(:\n")
        write_archive(bad, "bocage-agent", "bocage_agent", {"bocage_agent": broken}, tmp_path / "none")
    else:
        bad.write_bytes(content)
    assert said_of_it in call_module(app_install, **options, version="2-bad", archive=str(bad))["msg"]
    assert said(options) == "one"
    assert sorted(path.name for path in Path(options["directory"], "agent").iterdir()) == ["1-one", "current"]


def test_other_users_may_run_it_whatever_the_umask(call_module: Any, options: dict[str, Any], archive: Archive) -> None:
    path = archive("one")
    before = os.umask(0o077)
    try:
        done = call_module(app_install, **options, version="1-one", archive=path)
    finally:
        os.umask(before)
    entered = [
        Path(options["directory"]),
        Path(done["path"]).parent,
        *Path(done["path"]).rglob("*"),
        Path(done["path"]),
    ]
    assert {oct(one.stat().st_mode & 0o777) for one in entered if one.is_dir()} == {"0o755"}
    assert {oct(one.stat().st_mode & 0o044) for one in entered if one.is_file()} == {"0o44"}


def test_what_an_interrupted_run_left_goes(call_module: Any, options: dict[str, Any], archive: Archive) -> None:
    call_module(app_install, **options, version="1-one", archive=archive("one"))
    left = Path(options["directory"], "agent/.new-abc/root")
    left.mkdir(parents=True)
    done = call_module(app_install, **options, version="2-two", archive=archive("two"))
    assert done["removed"] == []
    assert sorted(path.name for path in Path(options["directory"], "agent").iterdir()) == ["1-one", "2-two", "current"]


def test_a_version_that_was_altered_is_asked_for_and_replaced(
    call_module: Any, options: dict[str, Any], archive: Archive
) -> None:
    given = {**options, "version": "1-one", "archive": archive("one")}
    done = call_module(app_install, **given)
    program = Path(done["path"], "lib/bocage_agent/main.py")
    program.write_text("def main():\n    print('evil')\n")
    asked = call_module(app_install, **{**given, "archive": ""})
    assert (asked["missing"], asked["changed"]) == (True, True)
    assert call_module(app_install, **given)["changed"]
    assert "evil" not in program.read_text()
    assert not call_module(app_install, **given)["changed"]


def test_lists_are_for_root_and_go_with_their_versions(
    call_module: Any, options: dict[str, Any], archive: Archive
) -> None:
    for number, word in enumerate(("one", "two", "three")):
        call_module(app_install, **options, version=f"{number}-{word}", archive=archive(word))
    lists = Path(options["lists"], "agent")
    assert sorted(path.name for path in lists.iterdir()) == ["1-two.json", "2-three.json"]
    assert lists.stat().st_mode & 0o077 == 0


@pytest.fixture
def by_package(call_module: Any, options: dict[str, Any], archive: Archive) -> Path:
    """A program that a package brought: the version 1.5."""
    call_module(app_install, **options, version="1.5-package", archive=archive("package"))
    programs.set_managed(Path(options["lists"], "agent"), "1.5-package")
    return Path(options["directory"], "agent")


@pytest.mark.parametrize("version", ["1.5-role", "1.4-role", "1-role"])
def test_what_a_package_brought_stays(
    call_module: Any, options: dict[str, Any], archive: Archive, by_package: Path, version: str
) -> None:
    done = call_module(app_install, **options, version=version, archive=archive("role"))
    assert (done["changed"], done["managed"], done["path"]) == (False, True, str(by_package / "1.5-package"))
    assert said(options) == "package"


def test_a_newer_release_of_the_collection_takes_over(
    call_module: Any, options: dict[str, Any], archive: Archive, by_package: Path
) -> None:
    done = call_module(app_install, **options, version="1.10-role", archive=archive("role"))
    assert (done["changed"], done["managed"], said(options)) == (True, False, "role")
    assert programs.managed(Path(options["lists"], "agent")) is None
    assert by_package.is_dir()


def test_what_a_package_brought_and_somebody_altered_is_replaced(
    call_module: Any, options: dict[str, Any], archive: Archive, by_package: Path
) -> None:
    (by_package / "1.5-package" / "lib" / "bocage_agent" / "main.py").write_text("")
    done = call_module(app_install, **options, version="1.4-role", archive=archive("role"))
    assert (done["changed"], done["managed"], said(options)) == (True, False, "role")
