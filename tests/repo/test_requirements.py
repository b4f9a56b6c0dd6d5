# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed from an index is locked: each version named, each file known by its digest."""

from __future__ import annotations

import json
import re

import pytest
import tree

SETS = ("agent", "bench", "dev", "fuzz", "packager", "registry", "runtime", "segments")


def locked(name: str) -> dict[str, str]:
    """Distribution and version of each entry of a lock."""
    found = {}
    for entry in re.sub(r"\\\n", " ", tree.read(f"requirements/{name}.txt")).splitlines():
        words = entry.split("#")[0].split()
        if not words:
            continue
        match = re.fullmatch(r"([a-z0-9._-]+)(?:\[[a-z0-9,_-]+\])?==([^\s;]+)", words[0], re.IGNORECASE)
        assert match, f"{words[0]} of requirements/{name}.txt is not pinned"
        hashes = [word for word in words[1:] if word.startswith("--")]
        assert hashes, f"{words[0]} of requirements/{name}.txt has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), entry
        found[plain(match[1])] = match[2]
    return found


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(name: str) -> set[str]:
    """What a set asks for, with the sets that it includes."""
    found: set[str] = set()
    for line in tree.read(f"requirements/{name}.in").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r "):
            found |= wanted(line.removeprefix("-r ").removesuffix(".in"))
        elif line:
            match = re.match(r"[A-Za-z0-9._-]+", line)
            assert match, line
            found.add(plain(match[0]))
    return found


def test_the_sets_are_these() -> None:
    names = {one.removeprefix("requirements/") for one in tree.tracked() if one.startswith("requirements/")}
    assert names == {f"{one}.{kind}" for one in SETS for kind in ("in", "txt")}


@pytest.mark.parametrize("name", SETS)
def test_all_that_is_asked_for_is_locked(name: str) -> None:
    assert wanted(name) <= locked(name).keys()


@pytest.mark.parametrize("name", ["agent", "packager", "registry", "runtime"])
def test_tests_run_with_the_versions_that_are_shipped(name: str) -> None:
    ours = locked("dev")
    other = {one: (version, ours.get(one)) for one, version in locked(name).items() if ours.get(one) != version}
    assert other == {}


@pytest.mark.parametrize("name", SETS)
def test_every_dependency_has_its_reason(name: str) -> None:
    """docs/dependencies.md names what each set asks for."""
    page = tree.read("docs/dependencies.md").lower()
    assert [one for one in sorted(wanted(name)) if f"`{one}`" not in page] == []


def test_what_npm_installs_is_locked_by_digest() -> None:
    asked = json.loads(tree.read("tests/tuf-js/package.json"))["dependencies"]
    packages = json.loads(tree.read("tests/tuf-js/package-lock.json"))["packages"]
    assert packages.pop("")["dependencies"] == asked
    assert (
        asked.items() <= {name.removeprefix("node_modules/"): one["version"] for name, one in packages.items()}.items()
    )
    for name, one in packages.items():
        assert one["integrity"].startswith("sha512-"), name
        assert "resolved" not in one, "which index serves packages is the machine's setting"
    assert [one for one in asked if f"`{one}`" not in tree.read("docs/dependencies.md")] == []


def test_every_debian_package_has_its_reason() -> None:
    """What roles install on hosts and what the lab installs; names are read from the files that install them."""
    names: set[str] = set(tree.read("lab/image/packages.txt").split())
    for match in re.finditer(r"^(?:environment|lab)=\(([^)]*)\)", tree.read("lab/bootstrap.sh"), re.MULTILINE):
        names |= set(match[1].split())
    for name in tree.tracked():
        if name.startswith("roles/") and name.endswith("/tasks/main.yml"):
            for block in re.finditer(r"ansible\.builtin\.apt:\n\s+name: (.*)", tree.read(name)):
                given = re.sub(r"if [^)]*", "", block[1])
                names |= set(re.findall(r"\b[a-z][a-z0-9]+(?:[-.+][a-z0-9]+)*\b", given)) - {"if", "else"}
    defaults = tree.yaml.safe_load(tree.read("roles/host/defaults/main.yml"))
    names = {one for one in names | set(defaults["host_packages"]) if not one.startswith("host")}
    page = tree.read("docs/dependencies.md")
    assert [one for one in sorted(names) if f"`{one}`" not in page] == []
