# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import wapt_vectors
from bocage_core._common.errors import BadInput
from bocage_core._packages.names import file_name
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st

MD5 = "0123456789abcdef0123456789abcdef"
ROWS = wapt_vectors.table("filenames.json")["rows"]


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_files_are_named_as_by_wapt(row: tuple[dict[str, str], str, str]) -> None:
    fields, name, with_md5 = row
    assert file_name(fields) == name
    assert file_name(fields, MD5) == with_md5


def test_lists_are_joined_and_names_that_no_file_should_have_are_hashed() -> None:
    fields = {"package": "a b", "version": "1-0", "architecture": "x86, x64", "locale": "fr,en", "maturity": "all"}
    assert file_name(fields) == "0cc9cd4dd26c5137b675a0d819cb9ab0_1-0_x86-x64_fr-en.wapt"
    assert file_name({**fields, "section": "host"}).count("_") == 0
    assert "/" not in file_name({"package": "../../etc/x", "version": "1"})


@pytest.mark.parametrize(
    ("fields", "md5sum", "message"),
    [
        ({}, "", "A package without a name has no file name"),
        ({"package": "a"}, "", "The package a has no version"),
        ({"package": "a", "version": "1/../2"}, "", "The package a cannot be a file"),
        ({"package": "a", "version": "1", "maturity": "a b"}, "", "The package a cannot be a file"),
        ({"package": "a", "version": "1", "locale": "\x00"}, "", "The package a cannot be a file"),
        ({"package": "a" * 250, "version": "1"}, "", "has over 255 bytes"),
        ({"package": "a", "version": "1"}, "A" * 32, "The MD5 'AAAA"),
    ],
)
def test_what_has_no_file_name_is_told_in_a_sentence(fields: dict[str, str | int], md5sum: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        file_name(fields, md5sum)


@few
@given(
    st.fixed_dictionaries(
        {key: st.text(max_size=8) for key in ("package", "version", "architecture", "maturity", "locale", "section")}
    )
)
def test_fuzz_a_name_is_one_file_or_refused(fields: dict[str, str]) -> None:
    try:
        name = file_name(fields)
    except BadInput as error:
        assert str(error).endswith(".")
    else:
        assert name.endswith(".wapt") and not set(name) & set("/\\:\x00\n ") and name not in (".wapt", "..wapt")
