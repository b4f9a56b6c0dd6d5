# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the file and line where an inventory says something.

Ansible does not tell plugins where a value came from, so this looks for the key
again in the files that may hold it. It serves messages only: a place that cannot
be found is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# The key that a line of YAML or INI begins with, or the host that an INI line begins with.
_LINE = re.compile(r"""(?P<indent>\s*)(?:-\s+)?["']?(?P<key>[\w./-]+)["']?\s*(?::(?=\s|$)|=|\s\w+\s*=|$)""")
_SUFFIXES = ("", ".yml", ".yaml", ".json", ".ini", ".toml")
_LARGEST_FILE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class _Entry:
    number: int
    indent: int
    text: str


@dataclass
class _File:
    """The lines of one file that begin with a key, and where each key stands."""

    entries: list[_Entry] = field(default_factory=list)
    by_key: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> _File:
        file = cls()
        try:
            if path.stat().st_size > _LARGEST_FILE_BYTES:
                return file
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return file  # not a text file that we may read: its values have no place in messages
        for number, text in enumerate(lines, start=1):
            match = _LINE.match(text)
            if match:
                file.by_key.setdefault(match["key"], []).append(len(file.entries))
                file.entries.append(_Entry(number, len(match["indent"]), text))
        return file

    def find(self, path: Sequence[str], required: int) -> int | None:
        """The line of the deepest key of a path, when at least the required first keys are there."""
        for position in self.by_key.get(path[0], ()):
            depth, line = 1, self.entries[position].number
            for key in path[1:]:
                below = self._below(position, key)
                if below is None:
                    break
                position, depth, line = below, depth + 1, self.entries[below].number
            if depth >= required:
                return line
        return None

    def _below(self, position: int, key: str) -> int | None:
        """The entry of a key inside the block of another, which may be written on one line."""
        entry = self.entries[position]
        if re.search(rf"""[\s{{,]["']?{re.escape(key)}["']?\s*[:=]""", entry.text):
            return position
        for candidate in range(position + 1, len(self.entries)):
            if self.entries[candidate].indent <= entry.indent:
                return None
            if candidate in self.by_key.get(key, ()):
                return candidate
        return None


class VariableSources:
    """The files of an inventory, read when a place in them is asked for."""

    def __init__(
        self,
        sources: Sequence[str],
        playbook_folder: str | None,
        groups: Mapping[str, Sequence[str]],
        relative_to: Path,
        extra_variables: Collection[str] = (),
    ) -> None:
        self._sources = [Path(source) for source in sources if "," not in source]
        folders = [source if source.is_dir() else source.parent for source in self._sources]
        if playbook_folder:
            folders.append(Path(playbook_folder))
        self._folders = list(dict.fromkeys(folders))
        self._groups_of: dict[str, set[str]] = {}
        for group, members in groups.items():
            for host in members:
                self._groups_of.setdefault(host, set()).add(group)
        self._relative_to = relative_to
        self._extra_variables = extra_variables
        self._files: dict[Path, _File] = {}
        self._inventory: list[Path] | None = None

    def locate(self, path: Sequence[str], host: str | None = None) -> str | None:
        """The "file:line" of a variable, as one host sees it, or of a host; or nothing."""
        if path and path[0] in self._extra_variables:
            return "extra variables"
        if not path:
            return next(self._search(self._inventory_files(), (str(host),), 1), None)
        groups = None if host is None else self._groups_of.get(host, set())
        # The most specific place first, as in Ansible's precedence.
        if host is not None:
            for place in self._search(self._vars_files("host_vars", {host}), path, 1):
                return place
            for place in self._search(self._inventory_files(), (host, *path), 2):
                return place
        for place in self._search(self._vars_files("group_vars", groups), path, 1):
            return place
        return next(self._search(self._inventory_files(), path, 1), None)

    def _search(self, files: Iterator[Path], path: Sequence[str], required: int) -> Iterator[str]:
        for name in files:
            if name not in self._files:
                self._files[name] = _File.read(name)
            line = self._files[name].find(path, required)
            if line is not None:
                shown = name.relative_to(self._relative_to) if name.is_relative_to(self._relative_to) else name
                yield f"{shown}:{line}"

    def _vars_files(self, kind: str, names: set[str] | None) -> Iterator[Path]:
        """Files of group_vars or host_vars, of these names or of all."""
        for folder in self._folders:
            parent = folder / kind
            if not parent.is_dir():
                continue
            for entry in sorted(parent.iterdir()):
                if names is not None and entry.name not in {name + suffix for name in names for suffix in _SUFFIXES}:
                    continue
                if entry.is_dir():
                    yield from (file for file in sorted(entry.rglob("*")) if file.is_file())
                elif entry.is_file():
                    yield entry

    def _inventory_files(self) -> Iterator[Path]:
        if self._inventory is None:
            self._inventory = []
            for source in self._sources:
                if source.is_file():
                    self._inventory.append(source)
                elif source.is_dir():
                    self._inventory += [file for file in sorted(source.iterdir()) if file.is_file()]
        return iter(self._inventory)
