# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The structure of a ZIP file (PKWARE's APPNOTE 6.3), read so that no two readers can see two archives.

Every byte of the file belongs to exactly one entry, to the directory or to its end: entries follow each other without
gap or overlap from the first byte, and each local header says what the directory says. The library's `zipfile` accepts
much that is refused here (prefixes, comments, gaps, headers that disagree), and so does not serve for it.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from .._common.errors import opening
from .._common.refused import Refused
from . import entry_names

STORED = 0
DEFLATED = 8
UTF8 = 0x800
DESCRIPTOR = 0x8
_KNOWN_FLAGS = 0x6 | DESCRIPTOR | UTF8

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL16 = 0xFFFF
_FULL32 = 0xFFFFFFFF
_ZIP64 = 0x0001
# They give an entry another name or encrypt it.
_REFUSED_EXTRAS = {0x7075: "a second name", 0x9901: "encryption", 0x0017: "encryption"}
_DOS_FOLDER = 0x10
_DOS_REFUSED = 0x400 | 0x8


@dataclass(frozen=True)
class Limits:
    """Caps on what is read; the ratio counts only above `free_bytes`, since small files of zeros are common."""

    entries: int = 65536
    directory_bytes: int = 32 * 1024 * 1024
    file_bytes: int = 64 * 1024**3
    total_bytes: int = 64 * 1024**3
    ratio: int = 100
    free_bytes: int = 32 * 1024 * 1024


class Entry(NamedTuple):
    """One entry of the directory, found equal to its local header."""

    name: str
    """A folder's ends with a slash."""
    method: int
    crc: int
    compressed: int
    size: int
    start: int
    """Where its bytes begin in the file."""
    mode: int
    """The permissions that it was packed with; 0 where they were not kept."""

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


class _Record(NamedTuple):
    raw_name: bytes
    name: str
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    header: int
    mode: int


def read_layout(stream: BinaryIO, what: str, limits: Limits) -> list[Entry]:
    """The entries in the order in which their bytes lie; raises Refused with the first thing that is not clean."""
    length = stream.seek(0, 2)
    if length > limits.file_bytes:
        raise Refused("oversized", f"{opening(what)} has {length} bytes; at most {limits.file_bytes} are accepted.")
    count, start, size = _read_end(stream, length, what)
    if count > limits.entries or size > limits.directory_bytes:
        raise Refused("oversized", f"{opening(what)} has {count} entries; at most {limits.entries} are accepted.")
    stream.seek(start)
    records = _read_directory(_exactly(stream, size, what), count, what)
    _check_names(records, what)
    _check_sizes(records, length, what, limits)
    records.sort(key=lambda record: record.header)
    ends = [record.header for record in records[1:]] + [start]
    if (records[0].header if records else start) != 0:
        raise bad(what, "has bytes in front of its first entry")
    return [_read_local(stream, record, end, what) for record, end in zip(records, ends, strict=True)]


def bad(what: str, reason: str) -> Refused:
    return Refused("bad_archive", f"{opening(what)} {reason}; it was not unpacked.")


def _read_end(stream: BinaryIO, length: int, what: str) -> tuple[int, int, int]:
    """Number of entries, start and size of the directory."""
    if length < _END.size:
        raise bad(what, "is too short for a package")
    stream.seek(length - _END.size)
    end = length - _END.size
    magic, disk, first_disk, here, count, size, start, comment = _END.unpack(_exactly(stream, _END.size, what))
    if magic != b"PK\5\6" or comment:
        raise bad(what, "is not a ZIP file, or has a comment or bytes behind its end")
    tail = b""
    if end >= _LOCATOR.size + _END64.size:
        stream.seek(end - _LOCATOR.size)
        tail = _exactly(stream, _LOCATOR.size, what)
    if tail[:4] == b"PK\6\7":
        _magic, locator_disk, end64, disks = _LOCATOR.unpack(tail)
        if locator_disk or disks != 1 or end64 != end - _LOCATOR.size - _END64.size:
            raise bad(what, "has a misplaced end of its large directory")
        stream.seek(end64)
        wide = _END64.unpack(_exactly(stream, _END64.size, what))
        if wide[0] != b"PK\6\6" or wide[1] != _END64.size - 12:
            raise bad(what, "has an unusual end of its large directory")
        narrow = ((disk, _FULL16), (first_disk, _FULL16), (here, _FULL16), (count, _FULL16))
        for (value, full), other in zip((*narrow, (size, _FULL32), (start, _FULL32)), wide[4:], strict=True):
            if value not in (full, other):
                raise bad(what, "has two ends of its directory that disagree")
        disk, first_disk, here, count, size, start = wide[4:]
        end = end64
    if disk or first_disk or here != count:
        raise bad(what, "is one part of several")
    if start + size != end or count * _CENTRAL.size > size:
        raise bad(what, "has a directory that does not lie directly before its end")
    return count, start, size


def _read_directory(raw: bytes, count: int, what: str) -> list[_Record]:
    records: list[_Record] = []
    position = 0
    for _entry in range(count):
        if position + _CENTRAL.size > len(raw):
            raise bad(what, "has a directory that is cut short")
        fields = _CENTRAL.unpack_from(raw, position)
        magic, _made, _needed, flags, method, _time, _date, crc, compressed, size = fields[:10]
        name_length, extra_length, comment_length, disk, _internal, external, header = fields[10:]
        position += _CENTRAL.size
        raw_name = raw[position : position + name_length]
        extra = raw[position + name_length : position + name_length + extra_length]
        position += name_length + extra_length + comment_length
        if magic != b"PK\1\2" or position > len(raw):
            raise bad(what, "has a directory that cannot be read")
        name = _decoded(raw_name, flags, what)
        wide = _extras(extra, what, name)
        size, compressed, header, disk = _widened(wide, (size, compressed, header), disk, what, name)
        if disk:
            raise bad(what, "is one part of several")
        if flags & ~_KNOWN_FLAGS:
            raise bad(what, f"holds the entry {name!r} that is encrypted or of an unknown kind")
        if method not in (STORED, DEFLATED):
            raise bad(what, f"holds the entry {name!r} that is packed by the unknown method {method}")
        mode = _mode(name, external, what)
        records.append(_Record(raw_name, name, flags, method, crc, compressed, size, header, mode))
    if position != len(raw):
        raise bad(what, "has more in its directory than the number of entries that it says")
    return records


def _decoded(raw: bytes, flags: int, what: str) -> str:
    try:
        # Without the flag a name has no encoding that all readers share.
        return raw.decode("utf-8" if flags & UTF8 else "ascii")
    except UnicodeDecodeError as error:
        raise bad(what, f"holds the name {raw[:80]!r}, which is not marked as UTF-8 or is none") from error


def _extras(raw: bytes, what: str, name: str) -> bytes:
    """The extra field with the large numbers; the others say dates and owners and are not read."""
    wide: bytes | None = None
    position = 0
    while position < len(raw):
        if position + 4 > len(raw):
            raise bad(what, f"has an extra field of {name!r} that cannot be read")
        kind, length = struct.unpack_from("<2H", raw, position)
        value = raw[position + 4 : position + 4 + length]
        position += 4 + length
        if position > len(raw):
            raise bad(what, f"has an extra field of {name!r} that cannot be read")
        if kind in _REFUSED_EXTRAS:
            raise bad(what, f"gives the entry {name!r} {_REFUSED_EXTRAS[kind]} in an extra field")
        if kind == _ZIP64:
            if wide is not None:
                raise bad(what, f"gives the entry {name!r} two pairs of large sizes")
            wide = value
    return wide or b""


def _widened(wide: bytes, numbers: tuple[int, ...], disk: int, what: str, name: str) -> tuple[int, int, int, int]:
    """The numbers with those that were too large taken from the extra field, in the order which the format gives."""
    result: list[int] = []
    position = 0
    for number in numbers:
        if number == _FULL32:
            if position + 8 > len(wide):
                raise bad(what, f"lacks the large sizes of the entry {name!r}")
            number = int.from_bytes(wide[position : position + 8], "little")
            position += 8
        result.append(number)
    if disk == _FULL16:
        disk = int.from_bytes(wide[position : position + 4], "little") if position + 4 <= len(wide) else disk
    return result[0], result[1], result[2], disk


def _mode(name: str, external: int, what: str) -> int:
    """The permissions; raises Refused for what is neither a file nor a folder, or not the one its name says."""
    kind = stat.S_IFMT(external >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise bad(what, f"holds the entry {name!r} that is a link or a device")
    if external & _DOS_REFUSED:
        raise bad(what, f"holds the entry {name!r} that is a link or a device")
    is_folder = name.endswith("/")
    if (kind == stat.S_IFDIR and not is_folder) or (kind == stat.S_IFREG and is_folder):
        raise bad(what, f"holds the entry {name!r} whose kind is not the one that its name says")
    if external & _DOS_FOLDER and not is_folder:
        raise bad(what, f"holds the entry {name!r} whose kind is not the one that its name says")
    return (external >> 16) & 0o777


def _check_names(records: list[_Record], what: str) -> None:
    for record in records:
        if reason := entry_names.problem(record.name):
            raise bad(what, f"holds the name {record.name[:200]!r}, which {reason}")
        if record.name.endswith("/") and record.size:
            raise bad(what, f"holds the folder {record.name!r} with contents of its own")
    files = [record.name for record in records if not record.name.endswith("/")]
    folders = [record.name for record in records if record.name.endswith("/")]
    if twice := entry_names.collision(files, folders):
        raise bad(what, f"holds the name {twice!r} twice, or in two spellings that some systems take for one")


def _check_sizes(records: list[_Record], length: int, what: str, limits: Limits) -> None:
    total = sum(record.size for record in records)
    if total > limits.total_bytes:
        raise Refused(
            "oversized", f"{opening(what)} unpacks to {total} bytes; at most {limits.total_bytes} are accepted."
        )
    for packed, unpacked in [(length, total), *((record.compressed, record.size) for record in records)]:
        if unpacked > limits.free_bytes and unpacked > packed * limits.ratio:
            raise Refused("oversized", f"{opening(what)} unpacks to more than {limits.ratio} times its size: a bomb.")


def _read_local(stream: BinaryIO, record: _Record, end: int, what: str) -> Entry:
    """The entry, once its local header was found equal to its record and its bytes to end where the next begins."""
    stream.seek(record.header)
    fields = _LOCAL.unpack(_exactly(stream, _LOCAL.size, what))
    magic, _needed, flags, method, _time, _date, crc, compressed, size, name_length, extra_length = fields
    variable = _exactly(stream, name_length + extra_length, what)
    name = record.name
    wide = _extras(variable[name_length:], what, name)
    size, compressed, _offset, _disk = _widened(wide, (size, compressed, 0), 0, what, name)
    stated, local = (record.crc, record.compressed, record.size), (crc, compressed, size)
    late = bool(flags & DESCRIPTOR)
    agrees = all(one == other or (late and one == 0) for one, other in zip(local, stated, strict=True))
    same = (magic, flags, method, variable[:name_length]) == (b"PK\3\4", record.flags, record.method, record.raw_name)
    if not agrees or not same:
        raise bad(what, f"says one thing of {name!r} in its directory and another beside its bytes")
    start = record.header + _LOCAL.size + name_length + extra_length
    gap = end - start - record.compressed
    if gap < 0:
        raise bad(what, f"holds the entry {name!r} that overlaps another")
    stream.seek(start + record.compressed)
    if gap and not (late and gap <= 24 and _is_descriptor(_exactly(stream, gap, what), record)):
        raise bad(what, f"has hidden bytes behind the entry {name!r}")
    if late and not gap:
        raise bad(what, f"lacks the sizes behind the entry {name!r}")
    if record.method == STORED and record.compressed != record.size:
        raise bad(what, f"says two sizes of the entry {name!r}")
    return Entry(name, record.method, record.crc, record.compressed, record.size, start, record.mode)


def _is_descriptor(raw: bytes, record: _Record) -> bool:
    """Whether these are the sizes of a record, in one of the four forms that writers use."""
    values = (record.crc, record.compressed, record.size)
    forms = ["<3L", "<L2Q"] if max(values) <= _FULL32 else ["<L2Q"]
    bodies = [struct.pack(form, *values) for form in forms]
    return raw in bodies or raw in [b"PK\7\x08" + body for body in bodies]


def _exactly(stream: BinaryIO, size: int, what: str) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise bad(what, "is cut short")
    return data
