# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest version of a package by an index `Packages` of another estate, of which each entry is judged.

Nobody can see from an index what it leaves out or whether it is an old one, so whoever imports looks at the difference.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bocage_core._common import atomic
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import index
from bocage_core._packages.versions import Version

from . import fetching
from .answers import plain
from .fetching import Fetched

if TYPE_CHECKING:
    from bocage_core._packages.certificates import Trust
    from bocage_core._packages.index import Entry, Index

_FILE_NAME = re.compile(r"[^/\\\x00-\x20\x7f]{1,250}\.wapt")
_SIZE = re.compile(r"[0-9]{1,15}")
# What an entry may be asked for, and the words with which it is for everybody.
_WIDE = {"architecture": ("", "all"), "locale": ("", "all"), "maturity": ()}


def read(place: str, trust: Trust, at: datetime, folder: Path) -> Index:
    """Raises Refused where it is no index, BadInput or BocageError where it cannot be had."""
    found = fetching.fetch(place, index.MAX_BYTES, folder)
    return index.read_index(atomic.read_bounded(found.path, index.MAX_BYTES), trust, at)


def newest(listed: Index, name: str, options: Namespace) -> tuple[Entry, list[str]]:
    """The entry to take, and what of that name is not accepted. Raises Refused or BadInput."""
    refused = [one.reason for one in listed.discarded if one.name.partition("=")[0] == name]
    mine = [one for one in listed.accepted if one.control.package == name]
    if not mine:
        if refused:
            raise Refused("untrusted_signer", f"The index has no {plain(name)[:80]} that is accepted: {refused[0]}")
        raise BadInput(f"The index has no package {plain(name)[:80]}; verify-index says which it has.")
    fitting = [(version, one) for one in mine if _fits(one, options) and (version := _version(one)) is not None]
    if not fitting:
        raise BadInput(f"The index has no {plain(name)[:80]} of a version and kind that was asked for.")
    highest = max(version for version, _one in fitting)
    best = [one for version, one in fitting if version == highest]
    if len(best) > 1:
        raise BadInput(
            f"The index has {len(best)} files of {plain(best[0])}: {_files(best)}; say which with --architecture,"
            " --maturity or --locale, or give the URL of one."
        )
    return best[0], refused


def fetch(place: str, entry: Entry, folder: Path) -> Fetched:
    """The file of an entry, when its size and digest are those that the index says; nobody has looked into it yet.

    Raises Refused, BadInput or BocageError.
    """
    name, size, md5sum = (entry.unsigned.get(key, "") for key in index.UNSIGNED)
    if not _FILE_NAME.fullmatch(name) or not _SIZE.fullmatch(size) or not md5sum:
        raise Refused("malformed", f"The index does not say name, size and MD5 of the file of {plain(entry)}.")
    if int(size) > fetching.MAX_PACKAGE_BYTES:
        raise Refused("oversized", f"The index says that {plain(entry)} has {size} bytes, which is too much.")
    found = fetching.fetch(fetching.beside(place, name), int(size), folder)
    if found.size != int(size) or found.md5sum != md5sum:
        raise Refused("wrong_target", f"The file {plain(name)} has another size or MD5 than the index says.")
    return found


def _fits(entry: Entry, options: Namespace) -> bool:
    for key, wide in _WIDE.items():
        wanted: str | None = getattr(options, key)
        words = [word.strip().lower() for word in entry.control.get(key).split(",")]
        if wanted is not None and wanted.lower() not in words and not set(words) & set(wide):
            return False
    return True


def _version(entry: Entry) -> Version | None:
    """One that is none cannot be compared, and no host would take it."""
    try:
        return Version.parse(entry.control.version)
    except BadInput:
        return None


def _files(entries: Sequence[Entry]) -> str:
    return ", ".join(plain(one.unsigned.get("filename", "without a file"))[:100] for one in entries[:5])
