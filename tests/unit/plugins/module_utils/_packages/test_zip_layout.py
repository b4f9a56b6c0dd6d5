# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import pytest
from archive_reader import CONTROL, contents, refusal, sha256
from bocage_core._common.refused import Refused
from bocage_core._packages.zip_layout import Limits
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st
from zip_maker import Part, descriptor, make_zip


@pytest.mark.parametrize(
    ("part", "behind"),
    [
        (Part("a", b"text" * 50), b""),
        (Part("a", b"text" * 50, method=0), b""),
        (Part("a", b""), b""),
        (Part("é/à b", b"text"), b""),
        (Part("a", b"text", mode=0), b""),
        (Part("a", b"text", mode=0o600), b""),
        *(
            (
                Part("a", b"text", flags=8, local={"crc": 0, "compressed": 0, "size": 0}),
                descriptor(Part("a", b"text"), *form),
            )
            for form in ((False, True), (False, False), (True, True), (True, False))
        ),
        (Part("a", b"text", flags=8), descriptor(Part("a", b"text"))),
        (Part("a", b"text", local={"extra": struct.pack("<2H", 0x5455, 1) + b"\0"}), b""),
        (Part("a", b"text", central={"comment": b"a word"}), b""),
    ],
)
def test_forms_that_writers_use(tmp_path: Path, part: Part, behind: bytes) -> None:
    part.behind = behind
    for wide in (False, True):
        found = contents(tmp_path, make_zip([part, CONTROL], wide=wide))
        name = part.name if isinstance(part.name, str) else part.name.decode()
        assert found == {name: sha256(part.data), "WAPT/control": sha256(CONTROL.data)}


def test_large_sizes_in_extra_fields(tmp_path: Path) -> None:
    full = 0xFFFFFFFF
    part = Part("a", b"text" * 9)
    size, compressed = len(part.data), len(part.body())
    extra = struct.pack("<2H2Q", 1, 16, size, compressed)
    said = {"size": full, "compressed": full, "extra": extra}
    part.local, part.central = dict(said), dict(said)
    assert contents(tmp_path, make_zip([part], wide=True)) == {"a": sha256(part.data)}
    part.central = {}
    assert contents(tmp_path, make_zip([part])) == {"a": sha256(part.data)}
    part.local["extra"] = struct.pack("<2H2Q", 1, 16, size + 1, compressed)
    assert "says one thing of 'a' in its directory" in str(refusal(tmp_path, make_zip([part])))
    part.local["extra"] = extra[:-8]
    assert refusal(tmp_path, make_zip([part])).code == "bad_archive"
    part.local["extra"] = b""
    assert "lacks the large sizes of the entry 'a'" in str(refusal(tmp_path, make_zip([part])))
    part.local["extra"] = extra * 2
    assert "two pairs of large sizes" in str(refusal(tmp_path, make_zip([part])))


@pytest.mark.parametrize(
    "part",
    [
        Part("a", b"/etc/passwd", mode=0o120777),
        Part("a", mode=0o010644),
        Part("a", mode=0o060644),
        Part("a", mode=0o140644),
        Part("a", attributes=0x400),
        Part("a", mode=0o40755),
        Part("a/", mode=0o100644),
        Part("a", attributes=0x10),
        Part("a/", b"hidden", mode=0),
        Part("a/", b"", mode=0, packed=Part("", b"hidden").body()),
    ],
)
def test_links_devices_and_false_folders(tmp_path: Path, part: Part) -> None:
    assert refusal(tmp_path, make_zip([CONTROL, part])).code == "bad_archive"


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Part("a", b"x", flags=1), "encrypted"),
        (Part("a", b"x", flags=0x41), "encrypted"),
        (Part("a", b"x", flags=0x2000), "encrypted"),
        (Part("a", b"x", flags=0x20), "unknown kind"),
        (Part("a", b"x", method=12), "unknown method 12"),
        (Part("a", b"x", method=99), "unknown method 99"),
        (Part("a", b"x", central={"extra": struct.pack("<2H", 0x9901, 0)}), "encryption in an extra field"),
        (Part("a", b"x", central={"extra": struct.pack("<2H", 0x7075, 0)}), "a second name in an extra field"),
        (Part("a", b"x", local={"extra": struct.pack("<2H", 0x7075, 0)}), "a second name in an extra field"),
        (Part("a", b"x", central={"extra": b"abc"}), "cannot be read"),
        (Part("a", b"x", central={"extra": struct.pack("<2H", 7, 9)}), "cannot be read"),
        (Part("a", b"x", central={"disk": 1}), "one part of several"),
        (Part("setup.py", b"x", central={"name": b"data.txt"}), "says one thing of 'data.txt'"),
        (Part("a", b"x", central={"name": b"A"}), "says one thing of 'A'"),
        (Part("a", b"x", local={"method": 0}), "says one thing of 'a'"),
        (Part("a", b"x", local={"flags": 0x800}), "says one thing of 'a'"),
        (Part("a", b"x", local={"crc": 1}), "says one thing of 'a'"),
        (Part("a", b"x", local={"crc": 0}), "says one thing of 'a'"),
        (Part("a", b"x", local={"size": 2}), "says one thing of 'a'"),
        (Part("a", b"x", local={"compressed": 2}), "says one thing of 'a'"),
        (Part("a", b"xy", method=0, central={"size": 1}, local={"size": 1}), "says two sizes"),
        (Part("a", b"x", behind=b"hidden"), "hidden bytes behind"),
        (Part("a", b"x", flags=8), "lacks the sizes behind"),
        (Part("a", b"x", flags=8, behind=b"PK\7\x08" + bytes(12)), "hidden bytes behind"),
        (Part("a", b"x", flags=8, behind=descriptor(Part("a", b"x")) + b"!"), "hidden bytes behind"),
        (Part("a", b"x", central={"crc": 1}, local={"crc": 1}), "damaged"),
        (Part("a", b"xyz", central={"size": 2}, local={"size": 2}), "damaged"),
        (Part("a", b"x", central={"size": 2}, local={"size": 2}), "damaged"),
        (Part("a", b"x", packed=b"\7\7"), "damaged"),
        (Part("a", b"x", packed=Part("", b"x").body() + b"hidden"), "hidden bytes behind"),
        (Part("a", b"xyzxyz", packed=Part("", b"xyzxyz").body()[:-2]), "damaged"),
    ],
)
def test_entries_that_lie(tmp_path: Path, part: Part, reason: str) -> None:
    for parts in ([part, CONTROL], [CONTROL, part]):
        found = refusal(tmp_path, make_zip(parts))
        assert found.code == "bad_archive"
        assert reason in str(found)


def test_entries_that_overlap(tmp_path: Path) -> None:
    twin = Part("a", b"x")
    shared = make_zip([twin, Part("b", b"x", central={"offset": 0, "name": b"b"})])
    assert refusal(tmp_path, shared).code == "bad_archive"
    inner = make_zip([Part("inner", b"y", method=0)])[: 30 + 5 + 1]
    quoted = Part("outer", inner, method=0)
    inside = Part("inner", b"y", method=0, central={"offset": 35})
    data = make_zip([quoted, inside])
    assert "overlaps" in str(refusal(tmp_path, data)) or "hidden" in str(refusal(tmp_path, data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too short"),
        (b"PK" * 20, "is not a ZIP file"),
        (make_zip([CONTROL], after=b"x"), "bytes behind its end"),
        (make_zip([CONTROL], comment=b"x"), "has a comment"),
        (make_zip([CONTROL], after=make_zip([])), "does not lie directly before its end"),
        (make_zip([CONTROL], before=b"#!/bin/sh\n", start=0), "does not lie directly before its end"),
        (make_zip([CONTROL], before=b"#!/bin/sh\n"), "bytes in front of its first entry"),
        (make_zip([], before=b"#!/bin/sh\n"), "bytes in front of its first entry"),
        (make_zip([CONTROL], gap=b"hidden"), "hidden bytes behind"),
        (make_zip([CONTROL], disk=1), "one part of several"),
        (make_zip([CONTROL], here=0), "one part of several"),
        (make_zip([CONTROL], count=2, here=2), "directory"),
        (make_zip([CONTROL, Part("b")], count=1, here=1), "more in its directory"),
        (make_zip([CONTROL], count=0, here=0), "more in its directory"),
        (make_zip([CONTROL])[:-30], "is not a ZIP file"),
        (make_zip([CONTROL])[5:], "does not lie directly before its end"),
    ],
)
def test_files_that_are_no_clean_archive(tmp_path: Path, data: bytes, reason: str) -> None:
    assert reason in str(refusal(tmp_path, data))


def test_two_ends_of_a_large_directory_must_agree(tmp_path: Path) -> None:
    good = make_zip([CONTROL], wide=True)
    assert contents(tmp_path, good)
    narrow = bytearray(good)
    narrow[-14:-10] = b"\0\0\1\0"
    assert "two ends of its directory that disagree" in str(refusal(tmp_path, bytes(narrow)))
    moved = bytearray(good)
    moved[-34] ^= 1
    assert "misplaced end of its large directory" in str(refusal(tmp_path, bytes(moved)))
    odd = bytearray(good)
    odd[-22 - 20 - 56 + 4] ^= 1
    assert "unusual end of its large directory" in str(refusal(tmp_path, bytes(odd)))


def test_caps(tmp_path: Path) -> None:
    many = make_zip([Part(str(number)) for number in range(20)])
    assert refusal(tmp_path, many, Limits(entries=19)).code == "oversized"
    assert contents(tmp_path, many, Limits(entries=20))
    assert "at most 100 are accepted" in str(refusal(tmp_path, many, Limits(file_bytes=100)))
    large = make_zip([Part("a", bytes(500)), Part("b", bytes(500))])
    assert "unpacks to 1000 bytes; at most 999 are accepted" in str(refusal(tmp_path, large, Limits(total_bytes=999)))
    assert contents(tmp_path, large, Limits(total_bytes=1000))


def test_attack_archive_bomb(tmp_path: Path) -> None:
    said = {"size": 34_000_000}
    zeros = Part("zeros", packed=bytes(1000), local=said, central=said)
    bomb = make_zip([CONTROL, zeros])
    found = refusal(tmp_path, bomb)
    assert found.code == "oversized"
    assert "unpacks to more than 100 times its size: a bomb." in str(found)
    # Incompressible bytes beside it do not make it a better one.
    padded = make_zip([CONTROL, Part("noise", os.urandom(600_000), method=0), zeros])
    assert refusal(tmp_path, padded).code == "oversized"
    assert contents(tmp_path, make_zip([CONTROL, Part("zeros", bytes(1_000_000))]))


def test_attack_size_in_the_directory_smaller_than_the_contents(tmp_path: Path) -> None:
    """What unpacks beyond what the directory said is not unpacked, however much would come."""
    lying = Part("zeros", bytes(3_000_000), central={"size": 10}, local={"size": 10})
    assert "damaged" in str(refusal(tmp_path, make_zip([CONTROL, lying])))


@given(st.data())
@few
def test_damaged_packages_are_refused_or_read_alike(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Nothing but our own errors, and what is read is what the library reads too."""
    raw = bytearray(_GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(raw))))
    folder = tmp_path_factory.getbasetemp()
    try:
        found = contents(folder, bytes(raw[:cut]))
    except Refused:
        return
    with zipfile.ZipFile(io.BytesIO(bytes(raw[:cut]))) as reference:
        names = [name for name in reference.namelist() if not name.endswith("/")]
        assert found == {name: sha256(reference.read(name)) for name in names}


_GOOD = make_zip(
    [
        CONTROL,
        Part("data/é", b"text" * 30),
        Part("data/", mode=0o40755),
        Part("s", b"stored", method=0),
        Part("late", b"late" * 9, flags=8, behind=descriptor(Part("late", b"late" * 9))),
    ],
    wide=True,
)
