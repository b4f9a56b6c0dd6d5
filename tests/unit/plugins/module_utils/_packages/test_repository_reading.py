# SPDX-License-Identifier: GPL-3.0-or-later
"""Our reader of metadata beside python-tuf's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bocage_core._packages import repository_reading
from bocage_core._packages.tuf_library import Metadata, Root, Snapshot, Targets, exceptions
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical
from signed_repository import SignedRepository, signers

# among them what JSON escapes and canonical JSON does not, and characters of more than 16 bits
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\t\x00\x7f\u2028é😀'), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, JSON, max_size=5))
@settings(max_examples=150)
def test_the_signed_bytes_are_those_of_the_reference(value: dict[str, Any]) -> None:
    reference = encode_canonical(value)
    assert reference is not None
    assert repository_reading.signed_bytes(value) == reference.encode("utf-8")


def test_the_same_metadata_as_python_tuf(tmp_path: Path) -> None:
    signed = SignedRepository(tmp_path)
    signed.add(signed.package("base/quoted_1.wapt", depends='a"b\\c'))
    raw = (signed.public / "metadata/2.base.json").read_bytes()
    reference = Metadata.from_bytes(raw)
    top = signed.store.role("targets", 1).signed
    found = repository_reading.load_data(Targets, raw, top, "base")
    assert found == (reference.signed, reference.signed_bytes, reference.signatures)


@pytest.mark.parametrize("options", [{"indent": 1}, {"sort_keys": False}, {"separators": (", ", ":")}])
def test_metadata_in_another_spelling(tmp_path: Path, options: dict[str, Any]) -> None:
    signed = SignedRepository(tmp_path)
    signed.publish("base/a_1.wapt")
    raw = (signed.public / "metadata/2.base.json").read_bytes()
    value = json.loads(raw)
    other = json.dumps({"other": 1, **dict(reversed(value.items()))}, **options).encode()
    top = signed.store.role("targets", 1).signed
    plain = repository_reading.load_data(Targets, raw, top, "base")
    assert repository_reading.load_data(Targets, other, top, "base") == plain
    with pytest.raises(exceptions.RepositoryError, match="cannot be read"):
        repository_reading.load_data(Targets, other.replace(b"length", b'length":1,"length'), top, "base")


def test_what_is_signed_is_what_came(tmp_path: Path) -> None:
    signed = SignedRepository(tmp_path)
    value = json.loads((signed.public / "metadata/1.base.json").read_bytes())
    # one moment in two spellings: only the one that was signed is believed
    value["signed"]["expires"] = value["signed"]["expires"].replace(":00:00Z", ":0:0Z")
    top = signed.store.role("targets", 1).signed
    with pytest.raises(exceptions.UnsignedMetadataError):
        repository_reading.load_data(Targets, repository_reading.signed_bytes(value), top, "base")


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b'"a"', b'"b"'),
        lambda raw: raw.replace(b'"length":7', b'"length":7.0'),
        lambda raw: raw.replace(b'"length":7', b'"length":7,"length":8'),
        lambda raw: raw.replace(b'"length":7', b'"length":"7"'),
        lambda raw: raw.replace(b'"signed":', b'"signed":{},"signed":'),
        lambda raw: b"[" * 100_000,
        lambda raw: raw[:-5],
        lambda raw: b"null",
        lambda raw: b"\xff",
    ],
)
def test_metadata_that_was_changed(tmp_path: Path, change: Any) -> None:
    signed = SignedRepository(tmp_path)
    signed.publish("base/a_1.wapt")
    raw = (signed.public / "metadata/2.base.json").read_bytes()
    top = signed.store.role("targets", 1).signed
    repository_reading.load_data(Targets, raw, top, "base")
    with pytest.raises(exceptions.RepositoryError):
        repository_reading.load_data(Targets, change(raw), top, "base")


def test_metadata_of_another_kind_or_signer(tmp_path: Path) -> None:
    signed = SignedRepository(tmp_path)
    raw = (signed.public / "metadata/1.base.json").read_bytes()
    with pytest.raises(exceptions.RepositoryError, match="expected root, got targets"):
        repository_reading.load_data(Root, raw)
    signed.holders.lists["base"] = signers()
    top = signed.store.role("targets", 1).signed
    with pytest.raises(exceptions.UnsignedMetadataError):
        repository_reading.load_data(Targets, raw, top, "deployers")


@given(st.binary(max_size=200) | JSON.map(lambda value: repository_reading.signed_bytes({"signed": value})))
@settings(max_examples=60)
def test_any_bytes_are_refused_and_nothing_worse(raw: bytes) -> None:
    with pytest.raises(exceptions.RepositoryError):
        repository_reading.load_data(Targets, raw)


@pytest.mark.parametrize("more", [{}, {"length": 3}, {"hashes": {"sha256": "ab"}}, {"other": [1]}])
def test_lists_that_a_snapshot_names(tmp_path: Path, more: dict[str, Any]) -> None:
    """All of one version are one object, and the same as python-tuf's."""
    signed = SignedRepository(tmp_path)
    document = json.loads((signed.public / "metadata/1.snapshot.json").read_bytes())
    document["signed"]["meta"]["base.json"].update(version=7, **more)
    raw = json.dumps(document).encode()
    reference = Metadata.from_bytes(raw).signed
    assert repository_reading.load_data(Snapshot, raw)[0] == reference
    assert repository_reading.payload(Snapshot, raw) == reference


@pytest.mark.parametrize("said", [{}, {"version": 0}, {"version": "1"}, {"version": None}, [], 1, None, {"length": 1}])
def test_lists_of_a_snapshot_without_a_version(tmp_path: Path, said: Any) -> None:
    signed = SignedRepository(tmp_path)
    document = json.loads((signed.public / "metadata/1.snapshot.json").read_bytes())
    document["signed"]["meta"]["base.json"] = said
    raw = json.dumps(document).encode()
    for read in (repository_reading.load_data, repository_reading.payload):
        with pytest.raises(exceptions.RepositoryError, match="the metadata of snapshot cannot be read"):
            read(Snapshot, raw)


def test_kept_metadata_of_another_kind(tmp_path: Path) -> None:
    signed = SignedRepository(tmp_path)
    raw = (signed.public / "metadata/1.snapshot.json").read_bytes()
    with pytest.raises(exceptions.RepositoryError, match="expected targets, got snapshot"):
        repository_reading.payload(Targets, raw)
