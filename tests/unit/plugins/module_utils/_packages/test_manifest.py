# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import zipfile

import pytest
import wapt_vectors
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages.manifest import NAME, SIGNATURE_NAME, compare, parse_manifest, render_manifest
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st

A, B = "a" * 64, "b" * 64
PACKAGES = wapt_vectors.FOLDER / "packages"
# What WAPT says of the manifest of these, with the files that it names.
SOUND = ["ok-dev", "ok-dep-group", "h-dev-ok", "multi", "m-dir-entry", "m-sig-oneline"]
SPOILT = {
    "m-file-added": "has files that its manifest does not name",
    "m-file-added-hidden": "has files that its manifest does not name",
    "m-file-removed": "lacks files that its manifest names: data/a.bin",
    "m-file-modified": "has files that are not as its manifest says",
    "m-setup-modified": "has files that are not as its manifest says: setup.py",
    "m-control-version": "has files that are not as its manifest says: WAPT/control",
    "m-cert-missing": "lacks files that its manifest names: WAPT/certificate.crt",
    "m-cert-swapped": "WAPT/certificate.crt",
}
paths = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)


def opened(name: str) -> tuple[dict[str, str], dict[str, str]]:
    with zipfile.ZipFile(PACKAGES / f"{name}.wapt") as package:
        files = [one.filename for one in package.infolist() if not one.is_dir()]
        found = {one: hashlib.sha256(package.read(one)).hexdigest() for one in files}
        return parse_manifest(package.read(NAME)), found


@pytest.mark.parametrize("name", SOUND)
def test_manifests_of_wapt_name_what_is_there(name: str) -> None:
    manifest, found = opened(name)
    compare(manifest, found)
    assert parse_manifest(render_manifest(manifest)) == manifest


@pytest.mark.parametrize("name", sorted(SPOILT))
def test_packages_that_are_not_as_their_manifests_say(name: str) -> None:
    with pytest.raises(Refused, match=SPOILT[name]):
        compare(*opened(name))


def test_a_manifest_has_one_spelling() -> None:
    assert render_manifest({"setup.py": A, "é": B}) == f'[["setup.py","{A}"],["\\u00e9","{B}"]]'.encode()


def test_nothing_of_a_sentence_is_forgotten() -> None:
    with pytest.raises(
        Refused, match=r"The package x has files that its manifest does not name: 0, 1, 2, 3, 4, \.\.\.\.$"
    ):
        compare({}, {str(number): A for number in range(7)}, "the package x")
    compare({"a": A}, {"a": A, NAME: B, SIGNATURE_NAME: B})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{}", "The manifest is not a list of at most 65536 files"),
        (b'["a"]', "an entry that is not a path and a digest"),
        (b'[["a"]]', "an entry that is not a path and a digest"),
        (b'[["a",1]]', "an entry that is not a path and a digest"),
        (b'[["a","0"]]', "has no SHA-256 for a"),
        (f'[["a","{A.upper()}"]]'.encode(), "has no SHA-256 for a"),
        (f'[["a","{A}"],["a","{A}"]]'.encode(), "names a twice"),
        (f'[["","{A}"]]'.encode(), "names , a path that no file can have"),
        (f'[["/etc/x","{A}"]]'.encode(), "names /etc/x, a path that leads elsewhere"),
        (f'[["a/../b","{A}"]]'.encode(), "a path that leads elsewhere"),
        (f'[["a//b","{A}"]]'.encode(), "a path that leads elsewhere"),
        (f'[["a\\\\b","{A}"]]'.encode(), "a path that no file can have"),
        (f'[["{NAME}","{A}"]]'.encode(), "a file that stands outside of the manifest"),
        (f'[["{SIGNATURE_NAME}","{A}"]]'.encode(), "a file that stands outside of the manifest"),
        (b"[", "The manifest is not strict JSON"),
        (b"[" + b"1," * 70000 + b"1]", "at most 65536 files"),
    ],
)
def test_what_is_no_manifest_is_told_in_a_sentence(raw: bytes, message: str) -> None:
    with pytest.raises(Refused, match=message) as refusal:
        parse_manifest(raw)
    assert refusal.value.code == "malformed"


def test_what_is_too_long_is_not_read() -> None:
    with pytest.raises(Refused, match="The manifest has 9 bytes and at most 8 are accepted"):
        parse_manifest(b" " * 9, maximum=8)


@pytest.mark.parametrize(
    ("digests", "message"),
    [
        ({"a/": A}, "The file a/ cannot be in a package"),
        ({"a": "x"}, "The file a has no SHA-256"),
        ({"\ud800": A}, "cannot be"),
    ],
)
def test_what_cannot_be_in_a_package_is_not_written(digests: dict[str, str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        render_manifest(digests)


def test_a_package_has_an_end() -> None:
    with pytest.raises(BadInput, match="at most 65536 files and this one has 65537"):
        render_manifest(dict.fromkeys((str(number) for number in range(65537)), A))


@few
@given(st.dictionaries(paths, st.sampled_from([A, B]), max_size=5))
def test_what_was_written_is_read_back(digests: dict[str, str]) -> None:
    try:
        raw = render_manifest(digests)
    except BadInput:
        assert any(set(path) & set("/\\\x00.") for path in digests)
    else:
        assert parse_manifest(raw) == digests


@few
@given(st.binary(max_size=100) | st.text('[]",a/0\\', max_size=60).map(str.encode))
def test_fuzz_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        parse_manifest(data)
    except Refused as refusal:
        assert refusal.code == "malformed"
