# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seal observes of packages: version and files, also of all that they need.

dpkg's own tables are read once instead of asking dpkg for each package. Files that packages declare as configuration
are kept apart from the others: another role may own one of them, and its seal then answers for it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from .observe_files import ABSENT, Observed, entry_lines

_ADMIN = "/var/lib/dpkg"
_NAME = re.compile(rb"[a-z0-9][a-z0-9+.-]*")
_INSTALLED = (b"installed", b"triggers-pending", b"triggers-awaited")


class Packages:
    """The packages of a host whose root is `root`; an empty text is the real one."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._bytes_root = os.fsencode(root)
        self._found: dict[str, Observed] = {}
        self._stanzas: dict[bytes, bytes] | None = None
        self._provided: dict[bytes, list[bytes]] | None = None
        self._moved: dict[bytes, tuple[bytes, bytes]] | None = None

    def package(self, name: str) -> Observed:
        """State, version, and the digests of the package's files."""
        if name not in self._found:
            try:
                self._found[name] = self._observe(name.encode())
            except OSError as error:
                reason = f"{error.strerror}: {error.filename}"
                self._found[name] = {"error": f"the package {name} cannot be looked at: {reason}."}
        return self._found[name]

    def closure(self, names: Iterable[str]) -> list[str]:
        """All installed packages that these need, directly or not, without themselves."""
        given = {name.encode() for name in names}
        seen, waiting = set(given), list(given)
        while waiting:
            for name in self._needs(waiting.pop()):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return sorted(name.decode() for name in seen - given)

    def altered(self, name: str, since_ns: int, most: int = 3) -> list[str]:
        """Files of a package whose inode changed since a moment; what was removed leaves no such trace."""
        found = []
        for path in self._files(name.encode()):
            try:
                status = os.lstat(self._bytes_root + path)
                if status.st_ctime_ns >= since_ns and not stat.S_ISDIR(status.st_mode):
                    found.append(os.fsdecode(path))
            except OSError:
                continue
            if len(found) == most:
                break
        return found

    def _observe(self, name: bytes) -> Observed:
        stanza = self._known().get(name)
        if stanza is None:
            return ABSENT
        state = _field(stanza, b"Status").rpartition(b" ")[2]
        if state not in _INSTALLED:
            left = state in (b"config-files", b"not-installed")
            return ABSENT if left else {"state": state.decode("utf-8", "replace")}
        configuration = set(_conffiles(stanza))
        lines = entry_lines(self._bytes_root, (path for path in self._files(name) if path not in configuration))
        return {
            "state": "present",
            "version": _field(stanza, b"Version").decode("utf-8", "replace"),
            "files": hashlib.sha256(b"\n".join(lines)).hexdigest(),
            "conffiles": {
                os.fsdecode(path): hashlib.sha256(b"".join(entry_lines(self._bytes_root, [path]))).hexdigest()
                for path in sorted(configuration)
            },
        }

    def _files(self, name: bytes) -> list[bytes]:
        """The paths that dpkg lists, with folders."""
        stanza, short = self._known()[name], name.partition(b":")[0]
        full = b"%b:%b" % (short, _field(stanza, b"Architecture"))
        for file_name in (full, short) if b"\nMulti-Arch: same\n" in stanza else (short, full):
            try:
                listed = self._table(f"info/{file_name.decode()}.list").split(b"\n")
                break
            except FileNotFoundError:
                continue
        else:
            return []
        files = [path for path in listed if path]
        moved = self._diversions()
        if not moved.keys().isdisjoint(files):
            for place, path in enumerate(files):
                target, owner = moved.get(path, (path, short))
                files[place] = path if owner == short else target
        return files

    def _needs(self, name: bytes) -> Iterator[bytes]:
        stanza = self._known().get(name, b"")
        for field in (b"Pre-Depends", b"Depends"):
            for group in _field(stanza, field).split(b","):
                names = [match[0] for one in group.split(b"|") if (match := _NAME.match(one.strip()))]
                present = [one for one in names if self._installed(one)]
                # where nothing of that name is there, something must provide it
                yield from present or [by for one in names for by in self._providers().get(one, ())]

    def _installed(self, name: bytes) -> bool:
        stanza = self._known().get(name)
        return stanza is not None and _field(stanza, b"Status").endswith(_INSTALLED)

    def _known(self) -> dict[bytes, bytes]:
        """Stanzas of dpkg's table by name, and by name and architecture."""
        if self._stanzas is None:
            self._stanzas = {}
            for stanza in self._table("status").split(b"\n\n"):
                if stanza.startswith(b"Package: "):
                    name = stanza[9 : stanza.find(b"\n")].strip()
                    self._stanzas.setdefault(name, stanza)
                    self._stanzas[b"%b:%b" % (name, _field(stanza, b"Architecture"))] = stanza
        return self._stanzas

    def _providers(self) -> dict[bytes, list[bytes]]:
        if self._provided is None:
            self._provided = {}
            for name, stanza in self._known().items():
                if b":" not in name and b"\nProvides: " in stanza and self._installed(name):
                    for one in _field(stanza, b"Provides").split(b","):
                        if match := _NAME.match(one.strip()):
                            self._provided.setdefault(match[0], []).append(name)
        return self._provided

    def _diversions(self) -> dict[bytes, tuple[bytes, bytes]]:
        """Where a file lies that one package moved out of the way of its own: path to (new path, that package)."""
        if self._moved is None:
            try:
                lines = self._table("diversions").split(b"\n")
            except FileNotFoundError:
                lines = []
            self._moved = {
                source: (target, owner)
                for source, target, owner in zip(lines[0::3], lines[1::3], lines[2::3], strict=False)
            }
        return self._moved

    def _table(self, name: str) -> bytes:
        # hundreds of them: a Path for each costs more than reading it
        with open(f"{self._root}{_ADMIN}/{name}", "rb", buffering=0) as stream:  # noqa: PTH123
            return stream.read()


def _field(stanza: bytes, name: bytes) -> bytes:
    """The text of a field of one line; empty where there is none."""
    start = stanza.find(b"\n%b: " % name)
    if start < 0:
        return b""
    end = stanza.find(b"\n", start + 1)
    return stanza[start + len(name) + 3 : end if end >= 0 else None].strip()


def _conffiles(stanza: bytes) -> Iterator[bytes]:
    """Configuration that the package still ships; each line has a path and a digest."""
    start = stanza.find(b"\nConffiles:\n")
    if start >= 0:
        for line in stanza[start + 12 :].split(b"\n"):
            if not line.startswith(b" "):
                return
            words: list[Any] = line.split()
            if len(words) == 2:
                yield words[0]
