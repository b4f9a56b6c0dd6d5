# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that others have a hand in: taken over from another estate, and lists that two holders sign on two machines."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import driver
import pytest
from bocage_core._common import timestamps
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_keys, repository_publish
from bocage_core._packages.change_archive import read_change
from bocage_packager.main import main as packager
from cryptography.hazmat.primitives.serialization import Encoding
from own_repository import SETUP, Sleeper, gone, nothing_was_done, version
from package_estate import Estate  # found by own_repository
from packages_made import SECRETS, TRUST, make, serve
from tuf.api.metadata import Metadata, Targets

# Of this run: a host takes no version below one that it had, also where the lab was kept.
OURS, THEIRS = (f"{int(time.time()) // 60}.{number}-1" for number in range(2))
IMPORTED = 'def install():\n    write("/opt/demo-import/version", control["version"])\n'
PASSPHRASE = b"two holders of one list"

# Status and document of a call of bocage-package.
Call = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def do(*words: object) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        status = packager(["--json", *(str(word) for word in words)])
        out = capsys.readouterr().out
        return status, json.loads(out)

    return do


def trust_of(estate: Estate, folder: Path) -> Path:
    """What whoever deals with an estate gets of it: its authority, and its list of revoked certificates."""
    folder.mkdir()
    (folder / "authority.crt").write_bytes(estate.root.certificate.public_bytes(Encoding.PEM))
    shutil.copy(estate.folder / "estate" / "estate.crl", folder)
    return folder


@pytest.fixture
def our_trust(tmp_path: Path) -> Path:
    """The authority of the lab's estate, in one folder."""
    folder = tmp_path / "our-trust"
    folder.mkdir()
    for path in (TRUST / "authorities.pem", *(TRUST / "crl").glob("*.crl")):
        shutil.copy(path, folder)
    return folder


def agent(words: str, check: bool = True) -> str:
    return driver.on("desk1", f"{driver.AGENT} {words} --wait 60 2>&1", check=check, timeout=120)


def test_a_package_of_another_estate_becomes_ours(tmp_path: Path, our_trust: Path, call: Call) -> None:
    """Verified under its trust, its difference shown, signed by us, published, installed."""
    driver.serve_packages()
    (tmp_path / "theirs").mkdir()
    other = Estate(tmp_path / "theirs", now=timestamps.now().replace(microsecond=0))
    theirs = trust_of(other, tmp_path / "their-trust")
    came = other.build("demo-import", THEIRS, IMPORTED, maturity="PROD", locale="all", files={"more.txt": "theirs\n"})
    altered = tmp_path / "altered.wapt"
    shutil.copy(came, altered)
    with zipfile.ZipFile(altered, "a") as archive:
        archive.writestr("evil.py", "print(1)")
    output = tmp_path / "ours"
    output.mkdir()
    signer: tuple[object, ...] = ("--key", SECRETS / "signers" / "developer.key")
    signer += ("--certificate", TRUST / "signers" / "developer.crt", "--passphrase-file", SECRETS / "passphrase")
    words: tuple[object, ...] = (*signer, "--output", output)

    assert call("verify", "--trust", our_trust, came)[0] == 1, "no host of ours would take it"
    for file, trust in ((came, our_trust), (altered, theirs)):
        status, told = call("import", file, "--trust", trust, *words)
        assert status == 1 and told["error"].endswith("."), told
    assert list(output.iterdir()) == []

    before = make(tmp_path, "demo-import", OURS, IMPORTED)
    status, told = call("import", came, "--trust", theirs, "--against", before, *words, "--plan")
    (one,) = told["packages"]
    assert (status, one["changed"], one["older"]) == (0, True, False), told
    shown = json.dumps(one["difference"])
    assert all(word in shown for word in (OURS, THEIRS, "more.txt")), shown
    assert list(output.iterdir()) == [], "it was only shown"
    status, told = call("import", came, "--trust", theirs, "--against", before, *words)
    (one,) = told["packages"]
    assert status == 0 and one["former_signer_fingerprint"] != one["signer_fingerprint"], told
    made = Path(one["file"])
    assert call("verify", "--trust", our_trust, made)[0] == 0
    assert call("verify", "--trust", theirs, made)[0] == 1, "it is ours now"

    serve(made)
    try:
        said = agent("install demo-import")
        assert f"demo-import {THEIRS}: install finished" in said, said
        assert driver.on("desk1", "cat /opt/demo-import/version") == THEIRS
    finally:
        agent("remove demo-import --ensure", check=False)
    assert driver.on("desk1", "ls -d /opt/demo-import 2>/dev/null", check=False) == ""


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    driver.serve_packages()
    (tmp_path / "publisher").mkdir()
    yield Sleeper(tmp_path / "publisher")
    gone()


class Machine:
    """A folder with what one holder has: the pinned root, a copy of the repository, one key."""

    def __init__(self, folder: Path, sleeper: Sleeper, call: Call) -> None:
        folder.mkdir()
        self.folder, self.sleeper, self.call = folder, sleeper, call
        self.root, self.copy, self.change = folder / "root.json", folder / "copy", folder / "package.change"
        self.root.write_bytes(sleeper.estate.repository.root)
        repository_keys.generate_key_file(folder / "base.key", PASSPHRASE)
        (folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
        (folder / "passphrase").chmod(0o600)
        self.signer = repository_keys.load_signer(folder / "base.key", PASSPHRASE)

    def replicate(self) -> None:
        public = self.sleeper.estate.repository.public
        assert self.call("replicate", "--root", self.root, "--from", public, self.copy)[0] == 0

    def sign(self, *more: str) -> tuple[int, dict[str, Any]]:
        key = ("--key", self.folder / "base.key", "--passphrase-file", self.folder / "passphrase")
        where = ("--root", self.root, "--repository", self.copy)
        return self.call("sign-change", self.change, "--role", "base", *key, *where, *more)


def commit(sleeper: Sleeper, change: Path, folder: Path) -> None:
    """As the publisher takes it in; raises Refused."""
    repository = sleeper.estate.repository
    folder.mkdir()
    online = repository.holders.online
    repository_publish.commit(repository.path, read_change(change, folder), online, timestamps.now())


def test_two_holders_sign_on_their_machines_and_hosts_ask_for_both(
    sleeper: Sleeper, tmp_path: Path, call: Call
) -> None:
    estate = sleeper.estate
    repository = estate.repository
    ann, bob, eve = (Machine(tmp_path / name, sleeper, call) for name in ("ann", "bob", "eve"))
    repository.holders.lists["base"] = [ann.signer, bob.signer]
    both = [replace(one, threshold=2) if one.name == "base" else one for one in repository.holders.delegations()]
    change = repository_edit.delegate(repository.store, both, repository.holders.signing, estate.now)
    repository_publish.commit(repository.path, change, repository.holders.online, estate.now)
    for machine in (ann, bob, eve):
        machine.replicate()
    sleeper.serve()
    said = sleeper.agent("update")
    assert "Nothing is due." in said, said

    # the first holder signs what she publishes, and nobody takes it in
    built = estate.build("sleeper", "1.0", SETUP).rename(tmp_path / "sleeper_1.0.wapt")
    trust = trust_of(estate, tmp_path / "trust")
    words: tuple[object, ...] = ("--repository", ann.copy, "--trust", trust, "--key", f"base={ann.folder}/base.key")
    words += ("--passphrase-file", ann.folder / "passphrase", "--output", ann.change)
    status, told = call("publish", built, *words)
    assert (status, told.get("missing_signatures")) == (0, {"base": 1}), told
    with pytest.raises(Refused):
        commit(sleeper, ann.change, tmp_path / "half")

    # nor does a host, whoever has the publisher's keys
    half = read_change(ann.change, _new(tmp_path / "read"))
    (name, raw) = next((name, raw) for name, raw in half.lists.items() if name.startswith("base"))
    sleeper.force(name, Metadata[Targets].from_bytes(raw))
    said = sleeper.agent("install sleeper")
    assert "sign" in said and "install begun" not in said, said
    nothing_was_done(sleeper)

    # the file travels; a key of nobody adds nothing, and the second holder completes it
    for machine in (eve, bob):
        shutil.copy(ann.change, machine.change)
    before = eve.change.read_bytes()
    status, told = eve.sign()
    assert status == 2 and "is of no holder of base" in told["error"], told
    assert eve.change.read_bytes() == before
    status, told = bob.sign("--plan")
    assert (status, told["changed"], told["missing_signatures"]) == (0, True, {}), told
    assert any("sleeper" in step for step in told["steps"]), told["steps"]
    assert bob.change.read_bytes() == before, "it was only shown"
    assert bob.sign()[0] == 0
    commit(sleeper, bob.change, tmp_path / "whole")
    # the thief's snapshot and timestamp have the numbers of these
    estate.revoke()
    sleeper.serve()
    said = sleeper.agent("install sleeper")
    assert "sleeper 1.0: install finished" in said, said
    assert version() == "1.0"


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
