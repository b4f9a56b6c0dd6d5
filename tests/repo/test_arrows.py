# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports go one way: plugins and apps to the library, each domain of the library to the common part."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import tree

LIBRARY = "plugins/module_utils/"
PYTHON = [name for name in tree.tracked() if name.endswith(".py")]
OWN = ("ansible", "ansible_collections")
COLLECTION = "ansible_collections.bocage.fleet.plugins."


def imports(name: str) -> set[str]:
    """Full names of the modules that a file imports; relative ones as paths from the root with dots."""
    found: set[str] = set()
    for node in ast.walk(tree.tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            # what is imported may itself be a module
            found |= {node.module or ""} | {f"{node.module}.{one.name}" for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = Path(name).parent.parts[: len(Path(name).parent.parts) - node.level + 1]
            start = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
            found |= {start} | {f"{start}.{one.name}" for one in node.names}
    return found


def names_of(requirements: str) -> set[str]:
    """Import names of the distributions that a list of requirements names."""
    given = re.findall(r"^([A-Za-z][A-Za-z0-9_-]*)", tree.read(requirements), re.MULTILINE)
    return {
        {"ansible-core": "ansible", "pyyaml": "yaml"}.get(one.lower(), one.lower().replace("-", "_")) for one in given
    }


def foreign(name: str) -> set[str]:
    """Top-level packages that are neither Python's nor the project's."""
    tops = {one.partition(".")[0] for one in imports(name)}
    return tops - set(sys.stdlib_module_names) - {"plugins", "apps", "bocage_core", ""}


@pytest.mark.parametrize("name", [one for one in PYTHON if one.startswith(LIBRARY)])
def test_the_library_imports_its_domain_and_the_common_part(name: str) -> None:
    domain = name.removeprefix(LIBRARY).partition("/")[0]
    for one in imports(name):
        assert one.partition(".")[0] not in (*OWN, "bocage_core"), f"{one}: the library knows no Ansible"
        assert not one.startswith("apps"), f"{one}: the library knows no program"
        if one.startswith("plugins."):
            inside = one.split(".")
            assert inside[1] == "module_utils", f"{one}: the library knows no plugin"
            if len(inside) > 2:
                assert inside[2] in (domain, "_common"), f"{one}: {domain} may not use another domain"


@pytest.mark.parametrize("name", [one for one in PYTHON if one.startswith("apps/")])
def test_a_program_imports_itself_and_the_library(name: str) -> None:
    own = name.split("/")[1]
    for one in imports(name):
        assert one.partition(".")[0] not in OWN, one
        assert not one.startswith("plugins"), f"{one}: programs import the library as bocage_core"
        if one.startswith("apps."):
            assert one.split(".")[1] == own, f"{one}: a program uses no other program"
    # the lock, as fastapi is made of pydantic and starlette
    assert foreign(name) <= names_of(f"requirements/{own}.txt")


@pytest.mark.parametrize("name", [one for one in PYTHON if one.startswith("plugins/") and not one.startswith(LIBRARY)])
def test_a_plugin_imports_the_library_by_its_full_name(name: str) -> None:
    kind = name.split("/")[1]
    for one in imports(name):
        assert not one.startswith(("apps.", "bocage_")), f"{one}: plugins know no program"
        # relative: only among the helpers of plugins
        assert not one.startswith("plugins.") or (kind == "plugin_utils" and one.startswith("plugins.plugin_utils")), (
            one
        )
        if one.startswith(COLLECTION):
            target = one.removeprefix(COLLECTION).partition(".")[0]
            allowed = {"module_utils"} if kind in ("modules", "doc_fragments") else {"module_utils", "plugin_utils"}
            assert target in allowed, one
    # PyYAML and Jinja2 come with Ansible
    assert foreign(name) - {"ansible_collections"} <= names_of("requirements/runtime.in") | {"yaml", "jinja2"}


def test_the_library_uses_no_more_than_the_controller_installs() -> None:
    used = {one for name in PYTHON if name.startswith(LIBRARY) for one in foreign(name)}
    assert used <= names_of("requirements/runtime.in")


@pytest.mark.parametrize("app", ["agent", "packager", "registry", "segments"])
def test_a_program_has_what_the_library_uses(app: str) -> None:
    """What an archive holds is enough for the parts of the library that the program imports, step by step."""
    known = {
        name.removeprefix(LIBRARY).removesuffix(".py").replace("/", "."): name for name in PYTHON if LIBRARY in name
    }
    waiting = [
        one.removeprefix("bocage_core.")
        for name in PYTHON
        if name.startswith(f"apps/{app}/")
        for one in imports(name)
        if one.startswith("bocage_core.")
    ]
    seen: set[str] = set()
    used: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen or module not in known:
            continue
        seen.add(module)
        used |= foreign(known[module])
        waiting += [one.removeprefix("plugins.module_utils.") for one in imports(known[module])]
    assert seen
    assert used <= names_of(f"requirements/{app}.in")
