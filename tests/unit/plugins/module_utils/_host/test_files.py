# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._host.files import ensure_files

# whoever runs the tests, in the place of root
WHO = {"owner": str(os.getuid()), "group": str(os.getgid())}


def entry(path: Path, state: str = "file", **more: Any) -> dict[str, Any]:
    return {"path": str(path), "state": state, **WHO, **more}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refuse(_command: list[str]) -> tuple[int, str, str]:
    return 1, "", f"line 1 of {_command[-1]}\nis bad\n"


def test_four_calls(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (tmp_path / "old").write_text("")
    files = [
        # the folder is listed late and still made first
        entry(folder / "one", content="one\n", mode="0640"),
        entry(folder / "two", content="two\n"),
        entry(folder / "link", "link", target="one"),
        entry(folder, "directory", mode="0750"),
        entry(tmp_path / "old", "absent"),
    ]
    predicted = ensure_files(files, True)
    assert predicted["changed"] and not folder.exists()
    done = ensure_files(files, False)
    assert {**done, "files": None} == {**predicted, "files": None}
    assert done["changed_paths"][0] == str(folder) and len(done["changed_paths"]) == 5
    assert (mode(folder), mode(folder / "one"), mode(folder / "two")) == (0o750, 0o640, 0o644)
    assert ((folder / "one").read_text(), (folder / "link").readlink()) == ("one\n", Path("one"))
    assert not (tmp_path / "old").exists()
    assert done["files"][1] == {"path": str(folder / "one"), "state": "file", "mode": "0640", **WHO}
    assert done["files"][3]["mode"] is None
    for check in (True, False):
        again = ensure_files(files, check)
        assert (again["changed"], again["changed_paths"], again["diff"]) == (False, [], [])
        assert again["files"] == done["files"]


def test_the_difference_of_contents_and_modes_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_text("before\n")
    path.chmod(0o600)
    (diff,) = ensure_files([entry(path, content="after\n")], False)["diff"]
    assert diff["before"].endswith("before\n") and diff["before"].startswith("mode 0600, owner ")
    assert diff["after"] == f"mode 0644, owner {WHO['owner']}, group {WHO['group']}\nafter\n"
    assert (diff["before_header"], diff["after_header"]) == (str(path), str(path))
    path.chmod(0o666)
    assert ensure_files([entry(path, content="after\n")], False)["changed_paths"] == [str(path)]
    assert mode(path) == 0o644


def test_links_and_files_take_each_others_place(tmp_path: Path) -> None:
    path, target = tmp_path / "one", tmp_path / "target"
    target.write_text("kept\n")
    path.symlink_to(target)
    ensure_files([entry(path, content="mine\n")], False)
    assert not path.is_symlink() and target.read_text() == "kept\n"
    ensure_files([entry(path, "link", target="target")], False)
    assert path.read_text() == "kept\n"
    (diff,) = ensure_files([entry(path, "link", target="elsewhere")], False)["diff"]
    assert (diff["before"], diff["after"]) == ("link to target\n", "link to elsewhere\n")
    ensure_files([entry(path, "absent")], False)
    assert not path.is_symlink()


def test_all_are_validated_before_one_is_put_in_place(tmp_path: Path) -> None:
    """The second is refused, so the first is not there either, nor is its folder."""
    seen: list[str] = []

    def run(command: list[str]) -> tuple[int, str, str]:
        text = Path(command[-1]).read_text()
        seen.append(text)
        return refuse(command) if "bad" in text else (0, "", "")

    folder = tmp_path / "folder"
    files = [
        entry(folder, "directory"),
        entry(folder / "a.conf", content="good\n", validate="test -e %s"),
        entry(folder / "b.conf", content="bad\n", validate="test -e %s"),
        entry(folder / "c.conf", content="free\n"),
    ]
    with pytest.raises(BocageError) as refused:
        ensure_files(files, False, run)
    assert str(refused.value) == (
        f"test refuses the new {folder}/b.conf, and nothing was changed: line 1 of {folder}/b.conf is bad"
    )
    assert seen == ["good\n", "bad\n"] and not folder.exists()
    files[2]["content"] = "better\n"
    ensure_files(files, False, run)
    seen.clear()
    ensure_files(files, False, run)
    assert seen == [], "what is in place already is not validated again"


def test_check_mode_validates_where_the_command_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(BocageError, match="test refuses"):
        ensure_files([entry(path, content="x", validate="test %s")], True, refuse)
    missing = entry(path, content="x", validate="no-such-command %s")
    assert ensure_files([missing], True, refuse)["changed"]
    with pytest.raises(BocageError, match=r"^The command no-such-command, which validates .*, is missing on this host"):
        ensure_files([missing], False, refuse)


def test_an_unknown_owner_is_told_but_not_in_check_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    given = entry(path, content="x") | {"group": "no-such-group"}
    assert ensure_files([given], True)["changed"]
    with pytest.raises(BadInput) as refused:
        ensure_files([given], False)
    assert str(refused.value) == f"The group no-such-group, who should own {path}, is not known on this host."
    assert not path.exists()


def test_a_missing_folder_is_told_but_not_in_check_mode(tmp_path: Path) -> None:
    given = [entry(tmp_path / "folder/a", content="x")]
    assert ensure_files(given, True)["changed"]
    with pytest.raises(BocageError, match="does not exist on this host; list it with state directory"):
        ensure_files(given, False)


def test_a_folder_is_no_file_and_is_not_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "kept").write_text("")
    for given, words in {
        "file": "is a folder on this host, where a file should be",
        "link": "is a folder on this host, where a link should be",
        "absent": "is not empty, so it is not removed",
    }.items():
        more = {"file": {"content": ""}, "link": {"target": "x"}}.get(given, {})
        with pytest.raises(BadInput, match=words):
            ensure_files([entry(folder, given, **more)], False)
    with pytest.raises(BadInput, match="kept is a file on this host, where a folder should be"):
        ensure_files([entry(folder / "kept", "directory")], False)
    (folder / "kept").unlink()
    assert ensure_files([entry(folder, "absent")], False)["changed"] and not folder.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"path": "etc/a"}, "is not absolute"),
        ({"content": None}, "has no content; give it template, content or source"),
        ({"state": "directory"}, "has content, which only state file can have"),
        ({"state": "link", "content": None}, "is a link without a target"),
        ({"target": "x"}, "has target, which only state link can have"),
        ({"mode": "644"}, "is not four octal digits in quotes"),
        ({"mode": "420"}, "is not four octal digits in quotes"),
        ({"validate": "true"}, "has no %s"),
    ],
)
def test_entries_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        ensure_files([{**entry(tmp_path / "a", content="x"), **changes}], True)


def test_a_path_has_one_entry(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is listed twice"):
        ensure_files([entry(tmp_path / "a", content="x"), entry(tmp_path / "a", "absent")], True)


def test_others_are_told_before_the_first_change(tmp_path: Path) -> None:
    path = tmp_path / "a"
    told: list[object] = []
    files = [entry(path, content="x"), entry(tmp_path / "b", "absent")]
    ensure_files(files, True, before_change=told.append)
    assert told == []
    ensure_files(files, False, before_change=lambda paths: told.append((list(paths), path.exists())))
    assert told == [([str(path)], False)]
    ensure_files(files, False, before_change=told.append)
    assert len(told) == 1
