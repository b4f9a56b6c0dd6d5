# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ZIP files written by hand, so that each part of them can lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Part:
    """One entry; `local` and `central` replace single fields of the two headers."""

    name: bytes | str
    data: bytes = b""
    method: int = 8
    flags: int | None = None
    mode: int = 0o100644
    attributes: int = 0
    local: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)
    packed: bytes | None = None
    behind: bytes = b""
    """Bytes between this entry and the next: a descriptor, or what somebody hides."""

    def header(self) -> dict[str, Any]:
        raw = self.name.encode() if isinstance(self.name, str) else self.name
        packed = self.body()
        flags = self.flags
        if flags is None:
            flags = 0x800 if isinstance(self.name, str) and not self.name.isascii() else 0
        fixed = {"needed": 20, "time": 0, "date": 33, "extra": b"", "comment": b"", "disk": 0, "internal": 0}
        sizes = {"crc": zlib.crc32(self.data), "compressed": len(packed), "size": len(self.data)}
        external = (self.mode << 16) | self.attributes
        return {**fixed, **sizes, "flags": flags, "method": self.method, "name": raw, "external": external}

    def body(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.data
        deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
        return deflater.compress(self.data) + deflater.flush()


def descriptor(part: Part, wide: bool = False, signed: bool = True) -> bytes:
    header = part.header()
    form = "<L2Q" if wide else "<3L"
    body = struct.pack(form, header["crc"], header["compressed"], header["size"])
    return (b"PK\7\x08" if signed else b"") + body


def make_zip(
    parts: Sequence[Part],
    before: bytes = b"",
    after: bytes = b"",
    gap: bytes = b"",
    comment: bytes = b"",
    wide: bool = False,
    **end: int,
) -> bytes:
    """The file; `end` replaces fields of its end: disk, first_disk, here, count, size, start."""
    result = bytearray(before)
    central = bytearray()
    for part in parts:
        head = {**part.header(), "offset": len(result), **part.central}
        own = {**part.header(), **part.local}
        result += _local(own) + part.body() + part.behind
        central += _central(head)
    result += gap
    start = len(result)
    result += central
    said = {"disk": 0, "first_disk": 0, "here": len(parts), "count": len(parts), "size": len(central), "start": start}
    said.update(end)
    if wide:
        place = len(result)
        result += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, *said.values())
        result += struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)
    result += struct.pack("<4s4H2LH", b"PK\5\6", *said.values(), len(comment)) + comment
    return bytes(result + after)


def _local(head: dict[str, Any]) -> bytes:
    names = ("needed", "flags", "method", "time", "date", "crc", "compressed", "size")
    lengths = len(head["name"]), len(head["extra"])
    return struct.pack("<4s5H3L2H", b"PK\3\4", *(head[name] for name in names), *lengths) + head["name"] + head["extra"]


def _central(head: dict[str, Any]) -> bytes:
    names = ("needed", "flags", "method", "time", "date", "crc", "compressed", "size")
    lengths = len(head["name"]), len(head["extra"]), len(head["comment"])
    rest = (head["disk"], head["internal"], head["external"], head["offset"])
    fixed = struct.pack("<4s6H3L5H2L", b"PK\1\2", 0x314, *(head[name] for name in names), *lengths, *rest)
    return fixed + head["name"] + head["extra"] + head["comment"]
