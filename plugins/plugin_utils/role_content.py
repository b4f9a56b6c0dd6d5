# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role is made of: its files, those of the roles it imports, and the code of the collection that they call.

A new release that changes a module changes what the role makes of the same variables, so the module belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ansible.errors import AnsibleError

_PREFIX = "ansible_collections.bocage.fleet.plugins."
_IMPORT = re.compile(r"^\s*from (\.*)([\w.]*) import (\([^)]*\)|[^\n(]+)", re.MULTILINE)
_NAME = re.compile(rb"\bbocage\.fleet\.([a-z0-9_]+)")
# How roles outside of the collection name each other.
_BARE_NAME = re.compile(rb"""\bname:\s*["']?([a-z0-9_]+)\b""")
# Elsewhere, as in descriptions of options, a name calls nothing.
_CODE = ("tasks/", "handlers/", "templates/")
# Where a name of the collection can lead to; all that exist are taken.
_KINDS = ("modules", "action", "filter", "lookup", "test")


@dataclass(frozen=True)
class RoleContent:
    roles: dict[str, Path]
    """Names and folders: the role itself first, then those that it imports."""
    parts: dict[str, bytes]


@lru_cache(maxsize=64)
def role_content(root: Path, role: str, further: tuple[Path, ...] = ()) -> RoleContent:
    """The bytes of all that makes a role, by part: one of the collection at `root`, or of the folders `further`.

    Parts are named ``file <path in the role>``, ``file <role>/<path>`` of a role that it imports, ``plugin <kind>/<name>``
    and ``library <path>``. Raises AnsibleError where there is no such role.
    """
    parts: dict[str, bytes] = {}
    plugins: set[Path] = set()
    seen: dict[str, Path] = {}
    waiting = [role]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        folder = _folder(name, root / "roles", *further)
        if folder is None:
            beside = f", nor has {', '.join(map(str, further))}" if further else ""
            raise AnsibleError(f"The collection at {root} has no role {name}{beside}.")
        seen[name] = folder
        for path in _files(folder):
            content = path.read_bytes()
            inside = path.relative_to(folder).as_posix()
            parts[f"file {inside}" if name == role else f"file {name}/{inside}"] = content
            if not inside.startswith(_CODE):
                continue
            for found in {match.decode() for match in _NAME.findall(content)}:
                plugins.update(one for kind in _KINDS if (one := root / "plugins" / kind / f"{found}.py").is_file())
                if _folder(found, root / "roles"):
                    waiting.append(found)
            waiting += [one for match in _BARE_NAME.findall(content) if _folder(one := match.decode(), *further)]
    for path in plugins:
        parts[f"plugin {path.parent.name}/{path.stem}"] = path.read_bytes()
    for path in _libraries(root, plugins):
        parts[f"library {path.relative_to(root / 'plugins').as_posix()}"] = path.read_bytes()
    others = sorted(seen.keys() - {role})
    return RoleContent({name: seen[name] for name in (role, *others)}, dict(sorted(parts.items())))


def _folder(name: str, *places: Path) -> Path | None:
    return next((place / name for place in places if (place / name / "tasks").is_dir()), None)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _libraries(root: Path, plugins: set[Path]) -> set[Path]:
    """The files below ``plugins/module_utils`` and ``plugins/plugin_utils`` that the plugins import, with all that these do."""
    found: set[Path] = set()
    waiting = list(plugins)
    while waiting:
        for path in _imports(root / "plugins", waiting.pop()):
            if path not in found:
                found.add(path)
                waiting.append(path)
    return found


@lru_cache(maxsize=1024)
def _imports(base: Path, path: Path) -> frozenset[Path]:
    """Read by their form, in a tenth of the time of a syntax tree; the linter holds every import to it."""
    found: set[Path] = set()
    for dots, name, imported in _IMPORT.findall(path.read_text(encoding="utf-8")):
        if dots:
            start = path.parents[len(dots) - 1]
            module = start.joinpath(*name.split(".")) if name else start
        elif name.startswith(_PREFIX):
            module = base.joinpath(*name.removeprefix(_PREFIX).split("."))
        else:
            continue
        names = re.findall(r"(\w+)(?: as \w+)?\s*(?:,|$)", imported.strip("()").strip())
        candidates = [module.with_suffix(".py"), *(module / f"{one}.py" for one in names)]
        found.update(candidate for candidate in candidates if candidate.is_file())
    return frozenset(found)
