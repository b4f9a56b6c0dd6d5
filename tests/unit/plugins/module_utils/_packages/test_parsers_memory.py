# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever sends the worst bytes of the greatest size that is read takes a bounded amount of memory.

The bound is in bytes for each byte that came: what Python needs for the smallest things that a byte can spell.
"""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from bocage_core._common import dsse
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages import control, index, manifest, requests, versions
from bocage_core._packages.certificates import Trust

SIZE = 128 * 1024
MOST_FOR_EACH_BYTE, MOST_BESIDE = 64, 4 << 20
# No limit of a file is reached, but those of text are.
JSON = {
    "deep lists": b"[" * SIZE,
    "deep records": b'{"a":' * (SIZE // 5),
    "small lists": b"[" + b"[]," * (SIZE // 3) + b"[]]",
    "small records": b"[" + b"{}," * (SIZE // 3) + b"{}]",
    "small pairs": b"[" + b'["a",1],' * (SIZE // 8) + b"[]]",
    "names": b"{" + b",".join(b'"%x":0' % one for one in range(SIZE // 10)) + b"}",
    "one text": b'"' + b"x" * SIZE + b'"',
    "escapes": b'"' + b"\\u00e9" * (SIZE // 6) + b'"',
    "a long number": b"9" * SIZE,
}
LINES = {
    "short lines": b"".join(b"k%x:1\n" % one for one in range(SIZE // 8)),
    "the same line": b"a:b\n" * (SIZE // 4),
    "empty lines": b"\n" * SIZE,
    "one line": b"a : " + b"x" * SIZE,
    "lines that go on": b"a: b\n" + b" c\n" * (SIZE // 3),
    "letters of many bytes": b"a: " + "\U0001f600".encode() * (SIZE // 4),
}


def peak(run: Callable[[bytes], object], data: bytes) -> int:
    """The most that was allocated at one time, beside the data."""
    tracemalloc.start()
    try:
        with suppress(BocageError):
            run(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_bounded(run: Callable[[bytes], object], data: bytes) -> None:
    assert peak(run, data) <= MOST_FOR_EACH_BYTE * len(data) + MOST_BESIDE


@pytest.mark.parametrize("data", [*LINES.values()], ids=[*LINES])
def test_control_files_and_lists_of_them(data: bytes) -> None:
    assert_bounded(control.parse_control, data)
    assert_bounded(control.parse_controls, data)
    assert_bounded(control.parse_controls, (b"package : a\n\n" + data)[:SIZE])


@pytest.mark.parametrize("data", [*JSON.values()], ids=[*JSON])
def test_manifests_and_envelopes(data: bytes) -> None:
    assert_bounded(manifest.parse_manifest, data)
    assert_bounded(lambda raw: dsse.load(raw, "it", 8 << 20), data)
    inside = json.dumps({"payload": "", "payloadType": "x", "signatures": []}).encode()
    assert_bounded(lambda raw: dsse.load(raw, "it", 8 << 20), inside.replace(b"[]", data))


@pytest.mark.parametrize("text", ["a," * 32_768, "a(>=1)," * 9_362, "(" * 65_536, "a" * 65_536, "a(" + "1." * 32_767])
def test_requests_and_versions(text: str) -> None:
    assert_bounded(lambda raw: requests.parse_requests(raw.decode()), text.encode())
    assert_bounded(lambda raw: versions.Version.parse(raw.decode()), text.encode())


@pytest.mark.parametrize("bomb", ["Packages", "ssl/" + "a" * 64 + ".crt", "other"])
def test_an_index_that_unpacks_to_hundreds_of_times_its_size(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unpacked has limits of its own, whatever the archive says of it."""
    monkeypatch.setattr(index, "MAX_CONTROLS_BYTES", SIZE)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in {"Packages": b"", bomb: b"\n" * (200 * SIZE)}.items():
            archive.writestr(*name)
    raw = packed.getvalue()
    assert len(raw) < SIZE
    said = []

    def read(data: bytes) -> None:
        try:
            index.read_index(data, Trust(()), datetime(2026, 11, 21, tzinfo=UTC))
        except Refused as refused:
            said.append(refused.code)

    assert peak(read, raw) <= 8 * SIZE + MOST_BESIDE
    assert said == ([] if bomb == "other" else ["oversized"])
