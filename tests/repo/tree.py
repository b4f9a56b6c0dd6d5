# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree as the tests of this folder read it: files that git knows, and what they say of themselves."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
# The committed link to the tree itself.
LINK = "collections/ansible_collections/bocage/fleet"
# Data that others judged or published, kept as they gave it; each folder says where it is from.
VECTORS = ("tests/vectors/wapt/", "tests/vectors/wycheproof/")


def git_files(*arguments: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z", *arguments], cwd=ROOT, capture_output=True, check=True)
    return [name for name in done.stdout.decode().split("\0") if name and name != LINK]


@cache
def tracked() -> tuple[str, ...]:
    names = git_files("--cached", "--others", "--exclude-standard")
    return tuple(name for name in names if not name.startswith(VECTORS) and (ROOT / name).is_file())


@cache
def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(read(name), name)


@cache
def constants(name: str) -> dict[str, ast.expr]:
    """What a file assigns to names at its top level."""
    found: dict[str, ast.expr] = {}
    for statement in tree_of(name).body:
        if isinstance(statement, ast.Assign):
            found.update({one.id: statement.value for one in statement.targets if isinstance(one, ast.Name)})
    return found


class _Constants(dict[str, Any]):
    """Names of a file, worked out when they are asked for."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __missing__(self, key: str) -> Any:
        return value(self._name, constants(self._name)[key])


def value(name: str, expression: ast.expr) -> Any:
    """What an expression of a file gives, where its names stand for constants of the same file."""
    return eval(compile(ast.Expression(expression), name, "eval"), {}, _Constants(name))


def document(name: str, title: str) -> Any:
    """DOCUMENTATION or RETURN of a plugin, parsed; None where there is none."""
    return next(iter(documents(name, title)), None)


def documents(name: str, title: str) -> list[Any]:
    """The same for EXAMPLES, which may be several documents."""
    expression = constants(name).get(title)
    return [] if expression is None else list(yaml.safe_load_all(value(name, expression)))


def plugins(*kinds: str) -> list[str]:
    """Files of plugins of these kinds."""
    return [
        name
        for name in tracked()
        if name.endswith(".py") and name.startswith(tuple(f"plugins/{kind}/" for kind in kinds))
    ]


def roles() -> list[str]:
    return sorted({name.split("/")[1] for name in tracked() if name.startswith("roles/")})


def tested_text() -> str:
    """All that unit tests, tests of the estate and scenarios say, but not what they are called."""
    return "\n".join(
        read(name)
        for name in tracked()
        if name.startswith(("tests/unit/", "tests/estate/", "molecule/")) and name.endswith((".py", ".yml"))
    )


def links(page: str) -> list[str]:
    """Relative targets of the links and pictures of a page, without their anchors; code is no page."""
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target.partition("#")[0] for target in found if not re.match(r"[a-z]+:|#", target)]
