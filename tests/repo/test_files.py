# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every file: a licence, a size that one reads, no machine's paths, no gate that cannot fail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tree

# Files of a form that has no comments, or whose text is not ours.
NO_HEADER = {
    ".gitignore": "a list of names",
    "COPYING": "the licence itself",
    "docs/images/estate.svg": "drawn by playbooks/show.yml",
    "lab/image/overlay/etc/apt/apt.conf.d/90lab": "a setting of some lines, placed as it is",
    "lab/image/overlay/etc/dpkg/dpkg.cfg.d/lab": "a setting of some lines, placed as it is",
    "lab/image/packages.txt": "names of packages, read by debootstrap",
    "lab/what-next.txt": "printed as it is",
    "tests/tuf-js/package-lock.json": "written by npm",
    "tests/vectors/wycheproof/ed25519_test.json": "vectors of Project Wycheproof, as published",
}
NO_LIMIT = {
    "COPYING": "the licence itself",
    "tests/vectors/wycheproof/ed25519_test.json": "vectors of Project Wycheproof, as published",
}
LOCKS = re.compile(r"requirements/[a-z]+\.txt")
MAX_LINES = 400

# Where a shell may go on after a failure, and why.
MAY_FAIL = {
    "lab/proxy/build.sh": "removes what an interrupted build left, which is mostly nothing",
    "tests/estate/test_1_first_run.py": "grep that finds no secret, and ls of what is not there, are what the tests hope for",
    "tests/estate/test_2_operations.py": "a ping that only begins a handshake",
}

BINARY = (".png", ".gz", ".ico")
TEXT = [name for name in tree.tracked() if not name.endswith(BINARY)]


@pytest.mark.parametrize("name", [one for one in TEXT if one not in NO_HEADER and not LOCKS.fullmatch(one)])
def test_a_licence_in_the_head(name: str) -> None:
    if tree.read(name):
        head = "\n".join(tree.read(name).splitlines()[:5])
        assert "SPDX-License-Identifier: GPL-3.0-or-later" in head


def test_files_have_a_readable_size() -> None:
    long = {name: tree.read(name).count("\n") for name in TEXT if name not in NO_LIMIT and not LOCKS.fullmatch(name)}
    assert {name: lines for name, lines in long.items() if lines >= MAX_LINES} == {}


@pytest.mark.parametrize("name", [one for one in tree.tracked() if one.endswith(".py")])
def test_python_is_read_with_annotations_as_text(name: str) -> None:
    """The first statement, so that every file means the same by an annotation."""
    body = tree.tree_of(name).body
    first = [one for one in body if not isinstance(one, tree.ast.Expr)][:1]
    assert not first or getattr(first[0], "module", None) == "__future__"


def test_no_failure_is_swallowed() -> None:
    """Errors are handled where they are understood; a list says where a shell may go on, and why."""
    own = Path(__file__).relative_to(tree.ROOT).as_posix()
    ansible = re.compile(r"^\s*ignore_errors\s*:", re.MULTILINE)
    assert [name for name in TEXT if name.endswith((".yml", ".yaml")) and ansible.search(tree.read(name))] == []
    code = [name for name in TEXT if name != own and not name.endswith(".md")]
    lenient = {name for name in code if re.search(r"\|\|\s*(true\b|:\s)", tree.read(name))}
    assert lenient == set(MAY_FAIL)
    silent = re.compile(r"except( Exception| BaseException)?:\s*\n?\s*(pass|\.\.\.|continue)\b")
    assert [name for name in TEXT if name.endswith(".py") and name != own and silent.search(tree.read(name))] == []


def test_no_paths_of_a_machine() -> None:
    """A home folder or a working folder of whoever wrote it would not exist elsewhere."""
    own = Path(__file__).relative_to(tree.ROOT).as_posix()
    paths = re.compile(r"(?<![\w.~}/-])/(work|home/\w+|Users|root)/")
    hosts = ("molecule/", "tests/estate/", "tests/drills/")  # speak of root's home on hosts of a lab
    found = [
        f"{name}: {line.strip()}"
        for name in TEXT
        if name != own and name not in NO_LIMIT and not name.startswith(hosts)
        for line in tree.read(name).splitlines()
        if paths.search(line)
    ]
    assert found == []


def test_no_package_index_is_named() -> None:
    """Which index serves packages is the machine's setting; the locks say by digest what may come from it."""
    own = Path(__file__).relative_to(tree.ROOT).as_posix()
    words = re.compile(
        r"--(extra-)?index-url|--find-links|--trusted-host|pypi\.org|pythonhosted\.org|galaxy\.ansible\.com"
    )
    words_of_images = re.compile(r"\b(docker\.io/|quay\.io|ghcr\.io|registry\.npmjs)")
    found = [
        name
        for name in TEXT
        if name != own and (words.search(tree.read(name)) or words_of_images.search(tree.read(name)))
    ]
    assert found == []


def test_scripts_can_be_run() -> None:
    for name in TEXT:
        starts = tree.read(name).startswith("#!") and not name.startswith("plugins/modules/")
        assert starts == bool((tree.ROOT / name).stat().st_mode & 0o111), name
