# SPDX-License-Identifier: GPL-3.0-or-later
"""`import --index`: the newest of an index that may lie."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from bocage_core._packages import index as indexes
from packager_calls import AT, VECTORS, Call, Developer, Repository, Say, by_index, files_of, signed_by

WAPT_INDEX = {
    "tis-app": 0,
    "tis-big": 0,
    "grp-a": 0,
    "tis-inter": 0,
    # the entry is good, and the package is not: it has a program and its signer no right to one
    "h1": 1,
    "tis-exp": 1,
    "tis-evil2": 1,
}


def test_the_newest_of_an_index(repository: Repository, call: Call, ours: Path) -> None:
    status, answer = call(*by_index(repository, ours))
    assert (status, [one["version"] for one in answer["packages"]]) == (0, ["1.10-1"])
    assert answer["packages"][0]["source"].endswith("/repository/thing_1.10-1_PROD.wapt")
    assert [one.name for one in ours.iterdir()] == ["thing_1.10-1_PROD.wapt"]


def test_an_index_of_several_kinds(repository: Repository, call: Call, ours: Path) -> None:
    for word in ("x64", "arm64"):
        repository.add("2-1", architecture=word)
    repository.add("3-1", maturity="DEV")
    repository.index()
    assert call(*by_index(repository, ours))[1]["packages"][0]["version"] == "3-1"
    status, answer = call(*by_index(repository, ours, "--maturity", "prod"))
    assert status == 2
    assert answer["error"] == (
        "The index has 2 files of thing=2-1: thing_2-1_arm64_PROD.wapt, thing_2-1_x64_PROD.wapt; say which with"
        " --architecture, --maturity or --locale, or give the URL of one."
    )
    chosen = ("--maturity", "PROD", "--architecture", "x64")
    assert call(*by_index(repository, ours, *chosen))[1]["packages"][0]["file"].endswith("thing_2-1_x64_PROD.wapt")
    status, answer = call(*by_index(repository, ours, "--maturity", "TEST"))
    assert (status, answer["error"]) == (2, "The index has no thing of a version and kind that was asked for.")


OTHER_SIZE = r"has another size or MD5 than the index says\."


@pytest.mark.parametrize(
    ("old", "new", "sentence", "code"),
    [
        # how long the other file is varies with its signatures
        (b"thing_1.10-1_PROD.wapt", b"thing_1.9-1_PROD.wapt", f"{OTHER_SIZE}|has more than the [0-9]+ bytes", 1),
        (b"thing_1.10-1_PROD.wapt", b"../thing_1.10-1.wapt", "does not say name, size and MD5 of the file of", 1),
        (b"thing_1.10-1_PROD.wapt", b"missing.wapt", "missing.wapt: there is no such file.", 2),
        (b"md5sum", b"md5_sum", "The index has no thing that is accepted: The entry thing=1.", 1),
        (b"size              : ", b"size              : 9", OTHER_SIZE, 1),
        (b"size              : ", b"size              : 99999999999", "bytes, which is too much.", 1),
    ],
)
def test_an_index_that_lies(
    repository: Repository, say: Say, ours: Path, old: bytes, new: bytes, sentence: str, code: int
) -> None:
    repository.alter(old, new)
    status, output, error = say(*by_index(repository, ours))
    assert (status, output, error.count("\n")) == (code, "", 1)
    assert re.search(sentence, error), error
    assert list(ours.iterdir()) == []


def test_an_index_that_names_another_good_package(repository: Repository, say: Say, call: Call, ours: Path) -> None:
    """Name, size and MD5 fit, and the package is signed by whom we trust: it is still not the one that was listed."""
    listed = indexes.parse_entries(files_of(repository.folder / "Packages")["Packages"])[0]
    high, low = sorted(listed, key=lambda one: one.version)
    for key in ("filename", "size", "md5sum"):
        repository.alter(f"{key:<18}: {high.get(key)}\n".encode(), f"{key:<18}: {low.get(key)}\n".encode())
    status, _output, error = say(*by_index(repository, ours))
    assert (status, list(ours.iterdir())) == (1, [])
    assert error == (
        "bocage-package: The file thing_1.9-1_PROD.wapt is another package than the index says: thing=1.9-1.\n"
    )


def test_a_newer_entry_that_nobody_signed_is_told(repository: Repository, call: Call, ours: Path) -> None:
    repository.alter(b"version           : 1.9-1", b"version           : 7.0-1")
    status, answer = call(*by_index(repository, ours))
    assert (status, answer["packages"][0]["version"]) == (0, "1.10-1")
    assert len(answer["packages"][0]["refused"]) == 1
    status, answer = call(*(word if word != "thing" else "other" for word in by_index(repository, ours)))
    assert (status, answer["error"]) == (2, "The index has no package other; verify-index says which it has.")


@pytest.mark.parametrize(
    ("case", "package", "status"),
    [
        *(("good", package, status) for package, status in WAPT_INDEX.items()),
        *((case, "tis-app", 1) for case in ("filename-swapped", "md5-changed", "size-changed", "depends-changed")),
        ("omitted", "tis-app", 2),
    ],
)
def test_an_index_of_wapt(
    call: Call, developer: Developer, theirs: Path, ours: Path, tmp_path: Path, case: str, package: str, status: int
) -> None:
    """WAPT's own index beside WAPT's own packages."""
    shutil.copytree(VECTORS / "packages", tmp_path / "wapt")
    shutil.copy(VECTORS / "index" / case / "Packages", tmp_path / "wapt")
    place = (tmp_path / "wapt" / "Packages").as_uri()
    found, answer = call("import", package, "--index", place, *signed_by(developer, theirs, ours), "--at", AT)
    assert found == status, answer
    assert [one.name for one in ours.iterdir()] == ([] if status else [Path(answer["packages"][0]["file"]).name])
