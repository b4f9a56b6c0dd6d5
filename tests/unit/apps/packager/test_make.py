# SPDX-License-Identifier: GPL-3.0-or-later
"""From a folder to a signed file and back to eyes: build, sign, show, diff, index."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from bocage_core._packages.tokens import KeyPlace
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from packager_calls import VECTORS, Call, Developer, Say


@pytest.fixture
def folder(tmp_path: Path, call: Call) -> Path:
    """Software with a file beside its setup.py."""
    assert call("init", tmp_path / "thing", "--version", "1.2-3")[0] == 0
    (tmp_path / "thing" / "files").mkdir()
    (tmp_path / "thing" / "files" / "a.conf").write_text("a\n")
    return tmp_path / "thing"


def test_build_is_the_same_each_time(folder: Path, call: Call, tmp_path: Path) -> None:
    status, answer = call("build", folder)
    path = tmp_path / "thing_1.2-3_PROD.wapt"
    assert (status, answer["file"], answer["signed"]) == (0, str(path), False)
    assert answer["files"] == ["WAPT/control", "files/a.conf", "setup.py"]
    assert answer["executables"] == ["setup.py"]
    first = path.read_bytes()
    (folder / "setup.py").touch()
    assert call("build", folder)[0] == 0
    assert path.read_bytes() == first
    assert sorted(one.name for one in tmp_path.iterdir()) == ["thing", path.name]


def test_what_is_built_is_accepted_by_nobody(folder: Path, call: Call, developer: Developer) -> None:
    _status, answer = call("build", folder)
    status, verdict = call("verify", "--trust", developer.trust, answer["file"])
    assert (status, verdict["accepted"]) == (1, False)


def test_signed_from_a_folder(folder: Path, call: Call, developer: Developer) -> None:
    path = developer.sign(call, folder)
    status, verdict = call("verify", "--trust", developer.trust, path)
    assert (status, verdict["package"], verdict["version"], verdict["signer"]) == (0, "thing", "1.2-3", "ann")
    assert verdict["executables"] == ["setup.py"]


def test_signed_from_what_was_built(folder: Path, call: Call, developer: Developer, tmp_path: Path) -> None:
    _status, built = call("build", folder)
    (tmp_path / "out").mkdir()
    path = developer.sign(call, Path(built["file"]), "--output", tmp_path / "out")
    assert call("verify", "--trust", developer.trust, path)[0] == 0


def test_what_another_signed_is_signed_anew_only_under_trust(
    call: Call, say: Say, developer: Developer, tmp_path: Path
) -> None:
    theirs = VECTORS / "packages" / "ok-dev.wapt"
    command = ("sign", theirs, "--key", developer.key, "--certificate", developer.certificate, "--output", tmp_path)
    status, _output, error = say(*command)
    assert status == 2
    assert error.startswith(f"bocage-package: {theirs} is signed already; give --trust with the certificates that")
    status, answer = call(*command, "--trust", developer.trust)
    assert status == 1, "not good under this trust"
    assert list(tmp_path.iterdir()) == []
    status, answer = call(*command, "--trust", VECTORS / "certs")
    assert status in (0, 1), answer
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "root.crt").write_bytes((VECTORS / "certs" / "root-ca.crt").read_bytes())
    status, answer = call(*command, "--trust", tmp_path / "theirs")
    assert (status, answer["signer"], answer["package"]) == (0, "ann", "tis-app")
    status, difference = call("diff", theirs, answer["file"])
    assert (status, difference["control"], difference["setup"]) == (1, {}, [])
    assert difference["files"] == {"added": [], "changed": [], "removed": []}
    assert difference["signer"][0].startswith("dev ")
    assert difference["signer"][1].startswith("ann ")


def test_who_may_not_execute_signs_no_setup(folder: Path, say: Say, developer: Developer, tmp_path: Path) -> None:
    status, output, error = say("sign", folder, "--key", developer.key, "--certificate", developer.clerk)
    assert (status, output) == (2, "")
    assert "lacks codeSigning; let a developer sign it" in error
    assert sorted(one.name for one in tmp_path.iterdir()) == ["thing"]


def test_a_passphrase_from_a_file(folder: Path, call: Call, developer: Developer) -> None:
    command = ("sign", folder, "--key", developer.key, "--certificate", developer.certificate)
    status, answer = call(*command, "--passphrase-file", developer.passphrase)
    assert status == 2
    assert answer["error"].endswith("is not encrypted, so it takes no passphrase.")


def test_a_key_on_a_token(folder: Path, call: Call, developer: Developer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token itself is tested with SoftHSM where its library is; here a key answers for it."""
    key = load_pem_private_key(developer.key.read_bytes(), None)
    asked = []

    def open_rsa(place: KeyPlace, pin_file: Path) -> object:
        asked.append((place.token.label, place.label, pin_file))
        return key

    monkeypatch.setattr("bocage_core._packages.tokens.open_rsa", open_rsa)
    uri = "pkcs11:token=estate;object=developer?module-path=/usr/lib/softhsm/libsofthsm2.so"
    command = ("sign", folder, "--pkcs11", uri, "--certificate", developer.certificate)
    status, answer = call(*command)
    assert (status, asked) == (2, [])
    assert answer["error"] == "A key on a token needs its PIN; give the passphrase file that holds it."
    status, answer = call(*command, "--passphrase-file", developer.passphrase)
    assert (status, asked) == (0, [("estate", "developer", developer.passphrase)])
    assert call("verify", "--trust", developer.trust, answer["file"])[0] == 0
    wrong = VECTORS / "certs" / "dev.crt"
    status, answer = call("sign", folder, "--pkcs11", uri, "--certificate", wrong, "--passphrase-file", developer.key)
    assert (status, answer["error"]) == (2, f"The key {ascii(uri)[:80]} is not the key of the certificate {wrong}.")


def test_show(folder: Path, call: Call, say: Say, developer: Developer) -> None:
    status, answer = call("show", folder)
    assert (status, answer["signer"], answer["has_setup"]) == (0, None, True)
    path = developer.sign(call, folder)
    status, answer = call("show", path)
    assert (status, answer["signer"]["name"], answer["signer"]["code_signing"]) == (0, "ann", True)
    assert [one["path"] for one in answer["files"]] == ["WAPT/control", "files/a.conf", "setup.py"]
    status, output, _error = say("show", path)
    assert status == 0
    assert "signed by         : ann, until" in output
    assert "not verified, see verify" in output


def test_diff(folder: Path, call: Call, say: Say, tmp_path: Path) -> None:
    assert call("init", tmp_path / "new" / "thing", "--version", "1.3-1")[0] == 0
    new = tmp_path / "new" / "thing"
    (new / "files").mkdir()
    (new / "files" / "b.conf").write_text("b\n")
    (new / "setup.py").write_text((new / "setup.py").read_text().replace('return "OK"', 'return "WARNING"'))
    status, answer = call("diff", folder, new)
    assert (status, answer["same"], answer["control"]) == (1, False, {"version": ["1.2-3", "1.3-1"]})
    assert answer["files"] == {"added": ["files/b.conf"], "removed": ["files/a.conf"], "changed": ["setup.py"]}
    status, output, _error = say("diff", folder, new)
    assert "version: '1.2-3' -> '1.3-1'" in output
    assert '+    return "WARNING"' in output
    assert say("diff", folder, folder) == (0, "The same.\n", "")


def test_index(folder: Path, call: Call, developer: Developer, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    path = developer.sign(call, folder, "--output", tmp_path / "out")
    status, answer = call("index", tmp_path / "out")
    assert (status, answer["packages"]) == (0, ["thing=1.2-3"])
    command = ("verify-index", "--trust", developer.trust, tmp_path / "out" / "Packages")
    status, verdict = call(*command)
    assert (status, verdict["accepted_entries"]) == (0, ["thing=1.2-3"])
    with path.open("ab") as stream:
        stream.write(b"\0")
    status, verdict = call(*command)
    assert (status, verdict["accepted"]) == (1, False)
    assert "beside the index has another size or MD5" in verdict["reason"]


@pytest.mark.parametrize("verb", ["build", "show"])
def test_a_folder_that_is_no_package(tmp_path: Path, say: Say, verb: str) -> None:
    status, output, error = say(verb, tmp_path)
    assert (status, output) == (2, "")
    assert error == (
        f"bocage-package: The folder {tmp_path} is no package: it has no WAPT/control; begin one with init.\n"
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda one: (one / "link").symlink_to("setup.py"), "is a link or a device"),
        (lambda one: (one / "SETUP.py").write_text(""), "in two spellings that some systems take for one"),
        (lambda one: (one / "a\\b").write_text(""), "holds a backslash"),
    ],
)
def test_what_no_package_may_hold(folder: Path, say: Say, tmp_path: Path, change: object, sentence: str) -> None:
    change(folder)  # type: ignore[operator]
    status, output, error = say("build", folder)
    assert (status, output) == (2, "")
    assert sentence in error
    assert [one.name for one in tmp_path.iterdir()] == ["thing"]


def test_an_incomplete_control_file(folder: Path, say: Say) -> None:
    (folder / "WAPT" / "control").write_text("package : thing\nversion : 1-1\n")
    status, _output, error = say("build", folder)
    assert status == 2
    assert error.startswith(f"bocage-package: The control file of {folder} lacks ")


def test_archives_that_are_not_clean_are_not_shown(tmp_path: Path, say: Say) -> None:
    with zipfile.ZipFile(tmp_path / "x.wapt", "w") as archive:
        archive.writestr("WAPT/control", "package : x\n")
        archive.writestr("../escaped", "x")
    status, output, error = say("show", tmp_path / "x.wapt")
    assert (status, output) == (1, "")
    assert error.count("\n") == 1
