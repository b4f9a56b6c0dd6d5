# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file `WAPT/manifest.sha256` of a package: every file in it with its SHA-256.

A compact list in JSON of `[path, hexadecimal digest]`, WAPT's format. It names the control file and the certificates,
and not itself nor its signature.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from .._common.errors import BadInput, opening
from .._common.refused import Refused
from . import wapt_json

NAME = "WAPT/manifest.sha256"
SIGNATURE_NAME = "WAPT/signature.sha256"
# What stands beside what is signed.
UNSIGNED_NAMES = frozenset({NAME, SIGNATURE_NAME})
MAX_BYTES = 16 << 20
MAX_FILES = 65536
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_PATH_CHARACTERS = 1024


def parse_manifest(raw: bytes, what: str = "the manifest", maximum: int = MAX_BYTES) -> dict[str, str]:
    """The digest of each file by its path, in the manifest's order. Raises Refused."""
    start = opening(what)
    listed = wapt_json.loads(raw, what, maximum)
    if not isinstance(listed, list) or len(listed) > MAX_FILES:
        raise Refused("malformed", f"{start} is not a list of at most {MAX_FILES} files.")
    digests: dict[str, str] = {}
    for pair in listed:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise Refused("malformed", f"{start} has an entry that is not a path and a digest.")
        path, digest = pair
        if not _DIGEST.fullmatch(digest):
            raise Refused("malformed", f"{start} has no SHA-256 for {_shown(path)}.")
        if wrong := _unusable(path):
            raise Refused("malformed", f"{start} names {_shown(path)}, {wrong}.")
        if path in digests:
            raise Refused("malformed", f"{start} names {_shown(path)} twice.")
        digests[path] = digest
    return digests


def render_manifest(digests: Mapping[str, str]) -> bytes:
    """The manifest of the files with these digests, sorted by path: the same bytes for the same files.

    Raises BadInput.
    """
    if len(digests) > MAX_FILES:
        raise BadInput(
            f"A package may have at most {MAX_FILES} files and this one has {len(digests)}; pack some together."
        )
    for path, digest in digests.items():
        if wrong := _unusable(path):
            raise BadInput(f"The file {_shown(path)} cannot be in a package: it is {wrong}.")
        if not _DIGEST.fullmatch(digest):
            raise BadInput(f"The file {_shown(path)} has no SHA-256 in lower case.")
    return wapt_json.dumps([[path, digests[path]] for path in sorted(digests)])


def compare(manifest: Mapping[str, str], found: Mapping[str, str], what: str = "the package") -> None:
    """Raise Refused unless `found`, the digests of all files of a package, are those of its manifest exactly."""
    start = opening(what)
    names = found.keys() - UNSIGNED_NAMES
    if extra := names - manifest.keys():
        raise Refused("altered", f"{start} has files that its manifest does not name: {_listed(extra)}.")
    if missing := manifest.keys() - names:
        raise Refused("altered", f"{start} lacks files that its manifest names: {_listed(missing)}.")
    if changed := [path for path in names if manifest[path] != found[path]]:
        raise Refused("altered", f"{start} has files that are not as its manifest says: {_listed(changed)}.")


def _unusable(path: str) -> str:
    """What is wrong with a path, as a clause; a path is relative, with slashes, and stays inside."""
    if path in UNSIGNED_NAMES:
        return "a file that stands outside of the manifest"
    if not path or len(path) > _MAX_PATH_CHARACTERS or "\x00" in path or "\\" in path:
        return "a path that no file can have"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "a path that leads elsewhere"
    return ""


def _listed(paths: Collection[str]) -> str:
    shown = ", ".join(_shown(path) for path in sorted(paths)[:5])
    return shown + (", ..." if len(paths) > 5 else "")


def _shown(path: str) -> str:
    return ascii(path[:80])[1:-1]
