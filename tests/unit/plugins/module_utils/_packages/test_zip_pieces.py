# SPDX-License-Identifier: GPL-3.0-or-later
"""A ZIP in pieces is a ZIP, and its checksum is that of the whole."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import replace

import pytest
from bocage_core._packages import zip_pieces
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st

CONTENTS = st.lists(st.one_of(st.binary(max_size=200), st.just(b"word " * 20_000)), max_size=6)


@few
@given(CONTENTS, st.dictionaries(st.from_regex(r"ssl/[a-z]{1,5}", fullmatch=True), st.binary(max_size=50), max_size=3))
def test_any_reader_of_archives_finds_the_whole(contents: list[bytes], others: dict[str, bytes]) -> None:
    pieces = [zip_pieces.pack(one) for one in contents]
    raw = zip_pieces.archive("Packages", pieces, others)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {"Packages": b"".join(contents), **others}
        assert archive.getinfo("Packages").date_time == (1980, 1, 1, 0, 0, 0)
    assert zip_pieces.checksum(pieces) == zlib.crc32(b"".join(contents))
    assert [zip_pieces.unpack(one) for one in pieces] == contents
    start = zip_pieces.start_of("Packages")
    assert raw[start:].startswith(b"".join(one.packed for one in pieces))


@pytest.mark.parametrize("changes", [{"packed": b"\xff"}, {"packed": b""}, {"crc": 1}, {"length": 3}, {"length": 5}])
def test_a_piece_that_is_not_what_it_was(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a piece"):
        zip_pieces.unpack(replace(zip_pieces.pack(b"data"), **changes))  # type: ignore[arg-type]
