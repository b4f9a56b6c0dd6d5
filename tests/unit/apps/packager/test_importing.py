# SPDX-License-Identifier: GPL-3.0-or-later
"""`import`: what another estate signed becomes ours, whole, or nothing is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from bocage_core._packages import signing
from bocage_core._packages.control import parse_control
from packager_calls import AT, JUDGED, VECTORS, Call, Developer, Say, files_of, signed_by, store_of

OF_SIGNING = {"signature", "signature_date", "signed_attributes", "signer", "signer_fingerprint"}
MADE = {f"WAPT/{name}" for name in ("control", "certificate.crt", "manifest.sha256", "signature.sha256")}
DOCUMENT = json.loads((VECTORS / "packages.json").read_text())
# Which no host of ours would take, whoever signs them.
NO_VERSION = {"h-empty-version"}


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("stores")
    return {name: store_of(folder / name, *held) for name, held in DOCUMENT["trust_stores"].items()}


def fields_of(path: Path) -> dict[str, str | int]:
    control = parse_control(files_of(path)["WAPT/control"])
    return {key: value for key, value in control.fields.items() if key not in OF_SIGNING and value != ""}


@pytest.mark.parametrize(
    ("package", "store"), [(package, store) for package, found in DOCUMENT["verdicts"].items() for store in found]
)
def test_all_that_wapt_judged(
    call: Call, developer: Developer, stores: dict[str, Path], ours: Path, package: str, store: str
) -> None:
    """What `verify` accepts is taken in with the same content and fields; of the rest nothing is written."""
    path = VECTORS / "packages" / f"{package}.wapt"
    judged, verdict = call("verify", "--trust", stores[store], "--at", AT, path)
    status, answer = call("import", path, "--at", AT, *signed_by(developer, stores[store], ours))
    if judged != 0 or package in NO_VERSION:
        assert status == (judged or 2), answer
        assert answer["error"] == verdict["reason"] or package in NO_VERSION
        assert list(ours.iterdir()) == []
        return
    assert status == 0, answer
    (done,) = answer["packages"]
    assert (done["former_signer"], done["signer"], done["changed"]) == (verdict["signer"], "ann", True)
    made = Path(done["file"])
    assert call("verify", "--trust", developer.trust, "--at", AT, made)[1]["signer"] == "ann"
    assert call("verify", "--trust", stores[store], "--at", AT, made)[0] == 1, "it is ours now"
    before, after = files_of(path), files_of(made)
    assert {name: data for name, data in before.items() if name not in MADE} == {
        name: data for name, data in after.items() if name not in MADE
    }
    assert fields_of(path) == fields_of(made)
    assert [one.name for one in ours.iterdir()] == [made.name]


def test_the_same_bytes_and_only_once(call: Call, developer: Developer, theirs: Path, ours: Path) -> None:
    path = VECTORS / "packages" / "ok-dev.wapt"
    command = ("import", path, *signed_by(developer, theirs, ours))
    (done,) = call(*command, "--at", AT)[1]["packages"]
    first = Path(done["file"]).read_bytes()
    Path(done["file"]).unlink()
    call(*command, "--at", AT)
    assert Path(done["file"]).read_bytes() == first
    status, again = call(*command)
    assert (status, again["changed"], again["packages"][0]["changed"]) == (0, False, False)
    assert Path(done["file"]).read_bytes() == first, "another moment is no reason to sign it again"


def test_what_tools_leave_behind_is_content_like_any_other(
    call: Call, developer: Developer, tmp_path: Path, ours: Path
) -> None:
    """`sign` leaves such files out of a folder of sources; of a package that another signed they are a part."""
    folder = tmp_path / "thing"
    assert call("init", folder, "--version", "1-1")[0] == 0
    (folder / "x").mkdir()
    (folder / "x" / "later.txt").write_text("x")
    made = developer.sign(call, folder)
    # as a producer packs them that leaves nothing out
    parts = files_of(made)
    (folder / "x" / "later.txt").rename(folder / "x" / ".gitignore")
    (folder / "x" / "cached.pyc").write_bytes(b"\0")
    (folder / "WAPT" / "manifest.sha1").write_bytes(b"[]")
    signer = signing.load_signer(developer.key, developer.certificate)
    signing.build_package(folder, parse_control(parts["WAPT/control"]), made, signer, JUDGED, whole=True)
    status, answer = call("import", made, *signed_by(developer, developer.trust, ours), "--at", AT)
    assert status == 0, answer
    assert answer["packages"][0]["files"] == ["setup.py", "x/.gitignore", "x/cached.pyc"]
    again = developer.sign(call, made, "--trust", developer.trust, "--output", tmp_path)
    assert sorted(files_of(again)) == sorted({*MADE, "setup.py", "WAPT/manifest.sha1", "x/.gitignore", "x/cached.pyc"})


def test_difference_and_plan(call: Call, say: Say, developer: Developer, theirs: Path, ours: Path) -> None:
    path = VECTORS / "packages" / "ok-dev.wapt"
    command = ("import", path, *signed_by(developer, theirs, ours), "--at", AT)
    status, answer = call(*command, "--plan")
    assert (status, answer["changed"], answer["planned"]) == (0, True, True)
    assert list(ours.iterdir()) == []
    call(*command)
    (mine,) = ours.iterdir()
    status, output, _error = say(*command, "--against", mine, "--plan")
    assert (status, output) == (0, f"The same.\n{mine}: tis-app=1.2.3-4 is there already, signed by ann.\n")
    difference = call(*command, "--against", path)[1]["packages"][0]["difference"]
    assert difference["signer"][0].startswith("dev ") and difference["signer"][1].startswith("ann ")
    assert (difference["control"], difference["setup"]) == ({}, [])


def test_a_version_that_goes_back_is_told(call: Call, developer: Developer, tmp_path: Path, ours: Path) -> None:
    made = []
    for version in ("1-1", "2-1"):
        assert call("init", tmp_path / version / "thing", "--version", version)[0] == 0
        made.append(developer.sign(call, tmp_path / version / "thing"))
    command = ("import", made[0], *signed_by(developer, developer.trust, ours))
    assert call(*command, "--against", made[1])[1]["packages"][0]["older"] is True
    assert call("import", made[1], *command[2:], "--against", made[0])[1]["packages"][0]["older"] is False


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (
            ["http://example.org/a.wapt"],
            "http://example.org/a.wapt cannot be fetched: give a path, or a URL of https",
            2,
        ),
        (["https://ann:secret@example.org/a.wapt"], "https://example.org/a.wapt cannot be fetched: give a path, or", 2),
        (["ftp://example.org/a.wapt"], "ftp://example.org/a.wapt cannot be fetched: give a path, or a URL of https", 2),
        (["file://elsewhere/a.wapt"], "cannot be fetched: give a path, or a URL of https or file without a pass", 2),
        (["/nonexistent/a.wapt"], "/nonexistent/a.wapt: there is no such file.", 2),
        (["GOOD", "--against", "OTHER"], "OTHER is grp-a, and ok-dev.wapt is another package.", 2),
        (["GOOD", "GOOD"], "Two of these packages would be", 2),
        (["GOOD", "OTHER", "--against", "GOOD"], "--against is what we have of one package; import one at a time", 2),
        (["GOOD", "--maturity", "PROD"], "--maturity chooses among the packages of an index; give --index with it.", 2),
        (["GOOD", "BAD"], "has files that are not as its manifest says: setup.py.", 1),
        (
            ["GOOD", "CLERK"],
            "which hosts execute, and the certificate clerk lacks codeSigning; let a developer import",
            2,
        ),
    ],
)
def test_refusals(
    say: Say, developer: Developer, theirs: Path, ours: Path, arguments: list[str], sentence: str, code: int
) -> None:
    """One sentence, and nothing is written, also of what was good before it."""
    packages = VECTORS / "packages"
    words = {"GOOD": packages / "ok-dev.wapt", "OTHER": packages / "ok-dep-group.wapt"}
    words["BAD"] = packages / "m-setup-modified.wapt"
    given = [str(words.get(one, one)) for one in arguments if one != "CLERK"]
    options = list(signed_by(developer, theirs, ours))
    if "CLERK" in arguments:
        options[options.index(developer.certificate)] = developer.clerk
    status, output, error = say("import", *given, *options, "--at", AT)
    assert (status, output, error.count("\n")) == (code, "", 1)
    assert sentence.replace("OTHER", str(words["OTHER"])) in error
    assert "secret" not in error
    assert list(ours.iterdir()) == []


def test_other_content_under_the_name_of_ours_stays(call: Call, developer: Developer, theirs: Path, ours: Path) -> None:
    command = ("import", VECTORS / "packages" / "ok-dev.wapt", *signed_by(developer, theirs, ours), "--at", AT)
    mine = Path(call(*command)[1]["packages"][0]["file"])
    other = VECTORS / "packages" / "ok-dep-group.wapt"
    shutil.copy(other, mine)
    status, answer = call(*command)
    assert status == 2
    assert answer["error"].startswith(f"{mine} is there already with other content; look at it with --against")
    assert mine.read_bytes() == other.read_bytes()


def test_what_is_to_be_imported_is_not_lost(call: Call, developer: Developer, theirs: Path, ours: Path) -> None:
    command = ("import", VECTORS / "packages" / "ok-dev.wapt", *signed_by(developer, theirs, ours), "--at", AT)
    name = Path(call(*command, "--plan")[1]["packages"][0]["file"]).name
    made = ours / name
    shutil.copy(VECTORS / "packages" / "ok-dev.wapt", made)
    status, answer = call("import", made, *command[2:])
    assert (status, answer["error"]) == (
        2,
        f"{made} is what is to be imported and would be lost; give another folder to --output.",
    )
    assert made.read_bytes() == (VECTORS / "packages" / "ok-dev.wapt").read_bytes()
