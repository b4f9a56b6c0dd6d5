# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that are read by their form are those that Python finds."""

from __future__ import annotations

import ast
from pathlib import Path

from ansible_collections.bocage.fleet.plugins.plugin_utils import role_content

ROOT = Path(__file__).resolve().parents[4]
PREFIX = "ansible_collections.bocage.fleet.plugins."


def by_syntax_tree(path: Path) -> set[Path]:
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            module = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        elif (node.module or "").startswith(PREFIX):
            module = (ROOT / "plugins").joinpath(*(node.module or "").removeprefix(PREFIX).split("."))
        else:
            continue
        found.update((module.with_suffix(".py"), *(module / f"{alias.name}.py" for alias in node.names)))
    return {one for one in found if one.is_file()}


def test_imports_of_every_plugin_and_library() -> None:
    files = sorted((ROOT / "plugins").rglob("*.py"))
    assert len(files) > 100
    seen = 0
    for path in files:
        found = role_content._imports(ROOT / "plugins", path)
        assert found == by_syntax_tree(path), path
        seen += len(found)
    assert seen > 200
