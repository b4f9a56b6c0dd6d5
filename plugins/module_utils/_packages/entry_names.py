# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of files inside packages: what is refused on every system, which two are one, and which are executed.

A package is built on one system and unpacked on others; a name has to mean one file, inside the folder, on each.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

MAX_NAME_BYTES = 1024
MAX_PART_BYTES = 255

CONTROL = "WAPT/control"
CERTIFICATE = "WAPT/certificate.crt"
MANIFEST = "WAPT/manifest.sha256"
SIGNATURE = "WAPT/signature.sha256"
ICON = "WAPT/icon.png"
# The two that the manifest cannot list, since they are made from it.
UNLISTED = frozenset({MANIFEST, SIGNATURE})

# What an agent runs: a program named setup in the package's own folder, and everything in the folder of our hooks.
_PROGRAM = "setup"
_PROGRAM_SUFFIXES = frozenset({".py", ".pyc", ".pyo", ".pyw", ".pyd", ".so", ".ps1"})
_HOOKS = "bocage/hooks/"


def problem(name: str) -> str:
    """Why a name is refused, as the end of a sentence; empty when it is good. A folder's name ends with ``/``."""
    if not name or name == "/":
        return "is empty"
    try:
        length = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "holds half of a character"
    if length > MAX_NAME_BYTES:
        return f"has more than {MAX_NAME_BYTES} bytes"
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "holds a control character"
    if "\\" in name:
        return "holds a backslash, which separates folders on Windows"
    if ":" in name:
        return "holds a colon, which stands for a drive or a hidden stream on Windows"
    if name.startswith("/"):
        return "is absolute"
    parts = name.removesuffix("/").split("/")
    if any(part.strip(" .") == "" for part in parts):
        return "has a part that is empty or leads elsewhere"
    if any(len(part.encode("utf-8")) > MAX_PART_BYTES for part in parts):
        return f"has a part of more than {MAX_PART_BYTES} bytes"
    return ""


def folded(name: str) -> str:
    """One spelling for all names that some system takes for one file: case, accents, invisible signs, loose ends."""
    # Where a system ignores case it does so after composing, and some ignore signs that are not drawn.
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    visible = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return "/".join(part.rstrip(" .") for part in visible.split("/"))


def collision(files: Iterable[str], folders: Iterable[str] = ()) -> str:
    """The first name that some system takes for another one of the list, or for a folder of it; empty for none."""
    seen: dict[str, str] = {}
    for name in files:
        if (key := folded(name)) in seen:
            return name
        seen[key] = name
    needed: set[str] = set()
    for name in seen:
        start = name.rfind("/")
        # The folders above are known as soon as one of them is.
        while start > 0 and (above := name[:start]) not in needed:
            needed.add(above)
            start = above.rfind("/")
    distinct: set[str] = set()
    for name in folders:
        key = folded(name.removesuffix("/"))
        if key in distinct:
            return name
        distinct.add(key)
        needed.add(key)
        needed.update(str(above) for above in PurePosixPath(key).parents)
    return next((seen[key] for key in seen if key in needed), "")


def executables(files: Iterable[str]) -> tuple[str, ...]:
    """The files that are executed on a host, in whatever spelling they come."""
    return tuple(name for name in files if _is_executable(folded(name)))


def _is_executable(name: str) -> bool:
    if name.startswith(_HOOKS):
        return True
    path = PurePosixPath(name)
    if path.parts[:1] == ("__pycache__",):
        return path.name.partition(".")[0] == _PROGRAM
    return len(path.parts) == 1 and name.partition(".")[0] == _PROGRAM and path.suffix in _PROGRAM_SUFFIXES
