# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import random
import zipfile
from pathlib import Path

import pytest
from archive_reader import CONTROL, contents, refusal, sha256, write
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages import container
from party_maker import WAPT
from zip_maker import Part, make_zip


@pytest.mark.parametrize("path", sorted((WAPT / "packages").glob("*.wapt")), ids=lambda path: path.stem)
def test_packages_of_the_vectors_read_as_the_library_reads_them(path: Path) -> None:
    if path.stem == "m-absolute":
        with pytest.raises(Refused, match="which is absolute; it was not unpacked"):
            container.open_container(path)
        return
    with container.open_container(path) as opened, zipfile.ZipFile(path) as reference:
        names = [name for name in reference.namelist() if not name.endswith("/")]
        assert list(opened.names) == names
        for name in names:
            assert opened.digest(name) == sha256(reference.read(name))
        assert opened.control_raw == reference.read("WAPT/control")
        assert opened.size == sum(entry.file_size for entry in reference.infolist())


def test_large_files_are_hashed_as_small_ones(tmp_path: Path) -> None:
    data = random.Random(7).randbytes(4_300_000)
    for method in (0, 8):
        packed = Part("a", data, method=method).body()
        assert contents(tmp_path, make_zip([Part("a", data, method, packed=packed)])) == {"a": sha256(data)}
    damaged = Part("a", data, central={"crc": 1}, local={"crc": 1}, packed=packed)
    assert "damaged" in str(refusal(tmp_path, make_zip([damaged])))


def test_a_digest_is_computed_once(tmp_path: Path) -> None:
    with container.open_container(write(tmp_path, make_zip([CONTROL]))) as opened:
        first = opened.digest("WAPT/control")
        opened._stream.close()
        assert opened.digest("WAPT/control") == first


def test_parts_that_are_missing_or_too_large(tmp_path: Path) -> None:
    with container.open_container(write(tmp_path, make_zip([Part("a")]))) as opened:
        for read in ("control_raw", "manifest_raw", "signature_raw", "certificates_raw"):
            with pytest.raises(
                Refused, match=r"The package x\.wapt has no WAPT/.*: it is not a signed package\."
            ) as error:
                getattr(opened, read)
            assert error.value.code == "unsigned"
    large = make_zip([Part("WAPT/signature.sha256", bytes(17_000))])
    with (
        container.open_container(write(tmp_path, large)) as opened,
        pytest.raises(Refused, match=r"WAPT/signature\.sha256 in the package x\.wapt has 17000 bytes; at most 16384"),
    ):
        _ = opened.signature_raw


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^The package gone cannot be read at .*/gone: No such file or directory\.$"):
        container.open_container(tmp_path / "gone")
    with pytest.raises(BadInput, match="it is not a file"):
        container.open_container(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="it is not a file"):
        container.open_container(tmp_path / "pipe")
    with pytest.raises(BadInput, match="holds a NUL"):
        container.open_container(tmp_path / "a\0b")


def test_unpacking(tmp_path: Path) -> None:
    parts = [CONTROL, Part("bin/tool", b"#!", mode=0o100755), Part("é", b"x", method=0), Part("empty/", mode=0o40755)]
    path = write(tmp_path, make_zip(parts))
    folder = tmp_path / "out"
    with container.open_container(path) as opened:
        digests = {name: opened.digest(name) for name in opened.names}
        opened.extract(folder, digests)
        found = {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}
        assert found == {"WAPT/control": CONTROL.data, "bin/tool": b"#!", "é": b"x"}
        assert (folder / "empty").is_dir()
        assert os.access(folder / "bin" / "tool", os.X_OK)
        assert not (folder / "é").stat().st_mode & 0o111
        with pytest.raises(BocageError, match=r"cannot be unpacked into .*/out: File exists"):
            opened.extract(folder, digests)
        with pytest.raises(Refused, match=r"The file é in the package x\.wapt is not the one that was accepted\."):
            opened.extract(tmp_path / "other", {**digests, "é": sha256(b"y")})
        with pytest.raises(Refused, match="is not the one that was accepted"):
            opened.extract(tmp_path / "more", {})


def test_a_file_that_was_put_in_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with container.open_container(write(tmp_path, make_zip([CONTROL]))) as opened, pytest.raises(BocageError):
        opened.extract(tmp_path / "out", {})
    assert not (tmp_path / "elsewhere").exists()
