# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from archive_reader import CONTROL, contents, refusal
from bocage_core._packages import entry_names
from zip_maker import Part, make_zip


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([""], "is empty"),
        (["/a"], "is absolute"),
        (["/"], "is empty"),
        (["../a"], "leads elsewhere"),
        (["a/../../b"], "leads elsewhere"),
        (["a/.."], "leads elsewhere"),
        (["./a"], "leads elsewhere"),
        (["a//b"], "leads elsewhere"),
        (["a/. ./b"], "leads elsewhere"),
        (["a\\b"], "backslash"),
        (["..\\a"], "backslash"),
        (["C:a"], "colon"),
        (["c:/a"], "colon"),
        (["setup.py::$DATA"], "colon"),
        (["a\0b"], "control character"),
        (["a\nb"], "control character"),
        (["a\x7f"], "control character"),
        (["a" * 256], "more than 255 bytes"),
        (["a/" * 600 + "b"], "more than 1024 bytes"),
        (["a", "a"], "'a' twice"),
        (["a", "A"], "'A' twice"),
        (["setup.py", "SETUP.PY"], "twice"),
        (["WAPT/control", "wapt/Control"], "twice"),
        (["straße", "STRASSE"], "twice"),
        (["\u00e9", "e\u0301"], "twice"),
        (["a", "a."], "twice"),
        (["a", "a "], "twice"),
        (["a", "a\u200d"], "twice"),
        (["a", "a/b"], "'a' twice"),
        (["A", "a/b/c"], "'A' twice"),
        (["a/b", "a/b/c/d"], "'a/b' twice"),
        (["a", "a/"], "'a' twice"),
        (["a/", "A/"], "'A/' twice"),
        (["a/b", "a/b/c/"], "'a/b' twice"),
    ],
)
def test_names_that_are_refused(tmp_path: Path, names: list[str], reason: str) -> None:
    parts = [CONTROL] * ("WAPT/control" not in names)
    parts += [Part(name, mode=0o40755 if name.endswith("/") else 0o100644) for name in names]
    found = refusal(tmp_path, make_zip(parts))
    assert found.code == "bad_archive"
    assert reason in str(found)
    assert str(found).endswith("; it was not unpacked.")


def test_names_need_an_encoding(tmp_path: Path) -> None:
    for part in (Part("é".encode(), flags=0), Part(b"\xff", flags=0x800), Part(b"\xed\xa0\x80", flags=0x800)):
        assert "is not marked as UTF-8 or is none" in str(refusal(tmp_path, make_zip([part])))


def test_names_that_are_good(tmp_path: Path) -> None:
    names = ["a/b", "a/c", "b", "...a", "a b/c.d", ".hidden", "A/d", "日本", "a+b=c,d", "x" * 255, "WAPT/x"]
    found = contents(tmp_path, make_zip([Part(name) for name in names]))
    assert list(found) == names


@pytest.mark.parametrize(
    ("name", "executed"),
    [
        ("setup.py", True),
        ("Setup.py", True),
        ("SETUP.PY", True),
        ("setup.py.", True),
        ("setup.py ", True),
        ("\uff53etup.py", True),
        ("setup\u200d.py", True),
        ("\u017fetup.py", True),
        ("setup.pyc", True),
        ("setup.cpython-311.so", True),
        ("__pycache__/setup.cpython-311.pyc", True),
        ("setup.ps1", True),
        ("bocage/hooks/audit", True),
        ("BOCAGE/Hooks/audit", True),
        ("data/setup.py", False),
        ("setup", False),
        ("setup.txt", False),
        ("mysetup.py", False),
        ("WAPT/control", False),
        ("bocage/notes", False),
    ],
)
def test_what_is_executed_in_any_spelling(name: str, executed: bool) -> None:
    assert entry_names.executables(["a", name]) == ((name,) if executed else ())
