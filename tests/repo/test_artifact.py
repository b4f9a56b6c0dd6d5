# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as it is built, not only the tree: what is in it, and what stays out."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
import tree

OUT = (
    ".cache/",
    ".ci/",
    ".config/",
    ".lab/",
    ".venv/",
    ".venv-bench/",
    ".venv-fuzz/",
    "build/",
    "collections/",
    "inventories/",
    "lab/",
    "molecule/",
    "tests/",
)
IN = (
    "COPYING",
    "README.md",
    "apps/agent/main.py",
    "apps/packager/main.py",
    "apps/registry/main.py",
    "changelogs/changelog.yaml",
    "docs/concepts.md",
    "meta/runtime.yml",
    "playbooks/site.yml",
    "requirements/agent.txt",
    "requirements/packager.txt",
    "requirements/registry.txt",
    "requirements/runtime.in",
    "roles/mesh/tasks/main.yml",
)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the artifact with their content."""
    target = tmp_path_factory.mktemp("artifact")
    command = ["ansible-galaxy", "collection", "build", "--output-path", str(target)]
    subprocess.run(command, cwd=tree.ROOT, capture_output=True, check=True)
    (path,) = target.glob("bocage-fleet-*.tar.gz")
    with tarfile.open(path) as archive:
        assert all(member.isfile() or member.isdir() for member in archive), "only files and folders"
        return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}  # type: ignore[union-attr]


def test_what_only_the_project_needs_stays_out(artifact: dict[str, bytes]) -> None:
    assert [name for name in artifact if name.startswith(OUT)] == []
    assert (
        not {"ansible.cfg", "Makefile", "pyproject.toml", "execution-environment.yml", ".gitignore"} & artifact.keys()
    )
    assert [name for name in artifact if Path(name).suffix in (".sh", ".pyc", ".key", ".pem", ".gz")] == []


def test_what_the_collection_needs_is_in_it(artifact: dict[str, bytes]) -> None:
    assert [name for name in IN if name not in artifact] == []
    plugins = {name for name in tree.tracked() if name.startswith(("plugins/", "roles/", "playbooks/", "apps/"))}
    assert plugins <= artifact.keys()


def test_nothing_comes_along_that_git_would_not_take(artifact: dict[str, bytes]) -> None:
    """Keys, caches and reports lie in ignored places; none of them may be shipped by a forgotten line."""
    made = {"MANIFEST.json", "FILES.json"}
    assert artifact.keys() - made <= set(tree.tracked())


def test_its_version_is_that_of_the_project(artifact: dict[str, bytes]) -> None:
    manifest = json.loads(artifact["MANIFEST.json"])["collection_info"]
    assert (manifest["namespace"], manifest["name"]) == ("bocage", "fleet")
    assert f'version = "{manifest["version"]}"' in tree.read("pyproject.toml")


def test_links_between_its_pages_lead_somewhere(artifact: dict[str, bytes]) -> None:
    """Relative links of the documentation; what the artifact leaves out must be in the repository at least."""
    broken = []
    for name in artifact:
        if name.endswith(".md"):
            for target in tree.links(artifact[name].decode()):
                path = (Path(name).parent / target).as_posix()
                if not (tree.ROOT / path).resolve().exists():
                    broken.append(f"{name}: {target}")
    assert broken == []
