# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signed change as one file (tar) that travels to the publisher.

Nothing is believed of it: members have one of a few forms of names, are plain files, and come in bounded numbers and
sizes; `repository_publish.commit` checks what is in them.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .._common.errors import BadInput
from .._common.refused import Refused
from . import repository_layout as layout
from .repository_edit import Change

MAX_MEMBERS = 20_000
MAX_LIST_BYTES = 64 * 1024 * 1024
_LIST = re.compile(r"lists/([a-z][a-z0-9-]{0,80})\.json")
_FILE = re.compile(r"files/([0-9]{1,6})")
_ROOT, _NAMES = "root.json", "names"


def write_change(change: Change, path: Path) -> int:
    """Write a change for `read_change`; the number of bytes of its files is the answer. Raises BadInput."""
    brought = 0
    names = sorted(change.files)
    try:
        temporary = path.with_name(f".{path.name}.new")
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
            if change.root is not None:
                _add(archive, _ROOT, change.root)
            for role in sorted(change.lists):
                _add(archive, f"lists/{role}.json", change.lists[role])
            _add(archive, _NAMES, "\n".join(names).encode())
            for number, name in enumerate(names):
                brought += change.files[name].stat().st_size
                archive.add(change.files[name], f"files/{number}", recursive=False, filter=_plain)
        temporary.replace(path)
    except OSError as error:
        raise BadInput(f"The change cannot be written to {path}: {error.strerror} ({error.filename}).") from error
    return brought


def read_change(path: Path, folder: Path) -> Change:
    """The change of a file; what it brings is laid into `folder`, which is empty. Raises Refused or BadInput."""
    change = Change()
    names: list[str] = []
    try:
        with tarfile.open(path, "r:") as archive:
            for member in _members(archive):
                if member.name == _NAMES:
                    names = _read(archive, member).decode("utf-8", "strict").split("\n")
                elif member.name == _ROOT:
                    change.root = _read(archive, member)
                elif found := _LIST.fullmatch(member.name):
                    change.lists[found[1]] = _read(archive, member)
                else:
                    number = int(_known(_FILE.fullmatch(member.name), member.name)[1])
                    if number >= len(names):
                        raise _refused(f"has a file {number} without a name")
                    name, laid = _stored(names[number]), folder / str(number)
                    _lay(archive, member, laid)
                    change.files[name] = laid
    except (tarfile.TarError, UnicodeDecodeError, EOFError) as error:
        raise _refused("is no change, or ends too early") from error
    except OSError as error:
        raise BadInput(f"The change {path} cannot be read: {error.strerror or error}.") from error
    if {name for name in names if name} != change.files.keys():
        raise _refused("does not bring all files that it names, or ends too early")
    return change


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    seen: set[str] = set()
    for count, member in enumerate(archive, 1):
        if count > MAX_MEMBERS:
            raise _refused(f"has more than {MAX_MEMBERS} members")
        if not member.isreg() or member.name in seen:
            raise _refused(f"has a member that is no plain file or comes twice: {ascii(member.name)[:80]}")
        seen.add(member.name)
        yield member


def _known(found: re.Match[str] | None, name: str) -> re.Match[str]:
    if found is None:
        raise _refused(f"has an unknown member: {ascii(name)[:80]}")
    return found


def _stored(name: str) -> str:
    """A name below `public/` as a change gives it; whether it is that of a target is checked with the lists."""
    parts = name.split("/")
    if parts[0] != layout.TARGETS or any(part in ("", ".", "..") for part in parts) or len(name) > 700:
        raise _refused(f"names a file that is none of a target: {ascii(name)[:80]}")
    return name


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > MAX_LIST_BYTES:
        raise _refused(f"has {member.name} of {member.size} bytes")
    return _stream(archive, member).read()


def _stream(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise _refused(f"has a member without content: {ascii(member.name)[:80]}")
    return stream


def _lay(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.size > layout.MAX_TARGET_BYTES:
        raise _refused(f"has {member.name} of {member.size} bytes")
    source = _stream(archive, member)
    with path.open("xb") as target:
        while piece := source.read(1 << 20):
            target.write(piece)
    if path.stat().st_size != member.size:
        raise _refused("ends too early")


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    archive.addfile(member, io.BytesIO(data))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Neither owner nor time: the same change is the same file."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _refused(what: str) -> Refused:
    return Refused("malformed", f"The change {what}; make it anew.")
