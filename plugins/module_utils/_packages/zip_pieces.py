# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ZIP whose first member is packed in pieces, so that a part of it can be replaced at the cost of that part.

Deflated data that ends at a full flush can be followed by other such data (RFC 1951); the checksum of the whole is put
together from those of the pieces, as zlib's crc32_combine does, which Python does not offer.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
# an empty last block, since no piece has one
_END = b"\x03\x00"
_DEFLATED = 8
_EARLIEST = 1 << 5 | 1  # 1980-01-01
_LOCAL, _CENTRAL, _MADE = b"PK\x03\x04", b"PK\x01\x02", bytes((20, 3))
_COMMON, _REST, _FINAL = struct.Struct("<5H3L2H"), struct.Struct("<3H2L"), struct.Struct("<4s4H2LH")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a member, packed."""

    packed: bytes | memoryview
    length: int
    crc: int
    shift: int
    """What a checksum before this piece is multiplied with: it depends on `length` alone, and takes time."""


def pack(data: bytes) -> Piece:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)
    return Piece(packed, len(data), zlib.crc32(data), _power(len(data)))


def unpack(piece: Piece) -> bytes:
    """The data of a piece. Raises ValueError where it is not what it was."""
    unpacker = zlib.decompressobj(-15)
    try:
        data = unpacker.decompress(piece.packed, piece.length + 1)
    except zlib.error as error:
        raise ValueError("a piece that cannot be unpacked") from error
    if len(data) != piece.length or zlib.crc32(data) != piece.crc:
        raise ValueError("a piece with other data")
    return data


def checksum(pieces: Iterable[Piece]) -> int:
    """The CRC-32 of all data, one after another."""
    total = 0
    for piece in pieces:
        total = _times(piece.shift, total) ^ piece.crc
    return total


def start_of(name: str) -> int:
    """Where the data of the first member begins."""
    return len(_LOCAL) + _COMMON.size + len(name.encode())


def archive(name: str, pieces: Iterable[Piece], others: Mapping[str, bytes]) -> bytes:
    """The ZIP of a first member in pieces and of whole members, in their order: the same bytes for the same content."""
    output: list[bytes | memoryview] = []
    entries: list[tuple[bytes, int, bytes]] = []
    offset = 0
    for member, parts in ((name, list(pieces)), *((other, [pack(content)]) for other, content in others.items())):
        packed = sum(len(piece.packed) for piece in parts) + len(_END)
        length = sum(piece.length for piece in parts)
        common = _COMMON.pack(20, 0, _DEFLATED, 0, _EARLIEST, checksum(parts), packed, length, len(member), 0)
        entries.append((common, offset, member.encode()))
        output += [_LOCAL, common, member.encode(), *(piece.packed for piece in parts), _END]
        offset += start_of(member) + packed
    # made on Unix, a plain file that its owner reads
    central = [
        _CENTRAL + _MADE + common + _REST.pack(0, 0, 0, 0o100600 << 16, at) + encoded for common, at, encoded in entries
    ]
    size = sum(map(len, central))
    final = _FINAL.pack(b"PK\x05\x06", 0, 0, len(entries), len(entries), size, offset, 0)
    return b"".join([*output, *central, final])


def _times(one: int, other: int) -> int:
    """The product of two polynomials modulo that of the CRC, bits reflected."""
    product, bit = 0, _ONE
    while bit:
        if one & bit:
            product ^= other
            if not one & (bit - 1):
                break
        bit >>= 1
        other = other >> 1 ^ _POLYNOMIAL if other & 1 else other >> 1
    return product


def _power(length: int) -> int:
    """x to the number of bits of `length` bytes."""
    result, square = _ONE, 1 << 30
    bits = length * 8
    while bits:
        if bits & 1:
            result = _times(square, result)
        bits >>= 1
        square = _times(square, square)
    return result
