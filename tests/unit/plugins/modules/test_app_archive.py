# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import app_archive

# Stands for a Python with pip: notes how it was called, and puts a library where it is told to.
PYTHON = """\
#!/bin/sh
echo "$@" >> {notes}
[ -e {broken} ] && {{ echo "no matching distribution" >&2; exit 1; }}
while [ $# -gt 0 ]; do
  [ "$1" = --target ] && target=$2
  shift
done
mkdir -p "$target/library" "$target/bin"
echo "word = 'library'" > "$target/library/__init__.py"
echo binary > "$target/library/fast.so"
echo tool > "$target/bin/tool"
"""


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    """A collection with a program that prints what it is made of."""
    root = tmp_path / "collection"
    files = {
        "galaxy.yml": "name: fleet\nversion: 1.2.3\n",
        "requirements/agent.txt": "library==1 --hash=sha256:00\n",
        "plugins/module_utils/__init__.py": "",
        "plugins/module_utils/core.py": "word = 'core'\n",
        "apps/agent/__init__.py": "",
        "apps/agent/main.py": (
            "from bocage_core.core import word\nimport library\n\n\ndef main():\n    print(word, library.word)\n"
        ),
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    python = tmp_path / "python"
    python.write_text(PYTHON.format(notes=tmp_path / "notes", broken=tmp_path / "broken"))
    python.chmod(0o755)
    return {
        "app": "agent",
        "collection_directory": str(root),
        "directory": str(tmp_path / "archives"),
        "python": str(python),
        "machine": "x86_64",
    }


def test_four_calls(call_module: Any, options: dict[str, str], tmp_path: Path) -> None:
    predicted = call_module(app_archive, check=True, **options)
    assert predicted["changed"] and not Path(predicted["path"]).exists()
    done = call_module(app_archive, **options)
    assert done["changed"] and (done["path"], done["version"]) == (predicted["path"], predicted["version"])
    assert done["version"].startswith("1.2.3-")
    for check in (True, False):
        assert not call_module(app_archive, check=check, **options)["changed"]
    called = (tmp_path / "notes").read_text().splitlines()
    assert len(called) == 1
    assert "--require-hashes" in called[0] and "--only-binary=:all:" in called[0] and "--no-deps" in called[0]


def test_what_is_unpacked_runs(call_module: Any, options: dict[str, str], tmp_path: Path) -> None:
    done = call_module(app_archive, **options)
    with tarfile.open(done["path"]) as archive:
        members = {member.name: member for member in archive}
    assert "lib/bin/tool" not in members
    assert {member.mtime for member in members.values()} == {0}
    assert members["lib/library/fast.so"].mode == 0o755
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xzf", done["path"], "-C", str(tmp_path / "unpacked")], check=True)
    said = subprocess.run([tmp_path / "unpacked/bin/bocage-agent"], capture_output=True, text=True, check=True)
    assert said.stdout == "core library\n"


def test_the_same_sources_give_the_same_bytes(call_module: Any, options: dict[str, str], tmp_path: Path) -> None:
    first = Path(call_module(app_archive, **options)["path"])
    again = Path(call_module(app_archive, **{**options, "directory": str(tmp_path / "again")})["path"])
    assert (first.name, first.read_bytes()) == (again.name, again.read_bytes())


@pytest.mark.parametrize("name", ["requirements/agent.txt", "plugins/module_utils/core.py", "apps/agent/main.py"])
def test_a_changed_source_gives_another_version(call_module: Any, options: dict[str, str], name: str) -> None:
    before = call_module(app_archive, check=True, **options)["version"]
    path = Path(options["collection_directory"], name)
    path.write_text(path.read_text() + "# changed\n")
    assert call_module(app_archive, check=True, **options)["version"] != before


def test_faults_are_named_and_leave_nothing(call_module: Any, options: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    message = call_module(app_archive, **options)["msg"]
    assert "requirements/agent.txt could not be fetched on the controller: no matching distribution" in message
    assert list(Path(options["directory"]).glob("*")) == []
    message = call_module(app_archive, **{**options, "app": "registry"})["msg"]
    assert "has no requirements/registry.txt; give the folder of bocage.fleet." in message
    Path(options["collection_directory"], "galaxy.yml").write_text("name: fleet\n")
    assert "does not say its version" in call_module(app_archive, **options)["msg"]
