# SPDX-License-Identifier: GPL-3.0-or-later
"""A publisher and a copy by their command line, with changes that were signed elsewhere."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common import timestamps
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_ends, repository_keys, repository_roles, repository_root
from bocage_core._packages.change_archive import read_change, write_change
from bocage_core._packages.repository import new_change
from bocage_core._packages.repository_client import Client
from bocage_core._packages.repository_edit import Change
from bocage_core._packages.repository_store import Store
from bocage_core._packages.target_custom import Custom
from packager_calls import Call, Developer

PASSPHRASE = b"a passphrase"


class Offline:
    """Holders of the keys that are not on the publisher."""

    def __init__(self, folder: Path) -> None:
        self.signers = {}
        for name in ("root-1", "root-2", "root-3", "targets", "base"):
            repository_keys.generate_key_file(folder / f"{name}.key", PASSPHRASE)
            self.signers[name] = repository_keys.load_signer(folder / f"{name}.key", PASSPHRASE)

    def begin(self, public: dict[str, str]) -> Change:
        online = {role: repository_keys.read_public_key(text.encode()) for role, text in public.items()}
        holders = repository_root.holders
        roots = [self.signers[f"root-{number}"] for number in (1, 2, 3)]
        plan = repository_root.RootPlan(
            holders([one.public_key for one in roots], 2),
            holders([self.signers["targets"].public_key]),
            holders([online["snapshot"]]),
            holders([online["timestamp"]]),
        )
        root = repository_keys.sign(repository_root.draft(plan, None, timestamps.now()), roots[:2], "root")
        base = repository_roles.Delegation("base", ("base/*",), (self.signers["base"].public_key,), may_execute=True)
        signers = {"targets": [self.signers["targets"]], "base": [self.signers["base"]]}
        return new_change(root, [base], signers, timestamps.now())


@pytest.fixture
def published(tmp_path: Path, call: Call) -> Path:
    """A repository with one target; what signed it lies elsewhere."""
    (tmp_path / "offline").mkdir()
    offline = Offline(tmp_path / "offline")
    status, keys = call("online-keys", tmp_path / "keys")
    assert status == 0 and keys["made"] == ["snapshot", "timestamp"]
    assert call("online-keys", tmp_path / "keys") == (0, {**keys, "changed": False, "made": []})
    first = offline.begin(keys["public"])
    write_change(first, tmp_path / "first.change")
    (tmp_path / "root.json").write_bytes(first.root or b"")
    repository = tmp_path / "repository"
    assert call("refresh", "--keys", tmp_path / "keys", repository)[0] == 0, "nothing was published yet"
    status, done = call("commit", tmp_path / "first.change", "--keys", tmp_path / "keys", repository)
    assert status == 0 and done["new"], done
    (tmp_path / "editor.wapt").write_bytes(b"bytes of a package")
    addition = repository_edit.add_file(
        "base/editor_1.wapt", tmp_path / "editor.wapt", Custom("editor", "1", "a" * 64).to_dict()
    )
    change = repository_edit.prepare(
        Store(repository), [addition], [], {"base": [offline.signers["base"]]}, timestamps.now()
    )
    assert write_change(change, tmp_path / "second.change") == 18
    status, done = call("commit", tmp_path / "second.change", "--keys", tmp_path / "keys", repository)
    assert (status, done) == (0, {"changed": True, "new": False, "lists": ["base"], "files": 1})
    return repository


def test_a_change_that_travelled_is_what_hosts_read(published: Path, tmp_path: Path, call: Call) -> None:
    assert not list(published.glob(".change-*"))
    client = Client(tmp_path / "client", (tmp_path / "root.json").read_bytes(), [str(published / "public")])
    assert [one.path for one in client.update().targets()] == ["base/editor_1.wapt"]
    status, done = call("refresh", "--keys", tmp_path / "keys", published)
    assert status == 0 and not done["changed"], done


def test_a_copy_follows_and_falls_back(published: Path, tmp_path: Path, call: Call) -> None:
    copy, root = tmp_path / "copy", tmp_path / "root.json"
    status, done = call(
        "replicate", "--root", root, "--from", tmp_path / "nowhere", "--from", published / "public", copy
    )
    assert status == 0 and done["source"] == str(published / "public") and len(done["failures"]) == 1
    assert (copy / "public" / "wapt" / "editor_1.wapt").read_bytes() == b"bytes of a package"
    status, done = call("replicate", "--root", root, "--from", tmp_path / "nowhere", copy)
    assert status == 3 and "the copy stays as it was" in done["error"]


def test_publisher_and_copy_note_what_ends(published: Path, tmp_path: Path, call: Call, developer: Developer) -> None:
    def noted(folder: Path) -> list[str]:
        return [one.name for one in repository_ends.parse((folder / "ends.json").read_bytes(), "it")]

    for folder in (tmp_path, tmp_path / "keys"):
        (folder / "authorities.pem").write_bytes(developer.certificate.read_bytes())
    assert call("refresh", "--keys", tmp_path / "keys", published)[0] == 0
    lists = ["timestamp", "snapshot", "base", "targets", "root"]
    found = noted(published)
    (published / "ends.json").unlink()
    assert call("commit", tmp_path / "second.change", "--keys", tmp_path / "keys", "--plan", published)[0] == 0
    assert not (published / "ends.json").exists()
    assert call("commit", tmp_path / "second.change", "--keys", tmp_path / "keys", published)[0] == 0
    assert noted(published) == found, "who publishes says it at once"
    assert sorted(found) == sorted([*lists, next(one for one in found if one.startswith("ann ("))])
    call("replicate", "--root", tmp_path / "root.json", "--from", published / "public", tmp_path / "copy")
    assert noted(tmp_path / "copy") == found
    assert not (published / "public" / "ends.json").exists()
    assert not (tmp_path / "copy" / "public" / "ends.json").exists()


def test_a_publisher_holds_no_other_key(published: Path, tmp_path: Path, call: Call) -> None:
    assert call("check-keys", published, "--more", tmp_path / "keys") == (0, {"clean": True, "found": []})
    (tmp_path / "keys" / "forgotten.pem").write_bytes((tmp_path / "offline" / "targets.key").read_bytes())
    status, done = call("check-keys", published, "--more", tmp_path / "keys")
    assert status == 1 and [Path(one["path"]).name for one in done["found"]] == ["forgotten.pem"]


def test_without_keys_nothing_is_published(published: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "none").mkdir()
    status, done = call("commit", tmp_path / "second.change", "--keys", tmp_path / "none", published)
    assert status == 2 and "There is no key of the role snapshot" in done["error"]


def test_an_altered_change_is_refused_and_nothing_moves(published: Path, tmp_path: Path, call: Call) -> None:
    before = sorted(path for path in published.rglob("*"))
    raw = (tmp_path / "second.change").read_bytes()
    (tmp_path / "altered.change").write_bytes(raw.replace(b"bytes of a package", b"bytes of an attack"))
    status, done = call("commit", tmp_path / "altered.change", "--keys", tmp_path / "keys", published)
    assert status in (1, 2) and done["error"]
    assert sorted(path for path in published.rglob("*")) == before


def _archive(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                entry = tarfile.TarInfo(member[0])
                entry.size = len(member[1])
                archive.addfile(entry, io.BytesIO(member[1]))
    return path


def _link(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return entry


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([("../evil", b"")], "has an unknown member"),
        ([("/etc/evil", b"")], "has an unknown member"),
        ([("lists/../x.json", b"")], "has an unknown member"),
        ([_link("root.json")], "no plain file or comes twice"),
        ([("root.json", b"a"), ("root.json", b"b")], "no plain file or comes twice"),
        ([("files/0", b"x")], "a file 0 without a name"),
        ([("names", b"../../etc/passwd"), ("files/0", b"x")], "names a file that is none of a target"),
        ([("names", b"targets/base/../x"), ("files/0", b"x")], "names a file that is none of a target"),
    ],
)
def test_archives_that_try_more_are_refused(members: list[Any], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "laid").mkdir()
    with pytest.raises(Refused, match=sentence):
        read_change(_archive(tmp_path / "x.change", *members), tmp_path / "laid")
    assert not list((tmp_path / "laid").iterdir())


@pytest.mark.parametrize("cut", [0, 1, 511, 513, 700, 3000])
def test_a_change_that_was_cut_is_refused(published: Path, tmp_path: Path, call: Call, cut: int) -> None:
    (tmp_path / "cut.change").write_bytes((tmp_path / "second.change").read_bytes()[:cut])
    status, done = call("commit", tmp_path / "cut.change", "--keys", tmp_path / "keys", published)
    assert status in (1, 2) and "Traceback" not in done["error"] and "fault of" not in done["error"], done
